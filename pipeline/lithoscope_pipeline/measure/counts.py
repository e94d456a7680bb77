"""Volumes, thicknesses, coverage: what follows from counting labelled voxels."""

from collections.abc import Collection, Mapping

import numpy as np

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import LITHIUM, PLATING_SIDE, STRIPPING_SIDE, Label
from lithoscope_pipeline.measure.columns import ColumnCounts
from lithoscope_pipeline.metric import Metric, measured, not_measured

COUNTED = (*LITHIUM, Label.PIT, Label.VOID)

# Lin et al. 2015: under about 8 voxels an object is not measured, under about 260 the error of
# its volume passes 10 %.
MIN_VOXELS = 8
SMALL_VOXELS = 260


def thickness_maps(counts: ColumnCounts, *, voxel_um: float) -> dict[str, FloatImage]:
    """Give the thickness of each class along y, in-plane (z, x), micrometres."""
    return {
        f"{label.key}_thickness_um": (counts.columns[label] * voxel_um).astype(np.float32)
        for label in Label
        if label is not Label.BACKGROUND
    }


def measure_counts(
    counts: ColumnCounts, *, voxel_um: float, unsegmented: Collection[Label] = ()
) -> dict[str, Metric]:
    """Measure volume, thickness, coverage and occupied fraction of each class and side.

    Parameters
    ----------
    counts
        Counts of a label volume.
    voxel_um
        Edge of a voxel, micrometres.
    unsegmented
        Classes that the segmentation does not tell apart: their metrics have no value.

    Returns
    -------
    dict
        Metrics by their names.
    """
    metrics: dict[str, Metric] = {}
    for label in COUNTED:
        metrics |= (
            _unsegmented(label)
            if label in unsegmented
            else _measure_class(counts, label, voxel_um=voxel_um)
        )
    for side, labels in (("plating", PLATING_SIDE), ("stripping", STRIPPING_SIDE)):
        voxels = counts.total(*labels)
        metrics[f"{side}_side_thickness_um"] = measured(
            voxels / counts.n_pixels * voxel_um, "um", voxels=voxels
        )
    lithium = counts.total(*LITHIUM)
    metrics["li_total_volume_um3"] = measured(lithium * voxel_um**3, "um3", voxels=lithium)
    return metrics


def conservation_residual(
    metrics: Mapping[str, Metric], first_scan: Mapping[str, Metric] | None
) -> Metric:
    """Give the lithium that appeared since scan 0: nothing, if all is seen and segmented well."""
    now = metrics["li_total_volume_um3"]
    if first_scan is None or now.value is None:
        return not_measured("um3", "no_reference_scan")
    then = first_scan["li_total_volume_um3"].value
    if then is None:
        return not_measured("um3", "no_reference_scan")
    return measured(now.value - then, "um3", voxels=now.voxels)


def _measure_class(counts: ColumnCounts, label: Label, *, voxel_um: float) -> dict[str, Metric]:
    voxels = counts.total(label)
    covered = int(np.count_nonzero(counts.columns[label]))
    flags = _size_flags(voxels)
    return {
        f"{label.key}_volume_um3": measured(
            voxels * voxel_um**3, "um3", voxels=voxels, flags=flags
        ),
        f"{label.key}_thickness_um": measured(
            voxels / counts.n_pixels * voxel_um, "um", voxels=voxels, flags=flags
        ),
        f"{label.key}_coverage": measured(
            covered / counts.n_pixels, "1", voxels=covered, flags=flags
        ),
        f"{label.key}_occupied_fraction": measured(
            voxels / (counts.n_pixels * counts.n_y), "1", voxels=voxels, flags=flags
        ),
    }


def _unsegmented(label: Label) -> dict[str, Metric]:
    units = {"volume_um3": "um3", "thickness_um": "um", "coverage": "1", "occupied_fraction": "1"}
    return {
        f"{label.key}_{name}": not_measured(unit, "class_not_segmented")
        for name, unit in units.items()
    }


def _size_flags(voxels: int) -> tuple[str, ...]:
    if 0 < voxels < MIN_VOXELS:
        return ("below_measurable_size",)
    if 0 < voxels < SMALL_VOXELS:
        return ("small_object_error",)
    return ()
