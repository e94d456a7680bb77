"""One scan as it comes in: its frames on disk, its blocks announced, its account."""

import hashlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lithoscope_messages import (
    FrameHeader,
    FrameKey,
    FramesStored,
    MessageError,
    PayloadError,
    ScanAccount,
    ScanEnd,
    ScanStarted,
)
from lithoscope_services.account import SetKey, Tally, close_account
from lithoscope_store import (
    CorruptDataError,
    ExperimentPaths,
    FrameReader,
    FrameRecord,
    FrameWriter,
    WrongFrameError,
)

#: Frames in a FramesStored block: its first index is a multiple of it, so that the same facts
#: come out whenever and however often ingest was restarted.
BLOCK = 64
Pixels = bytes | memoryview


@dataclass(slots=True)
class ScanIntake:
    """The frames of one scan on their way to disk.

    Parameters
    ----------
    paths
        Of the experiment.
    started
        What was announced.
    edge_on_deg
        Angle at which the beam runs along the electrode planes, if known.
    """

    paths: ExperimentPaths
    started: ScanStarted
    edge_on_deg: float | None
    tally: Tally = field(init=False)
    # Frames are written beside: meanwhile the next one is checked.
    _executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="frames")
    )
    _writers: dict[int, FrameWriter] = field(default_factory=dict)
    _stored: dict[SetKey, set[int]] = field(default_factory=lambda: defaultdict(set))
    _announced: set[tuple[SetKey, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for tile in {expected.tile for expected in self.started.expected}:
            writer = self._writer(tile)
            for key in writer.keys:
                self._stored[key.tile, key.kind, key.set].add(key.index)
        self.tally = Tally.load(self.paths.tally(self.scan))

    @property
    def scan(self) -> int:
        """Number of the scan."""
        return self.started.scan

    @property
    def n_stored(self) -> int:
        """Frames on disk."""
        return sum(map(len, self._stored.values()))

    @property
    def n_expected(self) -> int:
        """Frames announced."""
        return sum(expected.count for expected in self.started.expected)

    def write(self, header: FrameHeader, payload: Pixels, *, is_again: bool = False) -> bool:
        """Write a frame; durable only after :meth:`commit`.

        Parameters
        ----------
        header, payload
            The frame.
        is_again
            The source repeats a message that was dealt with: nothing is counted.

        Returns
        -------
        bool
            False if it is there already.

        Raises
        ------
        MessageError
            If it does not belong into this scan, was damaged, or has other pixels than the one
            stored under its key; the text begins with the field that is wrong.
        """
        self._check(header)
        writer = self._writer(header.tile)
        known = writer.find(header.frame_key)
        if known is not None:
            check_conflict(header, known)
            # From another session: a source that was restarted sends again what it may have sent.
            is_repeated = known.session == header.session and known.sequence != header.sequence
            if is_repeated and not is_again:
                self.tally.doubled[header.tile, header.kind, header.set] += 1
            return False
        try:
            return writer.write(header, payload)
        except CorruptDataError as error:
            raise PayloadError(
                f"crc32c: {header.kind} {header.index} of scan {header.scan} was damaged on its "
                "way; send it again"
            ) from error
        except WrongFrameError as error:
            raise PayloadError(f"payload: {error}") from error

    def commit(self) -> list[FrameKey]:
        """Make what was written durable, with what was counted, and say what was written."""
        keys = [key for writer in self._writers.values() for key in writer.commit()]
        for key in keys:
            self._stored[key.tile, key.kind, key.set].add(key.index)
        self.tally.save()
        return keys

    def blocks(self, *, close: bool) -> list[tuple[SetKey, int, int]]:
        """Give set, first index and count of blocks to announce: full ones, or all at the end."""
        found = []
        for expected in self.started.expected:
            key = (expected.tile, expected.kind, expected.set)
            for first in range(0, expected.count, BLOCK):
                if (key, first) in self._announced:
                    continue
                size = min(BLOCK, expected.count - first)
                count = len(self._stored[key] & set(range(first, first + size)))
                if count == size or (close and count > 0):
                    found.append((key, first, count))
        return found

    def announced(self, fact: FramesStored) -> None:
        """Remember a block that the journal knows."""
        self._announced.add(((fact.tile, fact.kind, fact.set), fact.first))

    def account(self, said: ScanEnd | None = None) -> ScanAccount:
        """Close the account: what was expected, what came, and what the source said at the end."""
        return close_account(
            self.started.expected,
            [record for tile in sorted(self._writers) for record in self._writers[tile].records],
            self.tally,
            said=said,
            edge_on_deg=self.edge_on_deg,
        )

    def frames_sha256(self) -> str:
        """Hash the ordered checksums of all frames: the root of all content keys."""
        digest = hashlib.sha256()
        for tile in sorted(self._writers):
            reader = FrameReader(self.paths, self.scan, tile)
            digest.update(f"{tile}:{reader.frames_sha256()}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Close all files."""
        try:
            for writer in self._writers.values():
                writer.close()
        finally:
            self._executor.shutdown()

    def _writer(self, tile: int) -> FrameWriter:
        if tile not in self._writers:
            self._writers[tile] = FrameWriter(self.paths, self.scan, tile, executor=self._executor)
        return self._writers[tile]

    def _check(self, header: FrameHeader) -> None:
        if header.codec != "none":
            raise MessageError(f"codec: {header.codec} frames are not taken yet; send none")
        if header.shape != self.started.frame_shape or header.dtype != self.started.dtype:
            raise MessageError(
                f"shape: {header.dtype} {header.shape}, but scan {self.scan} announced "
                f"{self.started.dtype} {self.started.frame_shape}"
            )
        for expected in self.started.expected:
            if (expected.tile, expected.kind, expected.set) == (
                header.tile,
                header.kind,
                header.set,
            ):
                if header.index >= expected.count:
                    raise MessageError(
                        f"index: {header.kind} {header.index} of scan {self.scan}, but "
                        f"{expected.count} were announced"
                    )
                return
        raise MessageError(
            f"kind: tile {header.tile} {header.kind} set {header.set} was not announced for "
            f"scan {self.scan}"
        )


class FinishedFrames:
    """The frames of scans that are closed; those of one scan are remembered."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._paths = paths
        self._scan: int | None = None
        self._records: dict[FrameKey, FrameRecord] = {}

    def find(self, key: FrameKey) -> FrameRecord | None:
        """Give what is stored under a key."""
        if self._scan != key.scan:
            tiles = self._paths.tiles(key.scan)
            readers = [FrameReader(self._paths, key.scan, tile) for tile in tiles]
            self._records = {k: reader.record(k) for reader in readers for k in reader.keys}
            self._scan = key.scan
        return self._records.get(key)


def check_conflict(header: FrameHeader, known: FrameRecord) -> None:
    """Refuse a frame that is another one than that stored under its key.

    Raises
    ------
    MessageError
        If its pixels or its angle differ; the first stands.
    """
    if (header.crc32c, header.theta_deg) != (known.crc32c, known.theta_deg):
        raise MessageError(
            f"conflict: {header.kind} {header.index} of scan {header.scan} is stored with other "
            "pixels or another angle, which stand; number each frame of a scan once"
        )
