"""Pits and voids against the scan in which the stripping side had lost most."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.columns import ColumnCounts
from lithoscope_pipeline.measure.correlation import correlate_maps
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.metric import Metric, measured, not_measured

#: Thinner voids are not counted: the published rule.
_MIN_VOID_VOXELS: Final = 2.0
_ROUNDING: Final = 1e-4
_STRIPPING, _REDEPOSITED = int(Label.STRIPPING_ELECTRODE), int(Label.REDEPOSITED)
_PIT, _VOID = int(Label.PIT), int(Label.VOID)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatScan:
    """A scan seen from above: what pits are compared with.

    Parameters
    ----------
    runs
        Its labels; y rises from the stripping to the plating side.
    cavity_px
        Pits of the stripping side, and voids that cover its electrode, along y (n_z, n_x).
    counts
        Its labelled voxels.
    outer_um
        Place of the smoothed outer face of its stripping electrode.
    """

    runs: LabelRuns
    cavity_px: NDArray[np.int32]
    counts: ColumnCounts
    outer_um: FloatImage


@dataclass(frozen=True, slots=True, kw_only=True)
class CavityFindings:
    """Metrics of pits and voids, and the map of what was not filled again."""

    metrics: dict[str, Metric]
    void_depth_um: FloatImage | None


def flatten_scan(runs: LabelRuns, counts: ColumnCounts, outer_um: FloatImage) -> FlatScan:
    """Look at a scan from above."""
    cavity_px = np.zeros(runs.n_columns, np.int32)
    _find_cavities(runs.begins, runs.rows, runs.labels, runs.shape[1], cavity_px)
    return FlatScan(
        runs=runs, cavity_px=cavity_px.reshape(runs.plane), counts=counts, outer_um=outer_um
    )


def measure_cavities(
    now: FlatScan, charged: FlatScan | None, *, voxel_um: float
) -> CavityFindings:
    """Compare pits, voids and lithium with those at the end of stripping.

    Parameters
    ----------
    now
        This scan.
    charged
        Last scan of the last half-cycle before this one that stripped the stripping side, on the
        same grid; None in the first.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    CavityFindings
        ``unfilled_pit_fraction``, ``void_area_fraction``, ``contact_area_fraction`` and the three
        correlations; pits are those of ``charged``, in the first half-cycle those of now.

    Raises
    ------
    ShapeError
        If the scans do not lie on one grid.
    """
    if charged is not None and charged.runs.shape != now.runs.shape:
        msg = f"the charged scan has shape {charged.runs.shape}, this one {now.runs.shape}"
        raise ShapeError(msg)
    pits = now if charged is None else charged
    metrics = {
        "pearson_pit_dendrite": correlate_maps(pits.cavity_px, _columns(now, Label.DENDRITE)),
        "pearson_pit_deposited": correlate_maps(pits.cavity_px, _columns(now, Label.DEPOSITED)),
        "pearson_loss_gain": _correlate_loss(now, charged),
    }
    if charged is None:
        names = ("unfilled_pit_fraction", "void_area_fraction", "contact_area_fraction")
        missing = not_measured("1", "no_reference_scan")
        return CavityFindings(metrics=metrics | dict.fromkeys(names, missing), void_depth_um=None)
    depth_px = _void_depth_px(now, charged, voxel_um)
    return CavityFindings(
        metrics=metrics | _measure_filling(now, charged, depth_px),
        void_depth_um=(depth_px * voxel_um).astype(np.float32),
    )


def _measure_filling(
    now: FlatScan, charged: FlatScan, depth_px: NDArray[np.float64]
) -> dict[str, Metric]:
    is_pit = charged.cavity_px > 0
    n_pits = int(is_pit.sum())
    unfilled = not_measured("1", "no_pits_in_reference_scan")
    if n_pits:
        left = charged.cavity_px[is_pit] > _columns(now, Label.REDEPOSITED)[is_pit]
        unfilled = measured(float(left.mean()), "1", voxels=n_pits)
    is_void = depth_px >= _MIN_VOID_VOXELS - _ROUNDING
    share, n_void = float(is_void.mean()), int(is_void.sum())
    return {
        "unfilled_pit_fraction": unfilled,
        "void_area_fraction": measured(share, "1", voxels=n_void),
        "contact_area_fraction": measured(1.0 - share, "1", voxels=is_void.size - n_void),
    }


def _correlate_loss(now: FlatScan, charged: FlatScan | None) -> Metric:
    """Correlate what the plating side lost with what the other side gained, place by place."""
    if charged is None:
        return not_measured("1", "no_reference_scan")
    plated = (Label.DEPOSITED, Label.DENDRITE)
    lost = sum(_columns(charged, label) - _columns(now, label) for label in plated)
    gained = _columns(now, Label.REDEPOSITED) - _columns(charged, Label.REDEPOSITED)
    return correlate_maps(np.asarray(lost), gained)


def _columns(scan: FlatScan, label: Label) -> NDArray[np.int32]:
    columns: NDArray[np.int32] = scan.counts.columns[label]
    return columns


def _void_depth_px(now: FlatScan, charged: FlatScan, voxel_um: float) -> NDArray[np.float64]:
    """Give how much of each former cavity holds no redeposited lithium now."""
    swelling_px = ((now.outer_um - charged.outer_um) / voxel_um).astype(np.float64)
    depth_px = np.zeros(now.runs.n_columns)
    then, here = charged.runs, now.runs
    _find_voids(
        then.begins, then.rows, then.labels, here.begins, here.rows, here.labels, here.shape[1],
        swelling_px.ravel(), depth_px,
    )  # fmt: skip
    return depth_px.reshape(now.runs.plane)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _is_cavity(labels, run, first):  # type: ignore[no-untyped-def]  # for numba
    """Say whether a run is a pit, or a void that lies on the stripping electrode."""
    if labels[run] == _PIT:
        return True
    while run > first and labels[run] in (_PIT, _VOID):
        run -= 1
        if labels[run] == _STRIPPING:
            return True
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _find_cavities(begins, rows, labels, n_y, cavity):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        first, stop = begins[column], begins[column + 1]
        for run in range(first, stop):
            if _is_cavity(labels, run, first):
                end = rows[run + 1] if run + 1 < stop else n_y
                cavity[column] += end - rows[run]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _find_voids(t_begins, t_rows, t_labels, begins, rows, labels, n_y, swelling, depth):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        t_first, t_stop = t_begins[column], t_begins[column + 1]
        first, stop = begins[column], begins[column + 1]
        for t_run in range(t_first, t_stop):
            if not _is_cavity(t_labels, t_run, t_first):
                continue
            t_end = t_rows[t_run + 1] if t_run + 1 < t_stop else n_y
            low, high = t_rows[t_run] + swelling[column], t_end + swelling[column]
            depth[column] += high - low
            for run in range(first, stop):
                if labels[run] == _REDEPOSITED:
                    end = rows[run + 1] if run + 1 < stop else n_y
                    depth[column] -= max(min(high, float(end)) - max(low, float(rows[run])), 0.0)
