"""Receive images of an EPICS channel, with kind and angles from channels beside it."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self, TypeVar

import structlog

from lithoscope_messages import FrameKind
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.pva.channels import Channels, Update
from lithoscope_services.sources.pva.decoder import Fields, decode_ndarray, stamp_ns
from lithoscope_services.sources.pva.side_channels import Timeline, angles_in, kind_in
from lithoscope_services.sources.stream.frame import StreamFrame

NTNDARRAY = "epics:nt/NTNDArray:1."
#: An image that stood in the channel is of the scan that runs only if it is about as young.
STANDING_NS = 10 * 10**9
#: So often it is said that images are lost, or that a channel is.
SAY_S = 5.0
#: So far behind the newest an image may come.
LATE = 64
_NUMBERS = 2**32
T = TypeVar("T")
log = structlog.get_logger()


class PvaReceiver:
    """Follows the channel of images; lost ones show as gaps of uniqueId.

    Parameters
    ----------
    settings
        With channels and servers.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self.n_lost = 0
        self._settings = settings
        self._images = str(settings.channel)
        self._wake = threading.Event()
        self._kinds: Timeline[FrameKind] = Timeline()
        self._angles: Timeline[float | tuple[float, ...]] = Timeline()
        self._last: int | None = None
        self._said_lost = 0
        self._said_s = time.monotonic()

    def __enter__(self) -> Self:
        names = (self._images, self._settings.kind_channel, self._settings.theta_channel)
        self._channels = Channels([each for each in names if each], self._settings, self._wake)
        self._channels.__enter__()
        return self

    def __exit__(self, *about: object) -> None:
        self._channels.__exit__(*about)

    def receive(self, wait_s: float) -> StreamFrame | None:
        """Give the next frame; see :class:`~lithoscope_services.sources.stream.Receiver`."""
        self._wake.clear()
        update = self._take()
        if update is None:
            self._wake.wait(wait_s)
            update = self._take()
        return None if update is None else self._frame(update)

    def _take(self) -> Update | None:
        """Give the next image; they wait until it is known what the channels beside them say."""
        self._drain_all()
        lines = (
            (self._settings.kind_channel, self._kinds),
            (self._settings.theta_channel, self._angles),
        )
        lacking = [name for name, line in lines if name is not None and not line.has_begun]
        if lacking:
            self._say_lacking(lacking)
            return None
        update = self._channels.take(self._images)
        if update is not None:
            self._drain_all()  # what was changed before this image was taken is here by now
        return update

    def _drain_all(self) -> None:
        self._drain(self._settings.kind_channel, self._kinds, kind_in)
        self._drain(self._settings.theta_channel, self._angles, angles_in)

    def _say_lacking(self, names: list[str]) -> None:
        if time.monotonic() - self._said_s > SAY_S:
            log.warning("channel_awaited", channels=names)
            self._said_s = time.monotonic()

    def _frame(self, update: Update) -> StreamFrame | None:
        if not update.type_id.startswith(NTNDARRAY):
            raise SourceError(
                f"channel: {self._images} is a {update.type_id[:60] or 'structure'}, "
                "an NTNDArray was expected; give the PV of the PVA plugin"
            )
        if update.is_standing and update.fields.get("value") is None:
            return None  # nothing was taken since the server began
        frame = decode_ndarray(update.fields)
        if update.is_standing and not self._is_news(frame):
            log.info("standing_image_left", channel=self._images, number=frame.number)
            return None
        self._count(frame.number)
        angles = self._angles.at(frame.time_ns)
        return replace(
            frame,
            kind=self._kinds.at(frame.time_ns),
            theta_deg=angles if isinstance(angles, float) else None,
            thetas_deg=angles if isinstance(angles, tuple) else None,
        )

    def _is_news(self, frame: StreamFrame) -> bool:
        """Whether an image that stood in the channel belongs to what is being taken."""
        if self._last is not None:
            return frame.number != self._last
        return frame.time_ns is not None and abs(time.time_ns() - frame.time_ns) < STANDING_NS

    def _count(self, number: int) -> None:
        wraps_after = self._settings.wraps_after
        modulus = _NUMBERS if wraps_after is None else wraps_after + 1
        step = 1 if self._last is None else (number - self._last) % modulus
        if modulus - step < LATE and self.n_lost:
            self.n_lost -= 1
            return
        self._last = number
        # A long step back is a counter that was set anew.
        if 1 < step < modulus // 2:
            self.n_lost += step - 1
        if self.n_lost > self._said_lost and time.monotonic() - self._said_s > SAY_S:
            log.warning(
                "frames_lost_on_the_way",
                channel=self._images,
                lost=self.n_lost - self._said_lost,
                before=number,
            )
            self._said_lost, self._said_s = self.n_lost, time.monotonic()

    def _drain(self, name: str | None, line: Timeline[T], read: Callable[[Fields], T]) -> None:
        """Note all changes of a channel; one that cannot be read leaves what it tells unknown."""
        if name is None:
            return
        while (update := self._channels.take(name)) is not None:
            value: T | None = None
            try:
                value = read(update.fields)
            except SourceError as error:
                log.warning("channel_not_understood", channel=name, error=str(error))
            stamp = stamp_ns(update.fields.get("timeStamp"))
            line.note(time.time_ns() if stamp is None else stamp, value)
