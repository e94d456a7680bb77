"""Small scans of a few rods, written to a store frame by frame, with the journal's facts."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import (
    Entry,
    ExpectedCount,
    ExperimentDescription,
    ExperimentStarted,
    FrameHeader,
    FrameKind,
    JournalMessage,
    ScanAccount,
    ScanCompleted,
    ScanStarted,
    SetAccount,
)
from lithoscope_services.history import History
from lithoscope_services.settings import Settings
from lithoscope_store import FrameReader, FrameWriter, Store
from lithoscope_store.checksums import crc32c

ROWS, COLUMNS, N_VIEWS = 40, 72, 120
AXIS_PX = 36.25
SLAB_ROWS = 16
#: Middle (x, y) from the axis, radius, both in pixels, and attenuation of a pixel.
RODS = (
    (8.0, -5.0, 9.0, 0.02),
    (-12.0, 7.0, 6.0, 0.03),
    (1.0, 14.0, 3.0, 0.08),
    (-5.0, -16.0, 2.5, 0.1),
    (18.0, 6.0, 2.0, 0.1),
    (-20.0, -6.0, 2.0, 0.1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RodScan:
    """What is seen of the rods in one scan.

    Parameters
    ----------
    axis_px
        Where the axis is.
    thetas_deg
        Angles in the order of the indices.
    n_flats_after
        Flats of a second set.
    lean
        How much the rods lean from row to row, pixels: what the rows have different.
    closed
        Projections with the shutter closed.
    """

    axis_px: float = AXIS_PX
    thetas_deg: tuple[float, ...] = tuple(np.arange(N_VIEWS) * 180.0 / N_VIEWS)
    n_flats_after: int = 0
    lean: float = 0.1
    closed: tuple[int, ...] = ()

    @property
    def expected(self) -> tuple[ExpectedCount, ...]:
        """What is announced."""
        sets = [
            ExpectedCount(kind="dark", count=2),
            ExpectedCount(kind="flat", count=3),
            ExpectedCount(kind="projection", count=len(self.thetas_deg)),
        ]
        if self.n_flats_after:
            sets.append(ExpectedCount(kind="flat", set=1, count=self.n_flats_after))
        return tuple(sets)

    @cache  # noqa: B019 - a few frozen scans live as long as the tests do
    def frame(self, scan: int, kind: FrameKind, set_: int, index: int) -> NDArray[np.uint16]:
        """Give the counts of a frame, with the noise of photons."""
        rng = np.random.default_rng([scan, len(kind), set_, index])
        dark = 100.0
        beam = 20_000.0 * (1.0 + 0.2 * np.sin(0.1 * np.arange(COLUMNS)))
        if kind == "dark" or (kind == "projection" and index in self.closed):
            return rng.poisson(np.full((ROWS, COLUMNS), dark)).astype(np.uint16)
        counts = np.broadcast_to(beam, (ROWS, COLUMNS))
        if kind == "projection":
            counts = counts * np.exp(-self._line_integrals(np.deg2rad(self.thetas_deg[index])))
        return (dark + rng.poisson(counts)).astype(np.uint16)

    def _line_integrals(self, theta_rad: float) -> NDArray[np.float64]:
        rows = np.arange(ROWS)[:, None] - ROWS / 2
        columns = np.arange(COLUMNS)[None, :] - self.axis_px
        total = np.zeros((ROWS, COLUMNS))
        for x, y, radius, mu in RODS:
            at = (x + self.lean * rows) * np.cos(theta_rad) + y * np.sin(theta_rad)
            total += 2.0 * mu * np.sqrt(np.maximum(radius**2 - (columns - at) ** 2, 0.0))
        return total


@dataclass(slots=True)
class LiveStore:
    """A store with one experiment, and the facts that a journal would have of it."""

    root: Path
    settings: Settings = field(default_factory=Settings)
    history: History = field(default_factory=lambda: History("cell"))
    told: list[JournalMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        Store(self.root).experiment("cell").create()
        self.tell(
            ExperimentStarted(
                **self._common("cell"),
                description=ExperimentDescription(),
                settings=self.settings.model_dump(mode="json"),
                format_version=1,
            )
        )

    def tell(self, *messages: JournalMessage) -> None:
        """Fold facts, as they would come back from the journal."""
        for message in messages:
            self.told.append(message)
            entry = Entry(
                number=len(self.told),
                appended_ns=1,
                previous_hash="0" * 64,
                hash="1" * 64,
                message=message,
            )
            self.history.extend([entry])

    def copied_to(self, root: Path) -> "LiveStore":
        """Make another one with the same frames and facts."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        copy = LiveStore(root, self.settings)
        copy.tell(*self.told[1:])
        return copy

    def begin(self, scan: int, rods: RodScan) -> None:
        """Announce a scan."""
        self.tell(
            ScanStarted(
                **self._common(f"{scan}"),
                scan=scan,
                expected=rods.expected,
                frame_shape=(ROWS, COLUMNS),
                dtype="uint16",
                voxel_size_um=10.0,
            )
        )

    def write(
        self, scan: int, rods: RodScan, indices: Iterable[int], *, with_beam: bool = True
    ) -> None:
        """Store projections in the order given, with the flats and darks before them."""
        keys: list[tuple[FrameKind, int, int]] = []
        if with_beam:
            keys += [("dark", 0, i) for i in range(2)] + [("flat", 0, i) for i in range(3)]
        keys += [("projection", 0, i) for i in indices]
        self.write_frames(scan, rods, keys)

    def write_frames(
        self, scan: int, rods: RodScan, keys: Sequence[tuple[FrameKind, int, int]]
    ) -> None:
        """Store frames by kind, set and index."""
        with FrameWriter(Store(self.root).experiment("cell"), scan, 0) as writer:
            for sequence, (kind, set_, index) in enumerate(keys):
                pixels = rods.frame(scan, kind, set_, index)
                theta = rods.thetas_deg[index] if kind == "projection" else None
                header = FrameHeader(
                    experiment="cell",
                    scan=scan,
                    kind=kind,
                    set=set_,
                    index=index,
                    session="0" * 32,
                    sequence=sequence,
                    theta_deg=theta,
                    time_ns=1,
                    dtype="uint16",
                    shape=(ROWS, COLUMNS),
                    crc32c=crc32c(pixels.reshape(-1).view(np.uint8).data),
                )
                writer.write(header, pixels.tobytes())

    def complete(self, scan: int) -> None:
        """Close the account of a scan with what is stored."""
        started = self.history.scans[scan].started
        if started is None:
            raise ValueError(f"scan {scan} has not begun")
        frames = FrameReader(Store(self.root).experiment("cell"), scan, 0)
        sets = tuple(
            SetAccount(
                tile=0,
                kind=each.kind,
                set=each.set,
                expected=each.count,
                stored=frames.indices(each.kind, each.set).size,
            )
            for each in started.expected
        )
        stored = sum(each.stored for each in sets)
        expected = sum(each.count for each in started.expected)
        self.tell(
            ScanCompleted(
                **self._common(f"{scan}"),
                scan=scan,
                reason="scan_end",
                account=ScanAccount(
                    sets=sets, missing=expected - stored, completeness=stored / expected
                ),
                frames_sha256=frames.frames_sha256(),
            )
        )

    def _common(self, key: str) -> dict[str, Any]:
        return {"experiment": "cell", "key": key, "time_ns": 1, "producer": "test"}


def told(facts: Iterable[Any]) -> list[JournalMessage]:
    """Take facts of a stage as the journal would."""
    return [cast(JournalMessage, fact) for fact in facts]
