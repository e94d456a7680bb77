"""Distances between the faces of the layers: electrolyte, electrode gap, whole stack."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage, LabelVolume, MaskVolume
from lithoscope_pipeline.labels import PLATING_SIDE, STRIPPING_SIDE, Label
from lithoscope_pipeline.measure.metric import Metric, measured, not_measured


def measure_layers(labels: LabelVolume, *, voxel_um: float) -> dict[str, Metric]:
    """Measure the distances between faces, each a mean over the in-plane pixels that show both.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x); y rises from the stripping to the plating side.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    dict
        ``electrolyte_thickness_um``: what lies between facing lithium and is neither lithium nor
        void; ``electrode_gap_um``: between the electrodes' own facing surfaces, deposits
        excluded; ``stack_thickness_um``: between their outer faces.
    """
    stripping = labels == Label.STRIPPING_ELECTRODE
    plating = labels == Label.PLATING_ELECTRODE
    shows_both = stripping.any(axis=1) & plating.any(axis=1)
    n_pixels = int(shows_both.sum())
    if n_pixels == 0:
        reason = "one_electrode_missing"
        names = ("electrolyte_thickness_um", "electrode_gap_um", "stack_thickness_um")
        return {name: not_measured("um", reason) for name in names}

    gap_px = first_along_y(plating) - last_along_y(stripping) - 1
    stack_px = last_along_y(plating) - first_along_y(stripping) + 1
    electrolyte_px = between_facing_surfaces(labels).sum(axis=1)
    return {
        name: measured(float(px[shows_both].mean()) * voxel_um, "um", voxels=n_pixels)
        for name, px in (
            ("electrolyte_thickness_um", electrolyte_px),
            ("electrode_gap_um", gap_px),
            ("stack_thickness_um", stack_px),
        )
    }


def between_facing_surfaces(labels: LabelVolume) -> MaskVolume:
    """Mark what is neither lithium nor void between the electrodes' facing surfaces.

    Label volumes from elsewhere may leave the electrolyte as background: inside the stack both
    mean the same.
    """
    inside = np.isin(labels, (Label.ELECTROLYTE, Label.BACKGROUND, Label.PIT))
    rows = np.arange(labels.shape[1])[None, :, None]
    above = rows > first_along_y(np.isin(labels, STRIPPING_SIDE))[:, None, :]
    below = rows < last_along_y(np.isin(labels, PLATING_SIDE))[:, None, :]
    return inside & above & below


def surface_height_maps(labels: LabelVolume, *, voxel_um: float) -> dict[str, FloatImage]:
    """Give the height of each facing surface above y = 0, NaN where a column has none."""
    maps = {}
    for name, mask, face in (
        ("stripping_surface_um", np.isin(labels, STRIPPING_SIDE), last_along_y),
        ("plating_surface_um", np.isin(labels, (*PLATING_SIDE, Label.DENDRITE)), first_along_y),
    ):
        # The face lies half a voxel beyond the centre of the last voxel.
        half = 0.5 if face is last_along_y else -0.5
        height = (face(mask) + half) * voxel_um
        maps[name] = np.where(mask.any(axis=1), height, np.nan).astype(np.float32)
    return maps


def first_along_y(mask: MaskVolume) -> NDArray[np.intp]:
    """Give the first marked voxel along y; 0 where there is none."""
    return mask.argmax(axis=1)


def last_along_y(mask: MaskVolume) -> NDArray[np.intp]:
    """Give the last marked voxel along y; n - 1 where there is none."""
    return mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
