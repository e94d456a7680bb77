"""How high dendrites stand above the uniformly plated layer."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.measure.columns import Faces
from lithoscope_pipeline.measure.components import Pieces
from lithoscope_pipeline.measure.gaps import MIN_OBJECT_VOXELS
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.metric import Metric, measured
from lithoscope_pipeline.surface import plated_surface


def dendrite_heights_px(
    runs: LabelRuns, dendrites: Pieces, faces: Faces, *, voxel_um: float
) -> NDArray[np.float64]:
    """Give the height of each dendrite above the plated surface around its highest column.

    Parameters
    ----------
    runs
        Final labels; y rises towards the plating side.
    dendrites
        Their 26-connected dendrites.
    faces
        Their faces.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    NDArray
        Voxels, not negative, shape (n_dendrites + 1,). The surface is the mode of the lithium's
        height around a column, as in `lithoscope_pipeline.surface`.
    """
    heights = np.zeros(dendrites.n + 1)
    if not dendrites.n:
        return heights
    n_y = runs.shape[1]
    lithium_px = np.where(faces.plating_surface >= 0, n_y - faces.plating_surface, 0)
    surface = plated_surface((lithium_px * voxel_um).astype(np.float32), voxel_um)
    mode_px = surface.mode_um.ravel() / voxel_um

    columns = np.searchsorted(runs.begins, dendrites.run, side="right") - 1
    above = n_y - runs.rows[dendrites.run].astype(np.float64) - mode_px[columns]
    np.maximum.at(heights, dendrites.number, above)
    return heights


def measure_tip(dendrites: Pieces, heights_px: NDArray[np.float64], *, voxel_um: float) -> Metric:
    """Measure the highest dendrite of at least 27 voxels; 0 when there is none."""
    is_large = dendrites.voxels >= MIN_OBJECT_VOXELS
    is_large[0] = False
    if not is_large.any():
        return measured(0.0, "um")
    highest = int(np.argmax(np.where(is_large, heights_px, -1.0)))
    return measured(
        float(heights_px[highest]) * voxel_um, "um", voxels=int(dendrites.voxels[highest])
    )
