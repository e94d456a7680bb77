"""Slices that people painted, as training data: they, what lies beside them, and earlier scans.

Of each volume only the rows around painted slices are kept. A part of the painted slices is held
out, in blocks: neighbours show the same things.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.chain import LabelledScan
from lithoscope_models.data.files import StoredExperiment, read_experiment, write_experiment
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.geometry import LabelVolume, Roi
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences

_CARD: Final = "painted.json"
#: Rows kept beside those that a slice is shown with: errors of where earlier scans lie.
_MARGIN_PX: Final = 2
#: Slices that are not farther from each other than this show the same.
APART_PX: Final = 3
_FEWEST_BLOCKS: Final = 3
#: Voxels of a class under which its score says nothing.
FEWEST_VOXELS: Final = 50
_HELD_OUT_SHARE: Final = 0.28  # two slices of seven


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedScan:
    """A scan of which slices are painted, or one that such a scan is shown with.

    Parameters
    ----------
    scan
        Its number.
    grey, references
        The region in the reference frame, (z, y, x), and its grey values.
    shifts_px
        How far the stripping and the plating outer face have moved since the first scan, voxels,
        shape (2, n_z, n_x); None where that is not known: nothing earlier is shown then.
    painted
        `SegmentClass` of the painted slices by their number, shape (n_y, n_x), `UNLABELLED` where
        nobody painted; empty for a scan that is only shown.
    crossed
        The same of slices that planes painted across y or x go through: a line of each. Those
        that lie too near to a slice that is held out are left out.
    """

    scan: int
    grey: VolumeSource
    references: GreyReferences
    shifts_px: NDArray[np.float32] | None
    painted: Mapping[int, LabelVolume]
    crossed: Mapping[int, LabelVolume] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedSlice:
    """A painted slice: its scan, and its number along z in the region."""

    scan: int
    z: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedData:
    """What people painted, cut in two; arrays are mapped into memory, not read.

    Parameters
    ----------
    training, held_out
        The same scans with the slices that may be drawn, and those that may not.
    training_slices, held_out_slices
        Which they are.
    """

    training: StoredExperiment
    held_out: StoredExperiment
    training_slices: tuple[PaintedSlice, ...]
    held_out_slices: tuple[PaintedSlice, ...]


def write_painted(
    folder: Path,
    scans: Sequence[PaintedScan],
    *,
    voxel_um: float,
    halo: int,
    held_out: Collection[PaintedSlice] | None = None,
) -> None:
    """Write painted slices as training data, with a part of them held out.

    Parameters
    ----------
    folder
        Where; what is there is replaced.
    scans
        All painted scans and those they are shown with, by rising number; the first one first.
        All lie in one frame and have one shape.
    voxel_um
        Edge of a voxel.
    halo
        Slices on either side that the network is shown (`ModelInputs.halo`).
    held_out
        Slices that are held out; by default some of the blocks of neighbouring painted slices.

    Raises
    ------
    TrainingDataError
        If slices must be chosen, and fewer than three blocks of them are painted.
    """
    drawn = {
        PaintedSlice(scan=scan.scan, z=z): classes
        for scan in scans
        for z, classes in (*scan.crossed.items(), *scan.painted.items())
    }
    whole = [PaintedSlice(scan=scan.scan, z=z) for scan in scans for z in sorted(scan.painted)]
    if held_out is None:
        held_out = _chosen(whole, drawn)
    training = [
        each
        for each in sorted(drawn, key=lambda drawn_slice: (drawn_slice.scan, drawn_slice.z))
        if each not in held_out and (each in whole or _is_apart(each, held_out))
    ]
    if not training:
        raise TrainingDataError("all that is painted lies beside slices to judge by; paint others")
    every = [*training, *held_out]
    n_z = scans[0].grey.shape[0]
    near = {
        row
        for each in every
        for row in range(each.z - halo - _MARGIN_PX, each.z + halo + _MARGIN_PX + 1)
        if 0 <= row < n_z
    }
    rows = np.array(sorted(near), np.intp)
    kept = [_compact(scan, rows, drawn, every) for scan in scans]
    write_experiment(folder, kept, told={"voxel_um": voxel_um})
    told = {
        "rows": rows.tolist(),
        "training": [[each.scan, each.z] for each in training],
        "held_out": sorted([each.scan, each.z] for each in held_out),
    }
    replace_file(folder / _CARD, json.dumps(told, indent=1))


def read_painted(folder: Path) -> PaintedData:
    """Open what `write_painted` has written.

    Raises
    ------
    TrainingDataError
        If the folder is not complete.
    """
    experiment = read_experiment(folder)
    try:
        told = json.loads((folder / _CARD).read_text())
        place = {int(z): number for number, z in enumerate(told["rows"])}
        parts = [
            tuple(PaintedSlice(scan=scan, z=z) for scan, z in told[name])
            for name in ("training", "held_out")
        ]
        training, held_out = (_only(experiment, part, place) for part in parts)
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"{folder}: painted slices are not complete ({error}); run fine-tune in a new folder"
        ) from error
    return PaintedData(
        training=training,
        held_out=held_out,
        training_slices=parts[0],
        held_out_slices=parts[1],
    )


def _chosen(
    whole: Sequence[PaintedSlice], drawn: Mapping[PaintedSlice, LabelVolume]
) -> frozenset[PaintedSlice]:
    """Choose slices to hold out: of those that were painted themselves, if they lie apart."""
    counts = {
        each: np.bincount(classes.ravel(), minlength=256)[:UNLABELLED]
        for each, classes in drawn.items()
    }
    blocks = _blocks(whole)
    if len(blocks) < _FEWEST_BLOCKS:
        blocks = _blocks(list(drawn))
    if len(blocks) < _FEWEST_BLOCKS:
        raise TrainingDataError(
            f"{len(drawn)} painted slices lie in {len(blocks)} place(s): some must be kept to "
            f"judge by; paint at least {_FEWEST_BLOCKS} slices more than {APART_PX} apart"
        )
    return _held_out(blocks, counts, _HELD_OUT_SHARE)


def _is_apart(each: PaintedSlice, others: Collection[PaintedSlice]) -> bool:
    return all(abs(each.z - other.z) > APART_PX for other in others)


def _compact(
    scan: PaintedScan,
    rows: NDArray[np.intp],
    drawn: Mapping[PaintedSlice, LabelVolume],
    kept: Collection[PaintedSlice],
) -> LabelledScan:
    """Keep the rows around painted slices, in one piece where they lie together."""
    _, n_y, n_x = scan.grey.shape
    everything = slice(None)
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    ends = [0, *breaks.tolist(), len(rows)]
    grey = np.concatenate(
        [
            scan.grey[slice(int(rows[a]), int(rows[b - 1]) + 1), everything, everything]
            for a, b in pairwise(ends)
        ]
    )
    classes = np.full(grey.shape, UNLABELLED, np.uint8)
    for each in kept:
        if each.scan == scan.scan:
            classes[int(np.searchsorted(rows, each.z))] = drawn[each]
    return LabelledScan(
        scan=scan.scan,
        roi=Roi(z0=0, z1=len(rows), y0=0, y1=n_y, x0=0, x1=n_x),
        grey=grey,
        classes=classes,
        references=scan.references,
        shifts_px=None if scan.shifts_px is None else scan.shifts_px[:, rows],
    )


def _only(
    experiment: StoredExperiment, part: Sequence[PaintedSlice], place: Mapping[int, int]
) -> StoredExperiment:
    return replace(
        experiment,
        scans=tuple(
            replace(scan, only=tuple(place[each.z] for each in part if each.scan == scan.scan))
            for scan in experiment.scans
        ),
    )


def _blocks(every: Sequence[PaintedSlice]) -> list[list[PaintedSlice]]:
    """Group slices that lie together; where that leaves too few, all slices of a scan."""
    blocks: list[list[PaintedSlice]] = []
    for each in sorted(every, key=lambda painted: (painted.z, painted.scan)):
        if blocks and each.z - blocks[-1][-1].z <= APART_PX:
            blocks[-1].append(each)
        else:
            blocks.append([each])
    if len(blocks) < _FEWEST_BLOCKS:
        by_scan: dict[int, list[PaintedSlice]] = {}
        for each in every:
            by_scan.setdefault(each.scan, []).append(each)
        blocks = [by_scan[scan] for scan in sorted(by_scan)]
    return blocks


def _held_out(
    blocks: Sequence[Sequence[PaintedSlice]],
    counts: Mapping[PaintedSlice, NDArray[np.intp]],
    share: float,
) -> frozenset[PaintedSlice]:
    """Hold out neighbouring blocks in which most classes can be judged and still be learned."""
    n = min(max(1, round(share * len(blocks))), len(blocks) - 1)
    of_block = np.array([sum(counts[each] for each in block) for block in blocks])
    total = of_block.sum(axis=0)

    def worth(start: int) -> tuple[int, int]:
        inside = of_block[start : start + n].sum(axis=0)
        judged = (inside >= FEWEST_VOXELS) & (total - inside >= FEWEST_VOXELS)
        return int(judged.sum()), start

    best = max(range(len(blocks) - n + 1), key=worth)
    return frozenset(each for block in blocks[best : best + n] for each in block)
