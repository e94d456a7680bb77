"""From counts to slices for a run of detector rows: the unit of work of the services."""

from lithoscope_pipeline.geometry import Angles, FloatVolume
from lithoscope_pipeline.normalise import CountStack, correct_flat_dark, minus_log
from lithoscope_pipeline.phase_retrieval import PaganinFilter, retrieve_phase
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
    phase: PaganinFilter | None = None,
    halo_rows: tuple[int, int] = (0, 0),
) -> FloatVolume:
    """Correct and reconstruct some rows of a scan.

    Without phase retrieval rows do not influence each other: however a scan is cut into slabs,
    each slice has the same bytes. With it they do within `PaganinFilter.reach_px`, by less the
    farther they are; slices of slabs that overlap by as much agree to 2 % of what differs beyond.

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
    phase
        How to take back the fringes of phase contrast; None leaves them.
    halo_rows
        First and last rows that only serve the phase retrieval of the others: so many are not
        reconstructed.

    Returns
    -------
    FloatVolume
        Linear attenuation coefficient in 1/cm, shape (n_rows - halo, size, size), axes
        (z, y, x).

    Raises
    ------
    PipelineError
        Whatever ``correct_flat_dark`` and the backend refuse.
    """
    attenuation = minus_log(correct_flat_dark(projections, flats, darks))
    if phase is not None:
        attenuation = retrieve_phase(attenuation, phase)
    before, after = halo_rows
    attenuation = attenuation[:, before : attenuation.shape[1] - after]
    return (backend or FourierBackend()).reconstruct(
        attenuation,
        thetas_rad,
        rotation_axis_px=rotation_axis_px,
        voxel_um=voxel_um,
        size=size,
    )
