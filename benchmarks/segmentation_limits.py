"""What keeps the default network from better scores: one kind of error at a time put right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from benchmarks.earlier_scans import (
    DISTANCES_PX,
    SCORED,
    SEEDS,
    VOXEL_UM,
    Case,
    Wrong,
    cases_of,
)
from benchmarks.surface_limits import pits_from_surface, vanished_by_error
from benchmarks.tables import Report, Table
from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.chain import LabelledScan
from lithoscope_pipeline.evaluate import confusion_of, iou_of
from lithoscope_pipeline.geometry import field_axis_px
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import Which
from lithoscope_pipeline.phantom import SimulatedCell

_SLICES: Final = (23, 46, 69)  # those of the yardstick
_SCORED: Final = ("deposited", "dendrite", "pit", "void")
_2D: Final = (0.838, 0.620, 0.264, 0.301)  # benchmarks/results/yardstick.md
_WANTED: Final = (0.60, 0.15, 0.30)  # less error than that, of the first three
_FOIL_SMOOTHED_PX: Final = 1.5
_NEAR_DENDRITE_PX: Final = 3.0

Counts = NDArray[np.int64]
Classes = NDArray[np.uint8]
_C = SegmentClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A slice across the electrodes: what is true, what was found, where its sides part."""

    case: Case
    at: int
    truth: Classes
    found: Classes
    middle: int

    @classmethod
    def of(cls, case: Case, at: int) -> "Slice":
        """Let the network segment it."""
        edges = case.now.references.edges_px
        return cls(
            case=case,
            at=at,
            truth=np.asarray(case.now.classes[at], np.uint8),
            found=case.segments(Wrong(name=""), (at, at + 1))[0],
            middle=round((edges[1] + edges[2]) / 2),
        )

    def counts(self, found: Classes | None = None) -> Counts:
        """Count voxels by truth and finding, those of the stripping side first: (2, n, n)."""
        labels = self.found if found is None else found
        parts = (slice(0, self.middle), slice(self.middle, None))
        return np.stack([confusion_of(self.truth[p], labels[p], len(_C)) for p in parts])


def measure(*, is_quick: bool) -> Report:
    """Score the slices of the yardstick with one kind of error after the other put right."""
    cases = list(cases_of(SEEDS[:1] if is_quick else SEEDS, SCORED[2:3] if is_quick else SCORED))
    slices = [Slice.of(case, at) for case in cases for at in _SLICES]
    counts = np.sum([each.counts() for each in slices], axis=0)
    rows = [_row(name, found) for name, found in _put_right(counts, slices)]
    shown = [_row(name, found) for name, found in _shown(cases)]
    return Report(
        title="What limits the default network",
        method=(
            f"The default network on the yardstick's slices of cells {SEEDS} (scans "
            f"{', '.join(map(str, SCORED))}), earlier scans settled. Each row puts one kind of "
            "error right by the truth and leaves all others; in brackets how much less error "
            f"(1 - IoU) than the yardstick's 2-D network. Wanted: {', '.join(_wanted())}.",
            "The lower tables ask what anybody could find: pits are told by a small network from "
            "the *true* surface of the stripping electrode, with a random error added; "
            "dendrites by a finder whose surfaces are off by so much and who remembers nothing.",
        ),
        tables=(
            Table(title="IoU with fewer earlier scans", columns=("shown", *_SCORED), rows=shown),
            Table(title="IoU with one kind of error put right", columns=_COLUMNS, rows=rows),
            _where(slices),
            pits_from_surface(is_quick=is_quick),
            vanished_by_error(cases),
        ),
        packages=("torch",),
    )


_COLUMNS: Final = ("put right", *_SCORED)


def _wanted() -> Iterator[str]:
    """Say which IoU is as much less error as is asked for."""
    for name, less, of_2d in zip(_SCORED, _WANTED, _2D, strict=False):
        yield f"{name} {1 - (1 - less) * (1 - of_2d):.3f} ({less * 100:g} %)"


def _row(name: str, counts: Counts) -> list[str]:
    iou = iou_of(counts.sum(axis=0))
    cells = []
    for key, of_2d in zip(_SCORED, _2D, strict=True):
        score = float(iou[SegmentClass[key.upper()]])
        cells.append(f"{score:.3f} ({1 - (1 - score) / (1 - of_2d):.0%})")
    return [name, *cells]


def _put_right(counts: Counts, slices: Sequence[Slice]) -> Iterator[tuple[str, Counts]]:
    """Give the counts after each kind of error is put right."""
    low, high = (0,), (1,)
    electrode, deposited, void = _C.ELECTRODE, _C.DEPOSITED, _C.VOID
    yield "nothing", counts
    told = [_told_truth(each) for each in slices]
    yield "*shown:* true faces and displacement", np.sum([each.counts() for each in told], axis=0)
    exact = [each.counts(_with_true_foil(each)) for each in slices]
    yield "foil of scan 0, moved by the true displacement", np.sum(exact, axis=0)
    yield "plating foil", never_confused(counts, [(deposited, electrode)], high)
    pairs = [(deposited, electrode), (void, electrode)]
    yield "base of the stripping side", never_confused(counts, pairs, low)
    yield (
        "surface of deposits to electrolyte",
        never_confused(counts, [(deposited, _C.ELECTROLYTE)]),
    )
    yield "deposit or dendrite", never_confused(counts, [(deposited, _C.DENDRITE)])
    yield "voids", never_confused(counts, [(deposited, void), (void, electrode)])
    yield "mouths of pits", never_confused(counts, [(_C.PIT, _C.ELECTROLYTE)])
    deep = [each.counts(_with_true_pits(each, is_depth=True)) for each in slices]
    yield "depth of pits where one was seen", np.sum(deep, axis=0)
    seen = [each.counts(_with_true_pits(each, is_depth=False)) for each in slices]
    yield "whether there is a pit, depth as found", np.sum(seen, axis=0)


def _shown(cases: Sequence[Case]) -> Iterator[tuple[str, Counts]]:
    """Give the counts where fewer earlier scans are shown."""
    kinds: tuple[tuple[str, tuple[Which, ...]], ...] = (
        ("the first scan", ("first",)),
        ("none", ()),
    )
    for name, shown in kinds:
        fewer = [replace(case, shown=shown) for case in cases]
        counts = [Slice.of(case, at).counts() for case in fewer for at in _SLICES]
        yield name, np.sum(counts, axis=0)


def never_confused(
    counts: Counts,
    pairs: Sequence[tuple[SegmentClass, SegmentClass]],
    sides: tuple[int, ...] = (0, 1),
) -> Counts:
    """Let pairs of classes never be taken for each other."""
    out = counts.copy()
    for side in sides:
        for a, b in (*pairs, *((b, a) for a, b in pairs)):
            out[side, a, a] += out[side, a, b]
            out[side, a, b] = 0
    return out


def _row_of(y_um: float, cell: SimulatedCell, scan: LabelledScan) -> float:
    """Give the row of a place along y."""
    return y_um / VOXEL_UM + field_axis_px(cell.detector.n_columns) - scan.roi.y0


def _told_truth(part: Slice) -> Slice:
    """Let the network be told where faces truly lie and how far they truly moved."""
    cell = drawn_cell(CellDraw(seed=part.case.seed))

    def told(scan: LabelledScan) -> LabelledScan:
        planes, first = cell.planes(scan.scan), cell.planes(0)
        edges = list(scan.references.edges_px)
        edges[0] = _row_of(planes.outer_low_um, cell, scan)
        edges[3] = _row_of(planes.outer_high_um, cell, scan)
        if scan.scan == 0:
            edges[1] = _row_of(planes.stripping_surface_um, cell, scan)
            edges[2] = _row_of(planes.plating_inner_um, cell, scan)
        moved_um = (
            planes.outer_low_um - first.outer_low_um,
            planes.outer_high_um - first.outer_high_um,
        )
        columns = scan.grey.shape[0], scan.grey.shape[2]
        maps = np.stack([np.full(columns, each / VOXEL_UM, np.float32) for each in moved_um])
        a, b, c, d = edges
        references = replace(scan.references, edges_px=(a, b, c, d))
        return replace(scan, references=references, shifts_px=maps)

    case = part.case
    return Slice.of(
        replace(
            case,
            now=told(case.now),
            previous=told(case.previous),
            first=told(case.first),
            is_settled=False,
        ),
        part.at,
    )


def _with_true_foil(part: Slice) -> Classes:
    """End the plating electrode where that of scan 0 would, moved by its true displacement."""
    cell, first = drawn_cell(CellDraw(seed=part.case.seed)), part.case.first
    n_y = first.classes.shape[1]
    half = n_y // 2
    of_electrode = np.isin(first.classes[:, half:], (_C.ELECTRODE, _C.BACKGROUND))
    began_px = n_y - 0.5 - of_electrode.sum(axis=1)
    foil_px = gaussian_filter(began_px.astype(np.float64), _FOIL_SMOOTHED_PX)[part.at]
    moved_um = cell.planes(part.case.now.scan).outer_high_um - cell.planes(0).outer_high_um
    rows = np.arange(n_y)[:, None]
    is_foil = (rows > foil_px[None] + moved_um / VOXEL_UM) & (rows > half)
    out = part.found.copy()
    out[is_foil & np.isin(out, (_C.DEPOSITED, _C.VOID))] = _C.ELECTRODE
    out[~is_foil & (rows > half) & (out == _C.ELECTRODE)] = _C.DEPOSITED
    return out


def _with_true_pits(part: Slice, *, is_depth: bool) -> Classes:
    """Take the true pits in columns where one was rightly seen, or in all the other ones."""
    pit, out = int(_C.PIT), part.found.copy()
    is_there, is_seen = ((each == pit).any(axis=0) for each in (part.truth, part.found))
    columns = (is_there & is_seen) if is_depth else (is_there != is_seen)
    concerned = ((part.truth == pit) | (part.found == pit)) & columns[None]
    out[concerned] = part.truth[concerned]
    return out


def _where(slices: Sequence[Slice]) -> Table:
    """Say how far from the surface between deposits and electrolyte they are confused."""
    counts = np.zeros((2, 2, len(DISTANCES_PX) - 1), np.int64)
    for part in slices:
        around = slice(max(part.at - 4, 0), part.at + 5)
        classes = part.case.now.classes[around]
        place = part.at - around.start
        gaps = {
            each: distance_transform_edt(classes != each)[place]
            for each in (_C.DEPOSITED, _C.ELECTROLYTE, _C.DENDRITE)
        }
        truth, found = part.truth, part.found
        is_deposit, is_free = truth == _C.DEPOSITED, truth == _C.ELECTROLYTE
        apart = np.where(is_deposit, gaps[_C.ELECTROLYTE], gaps[_C.DEPOSITED])
        confused = (is_deposit & (found == _C.ELECTROLYTE)) | (is_free & (found == _C.DEPOSITED))
        is_near = gaps[_C.DENDRITE] <= _NEAR_DENDRITE_PX
        for column, (low, high) in enumerate(pairwise(DISTANCES_PX)):
            here = (is_deposit | is_free) & (apart > low) & (apart <= high)
            for row, beside in enumerate((~is_near, is_near)):
                counts[0, row, column] += (here & beside).sum()
                counts[1, row, column] += (here & beside & confused).sum()
    names = ("no dendrite within 3 voxels", "one within 3 voxels")
    return Table(
        title="Deposited lithium and electrolyte, by their distance from each other: confused",
        columns=("where", "they touch", "1 to 1.5 voxels", "1.5 to 2", "2 to 3", "farther"),
        rows=[
            [
                name,
                *(
                    f"{wrong} of {n} ({wrong / max(int(n), 1):.2%})"
                    for n, wrong in zip(counts[0, row], counts[1, row], strict=True)
                ),
            ]
            for row, name in enumerate(names)
        ],
    )
