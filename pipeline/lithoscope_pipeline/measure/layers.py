"""Distances between the faces of the layers: electrolyte, electrode gap, whole stack."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.measure.columns import Faces
from lithoscope_pipeline.metric import Metric, measured, not_measured


def measure_layers(faces: Faces, *, voxel_um: float) -> dict[str, Metric]:
    """Measure the distances between faces, each a mean over the in-plane pixels that show both.

    Parameters
    ----------
    faces
        Of a volume whose y rises from the stripping to the plating side.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    dict
        ``electrolyte_thickness_um``: what lies between facing lithium and is neither lithium nor
        void; ``electrode_gap_um``: between the electrodes' own facing surfaces, deposits
        excluded; ``stack_thickness_um``: between their outer faces.

    Notes
    -----
    Label volumes from elsewhere may leave the electrolyte as background: inside the stack both
    mean the same.
    """
    shows_both = (faces.stripping_outer >= 0) & (faces.plating_outer >= 0)
    n_pixels = int(shows_both.sum())
    distances_px: dict[str, NDArray[np.int32]] = {
        "electrolyte_thickness_um": faces.n_electrolyte,
        "electrode_gap_um": faces.plating_inner - faces.stripping_inner - 1,
        "stack_thickness_um": faces.plating_outer - faces.stripping_outer + 1,
    }
    if n_pixels == 0:
        return {name: not_measured("um", "one_electrode_missing") for name in distances_px}
    return {
        name: measured(float(px[shows_both].mean()) * voxel_um, "um", voxels=n_pixels)
        for name, px in distances_px.items()
    }
