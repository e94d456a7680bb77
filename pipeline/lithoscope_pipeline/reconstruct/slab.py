"""From counts to slices for a run of detector rows: the unit of work of the services."""

from lithoscope_pipeline.geometry import Angles, FloatVolume
from lithoscope_pipeline.normalise import CountStack, correct_flat_dark, minus_log
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.protocol import Backend


def reconstruct_slab(
    projections: CountStack,
    flats: CountStack,
    darks: CountStack,
    thetas_rad: Angles,
    *,
    rotation_axis_px: float,
    voxel_um: float,
    size: int | None = None,
    backend: Backend | None = None,
) -> FloatVolume:
    """Correct and reconstruct some rows of a scan.

    Rows do not influence each other: however a scan is cut into slabs, each slice has the same
    bytes.

    Parameters
    ----------
    projections
        Counts, shape (n_angles, n_rows, n_columns).
    flats, darks
        Counts for the same rows, shape (n_frames, n_rows, n_columns) or averaged.
    thetas_rad
        Angle of each projection, shape (n_angles,).
    rotation_axis_px
        Detector column of the rotation axis.
    voxel_um
        Edge of a voxel.
    size
        Edge of a slice in voxels; the number of columns by default.
    backend
        Reconstruction method; ``FourierBackend()`` by default.

    Returns
    -------
    FloatVolume
        Linear attenuation coefficient in 1/cm, shape (n_rows, size, size), axes (z, y, x).

    Raises
    ------
    PipelineError
        Whatever ``correct_flat_dark`` and the backend refuse.
    """
    attenuation = minus_log(correct_flat_dark(projections, flats, darks))
    return (backend or FourierBackend()).reconstruct(
        attenuation,
        thetas_rad,
        rotation_axis_px=rotation_axis_px,
        voxel_um=voxel_um,
        size=size,
    )
