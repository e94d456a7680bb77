"""Objects from scan to scan: what overlaps is the same object, or has come from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.measure.components import Pieces
from lithoscope_pipeline.measure.objects import (
    KINDS,
    Event,
    Kind,
    ObjectTable,
    ScanObjects,
    TrackedObject,
)
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.measure.scan import ReadScan


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierObjects:
    """The objects of the scan before.

    Parameters
    ----------
    scan, pieces
        The scan and its 26-connected pieces by kind.
    table
        What was said of them, with their tracks.
    n_pulses
        Pulses since then.
    """

    scan: ReadScan
    pieces: Mapping[Kind, Pieces]
    table: ObjectTable
    n_pulses: float


def track_objects(
    now: ReadScan, found: ScanObjects, listed: ObjectTable, earlier: EarlierObjects
) -> ObjectTable:
    """Give the objects of a scan the tracks of those that they overlap.

    Objects move with the face they stand on: pits with the outer face of the stripping electrode,
    dendrites with that of the plating electrode, by whole voxels.

    Parameters
    ----------
    now, found, listed
        The scan, its pieces, and their list.
    earlier
        Those of the scan before, on the same grid.

    Returns
    -------
    ObjectTable
        An object that overlaps several has ``merged`` and keeps the track of the one it overlaps
        most; of several that overlap one, that with the largest overlap keeps its track, and all
        have ``split``. What overlaps nothing is ``born``, all else has ``grown``.

    Raises
    ------
    ShapeError
        If the scans do not lie on one grid.
    """
    if now.runs.shape != earlier.scan.runs.shape:
        msg = f"the scan before has shape {earlier.scan.runs.shape}, this one {now.runs.shape}"
        raise ShapeError(msg)
    next_track = earlier.table.next_track
    gone: dict[Kind, tuple[int, ...]] = {}
    objects: list[TrackedObject] = []
    for kind, _ in KINDS:
        before = {each.piece: each for each in earlier.table.objects if each.kind == kind}
        here = [each for each in listed.objects if each.kind == kind]
        shared = _shared_voxels(now, found, earlier, kind)
        links = _Links.between(here, before, shared)
        for each in here:
            tracked, next_track = links.follow(each, before, next_track, earlier.n_pulses)
            objects.append(tracked)
        gone[kind] = tuple(
            sorted(old.track for piece, old in before.items() if piece not in links.children)
        )
    objects.sort(key=lambda each: (-each.voxels, each.kind, each.piece))
    return ObjectTable(
        objects=tuple(objects), n_found=listed.n_found, gone=gone, next_track=next_track
    )


@dataclass(frozen=True, slots=True)
class _Links:
    """Which objects overlap: earlier ones of each new one, the largest overlap first, and back."""

    parents: Mapping[int, list[int]]
    children: Mapping[int, list[int]]

    @classmethod
    def between(
        cls,
        here: list[TrackedObject],
        before: Mapping[int, TrackedObject],
        shared: Mapping[tuple[int, int], int],
    ) -> "_Links":
        known = {each.piece for each in here}
        pairs = [pair for pair in shared if pair[0] in before and pair[1] in known]
        pairs.sort(key=lambda pair: (-shared[pair], pair))
        parents: dict[int, list[int]] = {}
        children: dict[int, list[int]] = {}
        for old, new in pairs:
            parents.setdefault(new, []).append(old)
            children.setdefault(old, []).append(new)
        return cls(parents, children)

    def follow(
        self,
        each: TrackedObject,
        before: Mapping[int, TrackedObject],
        next_track: int,
        n_pulses: float,
    ) -> tuple[TrackedObject, int]:
        """Give an object its track, and the next free number."""
        parents = self.parents.get(each.piece, [])
        if not parents:
            return replace(each, track=next_track, event="born"), next_track + 1
        # The heir of an earlier object is the one that overlaps it most.
        inherited = [old for old in parents if self.children[old][0] == each.piece]
        is_split = any(len(self.children[old]) > 1 for old in parents)
        event: Event = "merged" if len(parents) > 1 else "split" if is_split else "grown"
        tracks = tuple(before[old].track for old in parents)
        if not inherited:
            return replace(each, track=next_track, event=event, parents=tracks), next_track + 1
        old = before[inherited[0]]
        speed = (each.height_um - old.height_um) / n_pulses if n_pulses > 0 else None
        kept = replace(
            each, track=old.track, event=event, parents=tracks, speed_um_per_pulse=speed
        )
        return kept, next_track


def _shared_voxels(
    now: ReadScan, found: ScanObjects, earlier: EarlierObjects, kind: Kind
) -> dict[tuple[int, int], int]:
    """Count the voxels that each pair of pieces, an earlier and a new one, has in common."""
    then = earlier.scan
    before, after = (
        each.heights.stripping_outer_um if kind == "pit" else each.heights.plating_outer_um
        for each in (then, now)
    )
    shift = np.rint((after - before) / now.voxel_um).astype(np.int32).ravel()
    old, new, voxels = _overlaps(
        *_numbered(then.runs, earlier.pieces[kind]),
        *_numbered(now.runs, found.pieces[kind]),
        shift,
    )
    return _sum_pairs(old, new, voxels)


_Numbered = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]


def _numbered(runs: LabelRuns, pieces: Pieces) -> _Numbered:
    """Give the runs of pieces by themselves: begin of each column, rows, ends, numbers."""
    begins = np.searchsorted(pieces.run, runs.begins).astype(np.int64)
    low = runs.rows[pieces.run].astype(np.int64)
    column = np.searchsorted(runs.begins, pieces.run, side="right")
    following = np.minimum(pieces.run + 1, len(runs.rows) - 1)
    is_last = pieces.run + 1 == runs.begins[column]
    high = np.where(is_last, runs.shape[1], runs.rows[following]).astype(np.int64)
    return begins, low, high, pieces.number


def _sum_pairs(
    old: NDArray[np.int32], new: NDArray[np.int32], voxels: NDArray[np.int32]
) -> dict[tuple[int, int], int]:
    if not len(old):
        return {}
    keys, place = np.unique(np.stack([old, new]), axis=1, return_inverse=True)
    totals = np.bincount(place.ravel(), weights=voxels).astype(np.int64)
    return {(int(a), int(b)): int(n) for (a, b), n in zip(keys.T, totals, strict=True)}


def _overlaps(
    t_begins: NDArray[np.int64],
    t_low: NDArray[np.int64],
    t_high: NDArray[np.int64],
    t_number: NDArray[np.int32],
    begins: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    number: NDArray[np.int32],
    shift: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """List the common stretches of numbered runs: piece then, piece now, voxels."""
    empty = np.empty(0, np.int32)
    place = (t_begins, t_low, t_high, t_number, begins, low, high, number, shift)
    n = _list_overlaps(*place, empty, empty, empty)
    lists = tuple(np.empty(n, np.int32) for _ in range(3))
    if n:
        _list_overlaps(*place, *lists)
    old, new, voxels = lists
    return old, new, voxels


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _list_overlaps(t_begins, t_low, t_high, t_number, begins, low, high, number, shift, old, new, voxels):  # type: ignore[no-untyped-def]  # for numba  # fmt: skip  # noqa: E501
    n = 0
    for column in range(len(begins) - 1):
        for then in range(t_begins[column], t_begins[column + 1]):
            first, stop = t_low[then] + shift[column], t_high[then] + shift[column]
            for here in range(begins[column], begins[column + 1]):
                common = min(high[here], stop) - max(low[here], first)
                if common > 0:
                    if n < len(old):
                        old[n], new[n], voxels[n] = t_number[then], number[here], common
                    n += 1
    return n
