"""Detector counts to line integrals: dark and flat correction, dead pixels, minus log."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatStack

CountStack = NDArray[np.uint16] | FloatStack

# A 16-bit detector cannot show less than 1.5e-5; below 1e-4 a pixel says only "dark".
MIN_TRANSMISSION = 1.0e-4


def correct_flat_dark(projections: CountStack, flats: CountStack, darks: CountStack) -> FloatStack:
    """Turn counts into transmission.

    Darks and flats are averaged over their frames; each projection is referred to them pixel by
    pixel. A pixel whose flat does not exceed its dark saw nothing: it is filled linearly from its
    live neighbours in the same detector row, so that rows stay independent of each other.

    Parameters
    ----------
    projections
        Counts, shape (n_angles, n_rows, n_columns), finite.
    flats, darks
        Counts, shape (n_frames, n_rows, n_columns) or already averaged (n_rows, n_columns).
        A non-finite pixel counts as dead.

    Returns
    -------
    FloatStack
        Transmission, shape of ``projections``, dimensionless, finite; a row without any live
        pixel reads one (open beam).

    Raises
    ------
    ShapeError
        If the frames of the three stacks differ in shape, or a stack is empty.
    NonFiniteError
        If a live pixel of ``projections`` is not finite.
    """
    flat = _mean_frame(flats, "flats")
    dark = _mean_frame(darks, "darks")
    if projections.ndim != 3 or projections.shape[0] == 0:
        raise ShapeError(
            f"projections of shape {projections.shape} given, (angle, row, column) is needed"
        )
    if not projections.shape[1:] == flat.shape == dark.shape:
        raise ShapeError(
            f"projections have frames of {projections.shape[1:]}, flats of {flat.shape} and darks "
            f"of {dark.shape}; give all three for the same rows and columns"
        )

    beam = flat - dark
    is_dead = ~(np.isfinite(beam) & (beam > 0.0))
    scale = np.where(is_dead, 0.0, 1.0 / np.where(is_dead, 1.0, beam)).astype(np.float32)
    dark32 = np.where(is_dead, 0.0, dark).astype(np.float32)
    transmission = projections.astype(np.float32)
    transmission -= dark32
    transmission *= scale
    if is_dead.any():
        _fill_dead_pixels(transmission, is_dead)
    if not np.isfinite(transmission).all():
        raise NonFiniteError("projections hold NaN or infinity; check the frames of this scan")
    return transmission


def minus_log(
    transmission: FloatStack, *, min_transmission: float = MIN_TRANSMISSION
) -> FloatStack:
    """Turn transmission into line integrals of the attenuation coefficient.

    Noise and dark drift can bring transmission to zero or below; such pixels are read as
    ``min_transmission``, the darkest the detector can tell.

    Parameters
    ----------
    transmission
        Any shape, dimensionless, finite.
    min_transmission
        Smallest value used, above zero.

    Returns
    -------
    FloatStack
        ``-log(transmission)``, same shape, dimensionless, finite.

    Raises
    ------
    ParameterError
        If ``min_transmission`` is not above zero.
    NonFiniteError
        If ``transmission`` holds NaN or infinity.
    """
    if not min_transmission > 0.0:
        raise ParameterError(f"min_transmission is {min_transmission}, it must be above 0")
    if not np.isfinite(transmission).all():
        raise NonFiniteError("transmission holds NaN or infinity; correct flats and darks first")
    attenuation = np.maximum(transmission, np.float32(min_transmission))
    np.log(attenuation, out=attenuation)
    np.negative(attenuation, out=attenuation)
    return attenuation


def _mean_frame(frames: CountStack, name: str) -> NDArray[np.float64]:
    if frames.ndim == 2:
        return frames.astype(np.float64)
    if frames.ndim != 3 or frames.shape[0] == 0:
        raise ShapeError(
            f"{name} of shape {frames.shape} given, at least one frame (row, column) is needed"
        )
    mean: NDArray[np.float64] = frames.mean(axis=0, dtype=np.float64)
    return mean


def _fill_dead_pixels(transmission: FloatStack, is_dead: NDArray[np.bool_]) -> None:
    """Fill dead pixels in place, row by row, from the nearest live pixels on both sides."""
    for row in np.flatnonzero(is_dead.any(axis=1)):
        live = np.flatnonzero(~is_dead[row])
        dead = np.flatnonzero(is_dead[row])
        if live.size == 0:
            transmission[:, row] = 1.0
            continue
        right = np.clip(np.searchsorted(live, dead), 0, live.size - 1)
        left = np.clip(right - 1, 0, live.size - 1)
        left = np.where(live[right] < dead, right, left)
        span = np.maximum(live[right] - live[left], 1)
        weight = np.clip((dead - live[left]) / span, 0.0, 1.0).astype(np.float32)
        frame: FloatImage = transmission[:, row]
        frame[:, dead] = frame[:, live[left]] * (1 - weight) + frame[:, live[right]] * weight
