"""Counts of a scan to line integrals, all steps in their order."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct.beam import EigenBeam
from lithoscope_pipeline.correct.correction import Correction, CountStack, Flats
from lithoscope_pipeline.correct.frames import FrameCorrector, HaloRows
from lithoscope_pipeline.correct.rings import remove_rings
from lithoscope_pipeline.geometry import FloatStack

AS_IT_IS = Correction()


def correct(
    projections: CountStack,
    flats: Flats,
    darks: CountStack,
    *,
    correction: Correction = AS_IT_IS,
    indices: NDArray[np.intp] | None = None,
    eigen_beam: EigenBeam | None = None,
    halo_rows: HaloRows = (0, 0),
) -> FloatStack:
    """Turn the counts of some rows of a scan into line integrals.

    Dark and beam, dead pixels, direct hits, minus log, rings and phase retrieval, in this order.
    Up to phase retrieval rows do not influence each other: however a scan is cut into slabs, each
    row has the same bytes. With a causal correction neither do projections.

    Parameters
    ----------
    projections
        Counts, shape (n_angles, n_rows, n_columns), finite where pixels are live.
    flats
        Counts for the same rows: one stack, taken before the projections, or sets with their
        positions.
    darks
        Counts for the same rows, shape (n_frames, n_rows, n_columns) or averaged.
    correction
        What is done.
    indices
        Numbers of the projections in the order of acquisition, shape (n_angles,), which
        interpolation between flats needs if some are missing; 0, 1, 2 and so on by default.
    eigen_beam
        From `fit_eigen_beam`, where flats are ``eigen``.
    halo_rows
        First and last rows that only serve the phase retrieval of the others and are left out.

    Returns
    -------
    FloatStack
        Dimensionless, shape (n_angles, n_rows - halo, n_columns), finite.

    Raises
    ------
    ShapeError
        If the frames of the three stacks differ in shape, or a stack is empty.
    NonFiniteError
        If a live pixel of ``projections`` is not finite.
    ParameterError
        If the correction asks for what is not given.
    """
    corrector = FrameCorrector.make(flats, darks, correction, eigen_beam=eigen_beam)
    attenuation = corrector.attenuation(projections, indices=indices)
    attenuation = remove_rings(attenuation, method=correction.rings, out=attenuation)
    return corrector.finish(attenuation, halo_rows=halo_rows)
