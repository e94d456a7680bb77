"""Find a face along y in many profiles: normalised correlation, then Gauss-Newton steps."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatStack

Profiles = NDArray[np.float64]

_STEPS = 6
_LARGEST_STEP_PX = 0.5
_BACKGROUND_DEGREE = 1  # truncation and beam hardening lay slopes over a scan
_FLAT = 1.0e-3
_FAINT = 0.7  # of the contrast that the face had
_TINY = 1.0e-30


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTemplate:
    """What the grey values look like across a face.

    Parameters
    ----------
    values
        Grey values at successive voxels along y, shape (n,), float32.
    face
        Where in them the face lies, from the first value, to a fraction.
    """

    values: NDArray[np.float32]
    face: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Where a template fits into profiles.

    Parameters
    ----------
    face_px
        Place of the face in each profile, from its first value, to a fraction; shape of the
        profiles without their last axis, float64.
    correlation
        Of the profile with the template there, -1 to 1.
    """

    face_px: Profiles
    correlation: Profiles


def match_faces(
    profiles: FloatStack,
    template: FaceTemplate,
    *,
    near_px: Profiles | float | None = None,
    reach_px: float | None = None,
) -> Matches:
    """Find a face in each profile.

    The best place to a voxel is that of the largest normalised correlation, taken down where the
    contrast is fainter than that of the template. Gauss-Newton steps on shift, gain and offset
    then find the fraction, so that a scan with another grey scale gives the same place.

    Parameters
    ----------
    profiles
        Grey values along y, shape (..., n_y).
    template
        What to look for, shorter than the profiles.
    near_px, reach_px
        Where the face is looked for and how far from there, voxels from the first value of a
        profile; everywhere by default.

    Returns
    -------
    Matches
        Place and correlation for each profile.

    Raises
    ------
    ParameterError
        If the template is longer than the profiles, or nothing is left to look at.
    """
    n = len(template.values)
    if profiles.shape[-1] < n + 2:
        raise ParameterError(
            f"profiles of {profiles.shape[-1]} voxels given for a template of {n}; "
            "look at more of the cell across the planes"
        )
    flat = profiles.reshape(-1, profiles.shape[-1]).astype(np.float64)
    score = _correlations(flat, template.values.astype(np.float64))
    if near_px is not None and reach_px is not None:
        lags = np.arange(score.shape[1])
        wanted = np.broadcast_to(near_px, profiles.shape[:-1]).reshape(-1) - template.face
        score = np.where(np.abs(lags - wanted[:, None]) <= reach_px, score, -2.0)
        if (score.max(axis=1) < -1.5).any():
            raise ParameterError("a face is looked for outside its profile; read more along y")
    start = score.argmax(axis=1).astype(np.float64)
    lag, correlation = _refine(flat, template.values.astype(np.float64), start)
    shape = profiles.shape[:-1]
    return Matches(
        face_px=(lag + template.face).reshape(shape), correlation=correlation.reshape(shape)
    )


def make_template(
    profiles: FloatStack, *, face_px: float, half_px: int, rounds: int = 3
) -> FaceTemplate:
    """Average the profiles around their face, each moved to where it fits best.

    Parameters
    ----------
    profiles
        Grey values along y, shape (..., n_y).
    face_px
        Where the face lies in their mean, from the first value.
    half_px
        Voxels on either side of the face.
    rounds
        Times that profiles are moved and averaged anew.

    Returns
    -------
    FaceTemplate
        Of ``2 half_px + 1`` values; its face is where the mean profile is steepest.
    """
    flat = profiles.reshape(-1, profiles.shape[-1]).astype(np.float64)
    last = flat.shape[1] - 2 * half_px - 1
    start = int(np.clip(round(face_px) - half_px, 0, max(last, 0)))
    values = flat[:, start : start + 2 * half_px + 1].mean(axis=0)
    for _ in range(rounds):
        lag, correlation = _refine(flat, values, np.full(len(flat), float(start)))
        good = correlation >= np.median(correlation)
        moved = _sampled(flat[good], lag[good] - np.mean(lag[good] - start), len(values))
        values = moved.mean(axis=0)
    return FaceTemplate(values=values.astype(np.float32), face=_steepest(values, face_px - start))


def _steepest(values: Profiles, near: float) -> float:
    """Place of the largest slope around a place, to a fraction: vertex of a parabola."""
    slope = np.abs(np.gradient(values))
    low, high = max(1, round(near) - 3), min(len(values) - 2, round(near) + 3)
    peak = low + int(np.argmax(slope[low : high + 1]))
    before, at, after = slope[peak - 1 : peak + 2]
    curvature = min(before - 2.0 * at + after, -_TINY)
    return float(peak + np.clip(0.5 * (before - after) / curvature, -0.5, 0.5))


def _correlations(profiles: Profiles, values: Profiles) -> Profiles:
    """Normalised correlation with the template at each whole lag, shape (n_profiles, n_lags).

    It is taken down where the profile is fainter than the template.
    """
    centred = values - values.mean()
    windows = sliding_window_view(profiles, len(values), axis=1)
    shared = windows @ centred
    spread = windows.var(axis=2) * len(values)
    # Where nothing changes, rounding alone would correlate with anything.
    spread = np.maximum(spread, _FLAT * spread.max(axis=1, keepdims=True))
    power = max(float(centred @ centred), _TINY)
    score: Profiles = shared / np.sqrt(np.maximum(spread * power, _TINY))
    # Beyond the cell truncation alone has edges of the right shape, but they are faint. A scan
    # with a smaller grey scale is fainter everywhere.
    gain = shared / power
    usual = np.clip(gain.max(axis=1, keepdims=True), _TINY, 1.0)
    return score * np.clip(gain / (_FAINT * usual), 0.0, 1.0)


def _refine(profiles: Profiles, values: Profiles, start: Profiles) -> tuple[Profiles, Profiles]:
    """Move each lag to the least squares of shift, gain and offset; give lag and correlation."""
    n = len(values)
    centred = values - values.mean()
    power = max(float(centred @ centred), _TINY)
    slope = _free_of(np.gradient(values), values)
    steepness = max(float(slope @ slope), _TINY)
    highest = profiles.shape[1] - n - 1.0
    lag = start.copy()
    for _ in range(_STEPS):
        seen = _sampled(profiles, lag, n)
        gain = seen @ centred / power
        gain = np.where(np.abs(gain) < 1e-3, 1e-3, gain)
        step = -(seen @ slope) / (gain * steepness)
        lag = lag + np.clip(step, -_LARGEST_STEP_PX, _LARGEST_STEP_PX)
        lag = np.clip(lag, np.maximum(start - 1.5, 0.0), np.minimum(start + 1.5, highest))
    seen = _sampled(profiles, lag, n)
    seen = seen - seen.mean(axis=1, keepdims=True)
    spread = (seen**2).sum(axis=1)
    return lag, seen @ centred / np.sqrt(np.maximum(spread * power, _TINY))


def _free_of(slope: Profiles, values: Profiles) -> Profiles:
    """Take from a change what a gain or a smooth background would explain."""
    along = np.linspace(-1.0, 1.0, len(values))
    known = np.stack([values, *(along**power for power in range(_BACKGROUND_DEGREE + 1))], axis=1)
    basis, _ = np.linalg.qr(known)
    rest: Profiles = slope - basis @ (basis.T @ slope)
    return rest


def _sampled(profiles: Profiles, lag: Profiles, n: int) -> Profiles:
    """Values of each profile from a fractional place on, by cubic convolution (Keys 1981)."""
    first = np.floor(lag).astype(np.intp)
    f = (lag - first)[:, None]
    weights = (
        ((-0.5 * f + 1.0) * f - 0.5) * f,
        (1.5 * f - 2.5) * f * f + 1.0,
        ((-1.5 * f + 2.0) * f + 0.5) * f,
        (0.5 * f - 0.5) * f * f,
    )
    place = first[:, None] + np.arange(n)
    top = profiles.shape[1] - 1
    out: Profiles = np.zeros((len(profiles), n))
    for offset, weight in enumerate(weights):
        index = np.clip(place + offset - 1, 0, top)
        out += weight * np.take_along_axis(profiles, index, axis=1)
    return out
