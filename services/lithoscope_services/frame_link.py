"""The source's end of the frames plane: a small client that other programs can use too.

Messages of a session are numbered. What ingest has not acknowledged as being on disk is kept and
sent again after a while, so a restart of ingest loses nothing; doubles collapse by their key.
When the credit in bytes is used up, sending waits.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np
import structlog
import zmq
from numpy.typing import NDArray

from lithoscope_messages import (
    Abandoned,
    Acknowledgement,
    BlueskyDocument,
    ElectrochemistrySamples,
    ExpectedCount,
    ExperimentBegin,
    ExperimentDescription,
    ExperimentEnd,
    FrameHeader,
    FrameKey,
    IngestReply,
    Message,
    Refusal,
    ScanBegin,
    ScanEnd,
    ScanPhase,
    ThetaSource,
    VerdictMissed,
    adapter_of,
    bounded,
    decode,
    encode,
)
from lithoscope_services.errors import RefusedError, ServiceError
from lithoscope_services.sockets import FRAMES, open_socket
from lithoscope_store.checksums import crc32c

_REPLIES = adapter_of(IngestReply)
Image = NDArray[np.generic]
Buffer = bytes | memoryview
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanDescription:
    """What a scan is going to send.

    Parameters
    ----------
    expected
        Frames of each set.
    frame_shape
        Rows and columns.
    dtype
        ``uint16`` or another of the wire.
    voxel_size_um
        Pixel in the sample plane.
    energy_keV, distance_mm, rotation_axis_px
        If they are known.
    phase
        Where in the cycling it stands.
    origin
        File or run that its frames are from, as it is named.
    """

    expected: tuple[ExpectedCount, ...]
    frame_shape: tuple[int, int]
    dtype: str
    voxel_size_um: float
    energy_keV: float | None = None  # noqa: N815 - the unit is keV
    distance_mm: float | None = None
    rotation_axis_px: float | None = None
    phase: ScanPhase = field(default_factory=ScanPhase)
    origin: str = ""


def _nothing() -> None:
    """Do nothing while waiting."""


class FrameLink:
    """Sends frames to ingest; nothing counts as sent before it is on the other side's disk.

    Frames that ingest refuses stand in ``refusals``.

    Parameters
    ----------
    address
        Of the ROUTER of ingest.
    experiment
        That is fed.
    resend_after_s
        Without any acknowledgement for this long ingest is probed with the oldest message; when
        it answers, what is not acknowledged is sent again.
    idle
        Called while waiting; may raise to give up.
    patience_s
        After this long without any acknowledgement ingest is given up.
    """

    def __init__(
        self,
        address: str,
        experiment: str,
        *,
        resend_after_s: float = 1.0,
        idle: Callable[[], None] = _nothing,
        patience_s: float = 300.0,
    ) -> None:
        self.session = uuid.uuid4().hex
        self.refusals: list[Refusal] = []
        self._experiment = experiment
        self._address = address
        self._resend_after_s = resend_after_s
        self._idle = idle
        self._patience_s = patience_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_socket(self._context, zmq.DEALER, FRAMES)
        self._socket.setsockopt(zmq.ROUTING_ID, self.session.encode())
        self._socket.connect(address)
        self._lock = threading.RLock()
        self._sequence = 0
        self._credit_bytes = 2**20
        self._pending: dict[int, list[Buffer]] = {}
        self._pending_bytes = 0
        self._progress_s = self._sent_s = time.monotonic()
        self._probes = 0

    def __enter__(self) -> "FrameLink":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def bytes_under_way(self) -> int:
        """What was sent and is not acknowledged; at most the credit, or one message."""
        return self._pending_bytes

    def close(self) -> None:
        """Close the link; call :meth:`flush` before if all must have arrived."""
        with self._lock:
            self._socket.close()
            self._context.term()

    def begin_experiment(self, description: ExperimentDescription) -> None:
        """Say which experiment this session feeds."""
        self._barrier(ExperimentBegin, time_ns=time.time_ns(), description=description)

    def begin_scan(self, scan: int, description: ScanDescription) -> None:
        """Say what a scan is going to send."""
        parts = {name: getattr(description, name) for name in description.__dataclass_fields__}
        self._barrier(ScanBegin, scan=scan, time_ns=time.time_ns(), **parts)

    def end_scan(
        self, scan: int, *, rejected: Mapping[str, int] = MappingProxyType({}), fetched: int = 0
    ) -> None:
        """Say that all frames of a scan were sent; waits until they are on disk.

        Parameters
        ----------
        scan
            Its number.
        rejected
            Frames that the source left out, counted by reason (a word or two).
        fetched
            Of the frames sent, those that the stream lost and the detector's file had.
        """
        self._barrier(
            ScanEnd, scan=scan, time_ns=time.time_ns(), rejected=bounded(rejected), fetched=fetched
        )

    def end_experiment(self) -> None:
        """Say that no further scan comes; waits until the last one is decided."""
        self._barrier(ExperimentEnd, time_ns=time.time_ns())

    def send_frame(
        self,
        key: FrameKey,
        image: Image,
        *,
        theta_deg: float | None = None,
        theta_source: ThetaSource = "frame",
        time_ns: int | None = None,
    ) -> None:
        """Send one image; waits while the credit is used up.

        Parameters
        ----------
        key
            Which frame it is.
        image
            Shape (rows, columns). It is copied, so that it may be used anew at once; one that
            cannot be written to (``image.flags.writeable`` is False) is not: it must stay as it
            is until it is acknowledged.
        theta_deg, theta_source
            Angle of a projection, and where it is known from.
        time_ns
            When it was taken; now if left out.
        """
        payload = _payload(image)
        dtype: Any = image.dtype.name  # the header refuses what is none of the wire's
        with self._lock:
            header = FrameHeader(
                experiment=self._experiment,
                **key.model_dump(),
                session=self.session,
                sequence=self._sequence,
                theta_deg=theta_deg,
                theta_source=theta_source,
                time_ns=time.time_ns() if time_ns is None else time_ns,
                dtype=dtype,
                shape=image.shape,
                crc32c=crc32c(payload),
            )
            self._enqueue(header, payload)

    def send_electrochemistry(
        self,
        first: int,
        time_s: tuple[float, ...],
        potential_V: tuple[float, ...],  # noqa: N803 - the unit is V
        current_mA: tuple[float, ...],  # noqa: N803 - the unit is mA
    ) -> None:
        """Send samples of the cycler, numbered from the start of the experiment."""
        self._send(
            ElectrochemistrySamples,
            first=first,
            time_s=time_s,
            potential_V=potential_V,
            current_mA=current_mA,
        )

    def send_document(self, name: str, document_json: str) -> None:
        """Send a Bluesky document."""
        self._send(BlueskyDocument, name=name, document_json=document_json)

    def send_verdict_missed(self, missed: dict[str, Any]) -> None:
        """Say that the plan had no answer in time: ``scan``, ``waited_s``, ``plan_did``."""
        self._send(VerdictMissed, **missed)

    def abandon(self, sequence: int) -> None:
        """Say that a message is lost for good, so that its credit comes back."""
        with self._lock:
            self._settle(sequence)
        self._send(Abandoned, abandoned=sequence)

    def flush(self) -> None:
        """Wait until all that was sent is on disk.

        Raises
        ------
        ServiceError
            If ingest is silent for longer than ``patience_s``.
        """
        with self._lock:
            while self._pending:
                self._turn()

    def _barrier(self, kind: Callable[..., Message], **parts: Any) -> None:
        """Send a message that must neither overtake nor be overtaken, nor be refused."""
        with self._lock:
            self.flush()
            sequence = self._sequence
            self._send(kind, **parts)
            self.flush()
        for refusal in self.refusals:
            if refusal.sequence == sequence:
                raise RefusedError(refusal.reason)

    def _send(self, kind: Callable[..., Message], **parts: Any) -> None:
        with self._lock:
            message = kind(
                experiment=self._experiment,
                session=self.session,
                sequence=self._sequence,
                **parts,
            )
            self._enqueue(message, b"")

    def _enqueue(self, message: Message, payload: Buffer) -> None:
        parts: list[Buffer] = [encode(message)]
        if len(payload):
            parts.append(payload)
        size = sum(map(len, parts))
        # With nothing under way one message always goes: its answer brings the new credit.
        while self._pending and self._pending_bytes + size > self._credit_bytes:
            self._turn()
        self._pending[self._sequence] = parts
        self._pending_bytes += size
        self._sequence += 1
        if len(self._pending) == 1:
            self._progress_s = time.monotonic()
        self._put(parts)
        self._take_replies(0)

    def _put(self, parts: list[Buffer]) -> None:
        self._sent_s = time.monotonic()
        # Not connected: it is sent again when nothing of it is acknowledged.
        with suppress(zmq.Again):
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)

    def _turn(self) -> None:
        """Wait a little for acknowledgements; send again what seems to be lost."""
        self._take_replies(100)
        silent_s = time.monotonic() - self._progress_s
        if silent_s > self._patience_s:
            raise ServiceError(
                f"ingest at {self._address} acknowledged nothing for {self._patience_s:.0f} s; "
                "look at `lithoscope status`"
            )
        wait_s = self._resend_after_s * min(4, 1 + self._probes)
        if self._pending and time.monotonic() - max(self._sent_s, self._progress_s) > wait_s:
            # The oldest alone: while ingest cannot answer, copies of all would fill the memory.
            self._probes += 1
            self._put(next(iter(self._pending.values())))
        self._idle()

    def _take_replies(self, wait_ms: int) -> None:
        while self._socket.poll(wait_ms):
            wait_ms = 0
            reply: Acknowledgement | Refusal = decode(self._socket.recv(), _REPLIES)
            if reply.session != self.session:
                continue
            is_answer, self._probes = self._probes > 0, 0
            self._progress_s = time.monotonic()
            if isinstance(reply, Refusal):
                self.refusals.append(reply)
                log.warning("message_refused", sequence=reply.sequence, reason=reply.reason)
                self._settle(reply.sequence)
            else:
                self._credit_bytes = reply.credit_bytes
                self._settle_ranges(reply)
            if is_answer and self._credit_bytes > 0:
                for parts in self._pending.values():
                    self._put(parts)

    def _settle_ranges(self, reply: Acknowledgement) -> None:
        for sequence in list(self._pending):
            if sequence <= reply.contiguous or any(a <= sequence <= b for a, b in reply.ranges):
                self._settle(sequence)

    def _settle(self, sequence: int) -> None:
        parts = self._pending.pop(sequence, None)
        if parts is not None:
            self._pending_bytes -= sum(map(len, parts))


def _payload(image: Image) -> Buffer:
    """Give the bytes of an image, C order, little-endian, that will not change."""
    pixels = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    if pixels is image and image.flags.writeable:
        return pixels.tobytes()
    return pixels.reshape(-1).view(np.uint8).data
