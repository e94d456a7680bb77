"""Dendrites and pits as objects: 26-connected pieces with size, height, base and gap."""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.components import (
    Mask,
    Pieces,
    cut_by_border,
    measure_extents,
)
from lithoscope_pipeline.measure.counts import MIN_VOXELS, SMALL_VOXELS
from lithoscope_pipeline.measure.scan import ReadScan

Kind = Literal["dendrite", "pit"]
Event = Literal["first", "born", "grown", "merged", "split"]

#: Kept of each scan, the largest of dendrites and pits together.
MAX_OBJECTS: Final = 10_000
KINDS: Final[tuple[tuple[Kind, Label], ...]] = (("dendrite", Label.DENDRITE), ("pit", Label.PIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Existence:
    """The chance that an object is there, and its 95 % interval, 0 to 1."""

    chance: float
    low95: float
    high95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedObject:
    """One dendrite or pit of a scan.

    Parameters
    ----------
    kind
        What it is.
    piece
        Number of the piece among those of its class, in the order in which they begin.
    voxels
        Its size; at least 8.
    volume_um3, base_area_um2
        Volume, and area of the plane that it covers.
    height_um
        Of a dendrite, above the plated surface around it; of a pit, from its bottom to its mouth.
    gap_um
        Shortest way from a dendrite to the other side's lithium; None for pits, for what is
        smaller than 27 voxels, and for what does not hang on the plating side.
    centre_px
        Mean place of its voxels along (z, y, x).
    is_cut
        Whether the border of the region cuts it.
    track
        Number that it keeps from scan to scan; 0 before it is tracked.
    event
        What happened to it since the scan before; ``first`` where there is none.
    parents
        Tracks of the scan before that it overlaps, the one whose number it keeps first.
    speed_um_per_pulse
        Change of its height per pulse; None without a scan before, or a pulse between.
    existence
        Chance that it exists; None where nothing is calibrated.
    """

    kind: Kind
    piece: int
    voxels: int
    volume_um3: float
    base_area_um2: float
    height_um: float
    gap_um: float | None
    centre_px: tuple[float, float, float]
    is_cut: bool
    track: int = 0
    event: Event = "first"
    parents: tuple[int, ...] = ()
    speed_um_per_pulse: float | None = None
    existence: Existence | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What its numbers must be read with."""
        small = ("small_object_error",) if self.voxels < SMALL_VOXELS else ()
        return (*small, "cut_by_border") if self.is_cut else small


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTable:
    """The objects of a scan, the largest first.

    Parameters
    ----------
    objects
        At most 10 000.
    n_found
        Objects of at least 8 voxels that were found, by kind.
    gone
        Tracks of the scan before that nothing overlaps any more, by kind.
    next_track
        First number that no track has had.
    """

    objects: tuple[TrackedObject, ...]
    n_found: dict[Kind, int]
    gone: dict[Kind, tuple[int, ...]]
    next_track: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanObjects:
    """The pieces of a scan by kind, with what only dendrites have.

    Parameters
    ----------
    pieces
        26-connected pieces of each class.
    dendrite_heights_um, dendrite_gaps_um
        Of each dendrite, shape (n + 1,); a gap that was not measured is NaN.
    """

    pieces: dict[Kind, Pieces]
    dendrite_heights_um: NDArray[np.float64]
    dendrite_gaps_um: NDArray[np.float64]


def list_objects(scan: ReadScan, found: ScanObjects) -> ObjectTable:
    """List the objects of a scan, each a track of its own.

    Parameters
    ----------
    scan
        The scan.
    found
        Its pieces.

    Returns
    -------
    ObjectTable
        Tracks are numbered from 1, the largest object first.
    """
    objects: list[TrackedObject] = []
    n_found: dict[Kind, int] = {}
    for kind, _ in KINDS:
        of_kind = _list_kind(scan, found, kind)
        n_found[kind] = int((found.pieces[kind].voxels >= MIN_VOXELS).sum())
        objects += of_kind
    objects.sort(key=lambda each: (-each.voxels, each.kind, each.piece))
    largest = objects[:MAX_OBJECTS]
    return ObjectTable(
        objects=tuple(replace(each, track=n + 1) for n, each in enumerate(largest)),
        n_found=n_found,
        gone={kind: () for kind, _ in KINDS},
        next_track=len(largest) + 1,
    )


def _list_kind(scan: ReadScan, found: ScanObjects, kind: Kind) -> list[TrackedObject]:
    pieces, um = found.pieces[kind], scan.voxel_um
    extents = measure_extents(scan.runs, pieces)
    is_cut = cut_by_border(scan.runs, pieces)
    heights_um = _heights_um(found, kind, extents.first, extents.last, um)
    objects = []
    for piece in _largest(pieces):
        voxels = int(pieces.voxels[piece])
        gap_um = float(found.dendrite_gaps_um[piece]) if kind == "dendrite" else np.nan
        z, y, x = (float(total) / voxels for total in extents.sums[piece])
        objects.append(
            TrackedObject(
                kind=kind,
                piece=int(piece),
                voxels=voxels,
                volume_um3=voxels * um**3,
                base_area_um2=int(extents.columns[piece]) * um**2,
                height_um=float(heights_um[piece]),
                gap_um=gap_um if np.isfinite(gap_um) else None,
                centre_px=(z, y, x),
                is_cut=bool(is_cut[piece]),
            )
        )
    return objects


def _largest(pieces: Pieces) -> NDArray[np.intp]:
    """Give the largest pieces of at least 8 voxels, no more than can be kept."""
    measurable: Mask = pieces.voxels >= MIN_VOXELS
    numbers = np.flatnonzero(measurable)
    order = np.lexsort((numbers, -pieces.voxels[numbers]))
    return numbers[order[:MAX_OBJECTS]]


def _heights_um(
    found: ScanObjects,
    kind: Kind,
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    voxel_um: float,
) -> NDArray[np.float64]:
    if kind == "dendrite":
        return found.dendrite_heights_um
    return np.asarray((last[:, 1] - first[:, 1] + 1) * voxel_um, np.float64)
