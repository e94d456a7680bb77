"""One scan as it comes in: its frames on disk, its blocks announced, its account."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from lithoscope_messages import (
    FrameHeader,
    FrameKey,
    FrameKind,
    FramesStored,
    MessageError,
    ScanAccount,
    ScanStarted,
    SetAccount,
)
from lithoscope_store import ExperimentPaths, FrameReader, FrameWriter

#: Frames in a FramesStored block: its first index is a multiple of it, so that the same facts
#: come out whenever and however often ingest was restarted.
BLOCK = 64
EDGE_ON_WINDOW_DEG = 15.0
SetKey = tuple[int, FrameKind, int]


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
        Angle at which the beam runs along the electrode planes.
    """

    paths: ExperimentPaths
    started: ScanStarted
    edge_on_deg: float
    refused: int = 0
    _writers: dict[int, FrameWriter] = field(default_factory=dict)
    _stored: dict[SetKey, set[int]] = field(default_factory=lambda: defaultdict(set))
    _announced: set[tuple[SetKey, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for tile in {expected.tile for expected in self.started.expected}:
            writer = self._writer(tile)
            for key in writer.keys:
                self._stored[key.tile, key.kind, key.set].add(key.index)

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

    def write(self, header: FrameHeader, payload: bytes) -> bool:
        """Write a frame; durable only after :meth:`commit`.

        Returns
        -------
        bool
            False if it is there already.

        Raises
        ------
        MessageError
            If it does not belong into this scan; the text names the field.
        """
        self._check(header)
        writer = self._writer(header.tile)
        if writer.has(header.frame_key):
            return False
        writer.write(header, payload)
        return True

    def commit(self) -> list[FrameKey]:
        """Make what was written durable, and say what it was."""
        keys = [key for writer in self._writers.values() for key in writer.commit()]
        for key in keys:
            self._stored[key.tile, key.kind, key.set].add(key.index)
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

    def account(self) -> ScanAccount:
        """Close the account: what was expected, what came."""
        sets = tuple(
            SetAccount(
                tile=expected.tile,
                kind=expected.kind,
                set=expected.set,
                expected=expected.count,
                stored=len(self._stored[expected.tile, expected.kind, expected.set]),
            )
            for expected in self.started.expected
        )
        projections = [each for each in sets if each.kind == "projection"]
        expected = sum(each.expected or 0 for each in projections)
        stored = sum(each.stored for each in projections)
        thetas_deg = self._thetas_deg()
        return ScanAccount(
            sets=sets,
            missing=sum(max(0, (each.expected or 0) - each.stored) for each in sets),
            largest_gap_deg=_largest_gap_deg(thetas_deg),
            completeness=min(1.0, stored / expected) if expected else 0.0,
            edge_on_coverage=_edge_on_coverage(thetas_deg, expected, self.edge_on_deg),
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
        for writer in self._writers.values():
            writer.close()

    def _writer(self, tile: int) -> FrameWriter:
        if tile not in self._writers:
            self._writers[tile] = FrameWriter(self.paths, self.scan, tile)
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

    def _thetas_deg(self) -> list[float]:
        thetas: list[float] = []
        for tile in sorted(self._writers):
            reader = FrameReader(self.paths, self.scan, tile)
            for each in self.started.expected:
                if each.tile == tile and each.kind == "projection":
                    thetas.extend(float(t) for t in reader.thetas_deg("projection", each.set))
        return thetas


def _largest_gap_deg(thetas_deg: list[float]) -> float | None:
    """Largest step between neighbours on the half-turn, in which the first follows the last."""
    if len(thetas_deg) < 2:
        return None
    around = np.sort(np.mod(thetas_deg, 180.0))
    steps = np.diff(np.append(around, around[0] + 180.0))
    return float(steps.max())


def _edge_on_coverage(
    thetas_deg: list[float], n_expected: int, edge_on_deg: float
) -> float | None:
    """Projections near edge-on, against what an even distribution would have there."""
    if not n_expected:
        return None
    off = np.abs((np.asarray(thetas_deg) - edge_on_deg + 90.0) % 180.0 - 90.0)
    even = n_expected * 2 * EDGE_ON_WINDOW_DEG / 180.0
    return float(min(1.0, np.count_nonzero(off <= EDGE_ON_WINDOW_DEG) / even))
