"""From counts to slices for a run of detector rows: the unit of work of the services."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct import (
    Correction,
    CountStack,
    EigenBeam,
    Flats,
    HaloRows,
    correct,
)
from lithoscope_pipeline.geometry import Angles, FloatVolume
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.protocol import Backend

_AS_IT_IS = Correction()


def reconstruct_slab(
    projections: CountStack,
    flats: Flats,
    darks: CountStack,
    thetas_rad: Angles,
    *,
    rotation_axis_px: float,
    voxel_um: float,
    size: int | None = None,
    backend: Backend | None = None,
    correction: Correction = _AS_IT_IS,
    indices: NDArray[np.intp] | None = None,
    eigen_beam: EigenBeam | None = None,
    halo_rows: HaloRows = (0, 0),
) -> FloatVolume:
    """Correct and reconstruct some rows of a scan.

    Without phase retrieval rows do not influence each other: however a scan is cut into slabs,
    each slice has the same bytes. With it they do within `PaganinFilter.reach_px`, by less the
    farther they are; slices of slabs that overlap by as much agree to 2 % of what differs beyond.

    Parameters
    ----------
    projections
        Counts, shape (n_angles, n_rows, n_columns).
    flats
        Counts for the same rows: one stack, taken before the projections, or sets with their
        positions.
    darks
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
    correction, indices, eigen_beam
        How counts become line integrals; see `correct`.
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
        Whatever ``correct`` and the backend refuse.
    """
    attenuation = correct(
        projections,
        flats,
        darks,
        correction=correction,
        indices=indices,
        eigen_beam=eigen_beam,
        halo_rows=halo_rows,
    )
    return (backend or FourierBackend()).reconstruct(
        attenuation,
        thetas_rad,
        rotation_axis_px=rotation_axis_px,
        voxel_um=voxel_um,
        size=size,
    )
