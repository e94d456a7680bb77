"""Exact projections: layers in closed form, texture through the Fourier slice theorem.

A layered body of infinite height is cut by a detector row in parallelograms. The projection of
one is a sum of ramps, one for each corner, so that the mean over a pixel is known in closed form
at any angle and any tilt. What differs from flat layers is sampled on a grid finer than the
detector, and its projections are taken from its Fourier transform along lines through the origin
[1]_, found by a non-uniform FFT [2]_.

The sample turns while a frame is exposed. A wide plate seen edge-on is sharp only within a
milliradian, far less than the step between angles: without that blur its edges would ring.

References
----------
.. [1] F. Natterer, The Mathematics of Computerized Tomography, theorem II.1.1 (1986).
.. [2] A. H. Barnett et al., SIAM J. Sci. Comput. 41, C479 (2019). doi:10.1137/18M120885X
"""

from dataclasses import dataclass
from typing import Final

import finufft
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.geometry import FloatStack, FloatVolume
from lithoscope_pipeline.phantom.drift import RigidDrift

Array = NDArray[np.floating]

FINE: Final = 2  # samples of the object a detector pixel
_TOLERANCE: Final = 1e-4
_SMALLEST_SLOPE: Final = 2e-6  # radians; edges nearer to the beam are turned by as much
_SLICES_PER_BATCH: Final = 16
_NEAR_EDGE: Final = 0.5  # cosine of the angle to the beam below which a plate's ends are seen
# Two points of Gauss are exact for what is cubic in the angle within one exposure.
_GAUSS_POINTS: Final = (-0.5 / 3.0**0.5, 0.5 / 3.0**0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the detector sees: columns, angles, and where the cell stands in the scan.

    Parameters
    ----------
    n_columns
        Detector columns.
    rotation_axis_px
        Column of the rotation axis.
    thetas_rad
        Angle in the middle of each exposure, shape (n_angles,).
    exposure_rad
        Angle that the sample turns by during an exposure.
    drift
        Where the scan finds the cell.
    """

    n_columns: int
    rotation_axis_px: float
    thetas_rad: Array
    exposure_rad: float
    drift: RigidDrift

    @property
    def in_plane(self) -> Array:
        """Matrix from in-plane cell coordinates (x, y) to the scan's, at a fixed row."""
        r = self.drift.matrix
        return np.asarray(r[:2, :2] - np.outer(r[:2, 2], r[2, :2]) / r[2, 2])

    def origins_px(self, heights_px: Array) -> Array:
        """Return where the cell's axis crosses rows at these scan heights, shape (n_rows, 2)."""
        r, shift = self.drift.matrix, self.drift.shift_xyz_px
        return np.outer(heights_px - shift[2], r[:2, 2] / r[2, 2]) + shift[:2]

    def slopes(self, thetas_rad: Array) -> Array:
        """Return the detector coordinate per cell coordinate (x, y), shape (n_angles, 2)."""
        return _directions(thetas_rad) @ self.in_plane

    def offsets_px(self, thetas_rad: Array, heights_px: Array) -> Array:
        """Return the detector column of the cell's axis, shape (n_angles, n_rows)."""
        origins = self.origins_px(heights_px).T
        return _directions(thetas_rad) @ origins + self.rotation_axis_px


def _directions(thetas_rad: Array) -> Array:
    return np.stack([np.cos(thetas_rad), np.sin(thetas_rad)], axis=1)


def project_layers(
    planes_px: Array, steps: Array, half_width_px: float, view: View, heights_px: Array
) -> FloatStack:
    """Project flat layers of finite width, averaged over each pixel, in closed form.

    Parameters
    ----------
    planes_px
        Planes between the layers, along y from the rotation axis, shape (n_planes,).
    steps
        What the attenuation rises by at each plane, shape (n_planes,), of sum zero.
    half_width_px
        The layers end at plus and minus this x.
    view
        Columns, angles and drift.
    heights_px
        Height of each row above the centre of the volume, shape (n_rows,).

    Returns
    -------
    FloatStack
        Attenuation times voxels, shape (n_angles, n_rows, n_columns), float32.

    Notes
    -----
    With ``p`` and ``q`` the slopes of the detector coordinate along x and y and ``J`` the area
    of the parallelogram that unit vectors span, a corner at ``s`` of the step ``c`` adds
    ``+-c J / (p q) max(t - s, 0)`` to the projection at ``t``.
    """
    corners_px = np.array([(x, y) for x in (-half_width_px, half_width_px) for y in planes_px])
    weights = np.concatenate([steps, -np.asarray(steps)])
    area = abs(np.linalg.det(view.in_plane))
    turning_px = 2.0 * half_width_px * view.exposure_rad
    out = np.empty((len(view.thetas_rad), len(heights_px), view.n_columns), np.float32)
    for angle, theta_rad in enumerate(view.thetas_rad):
        # The ends of the layers sweep over the view only near edge-on: fine steps there.
        is_sweeping = abs(view.in_plane[:, 0] @ _directions(np.array([theta_rad]))[0]) < _NEAR_EDGE
        n_steps = max(2, int(np.ceil(turning_px))) if is_sweeping else 2
        n_steps = n_steps if view.exposure_rad > 0 else 1
        turned = (np.arange(n_steps) + 0.5) / n_steps - 0.5
        thetas_rad = theta_rad + view.exposure_rad * turned
        slopes = view.slopes(thetas_rad)
        slopes = np.where(np.abs(slopes) < _SMALLEST_SLOPE, _SMALLEST_SLOPE, slopes)
        gains = area / (slopes[:, 0] * slopes[:, 1] * n_steps)
        offsets = view.offsets_px(thetas_rad, heights_px)
        ramps = [
            _mean_of_ramps(corners_px @ slope, gain * weights, offset, view.n_columns)
            for slope, gain, offset in zip(slopes, gains, offsets, strict=True)
        ]
        out[angle] = sum(ramps)
    return out


def _mean_of_ramps(places: Array, weights: Array, offsets: Array, n_columns: int) -> Array:
    """Sum ``weight * max(t - place, 0)``, averaged over pixels: (row, column)."""
    # Rows differ only by where the cell's axis meets the detector.
    edges = np.arange(n_columns + 1) - 0.5 - offsets[:, None]
    low, high = edges[:, 0].min(), edges[:, -1].max()
    is_below = places <= low
    total = float(weights[is_below].sum())
    moment = float((weights * places)[is_below].sum())
    out = total * (edges[:, :-1] + 0.5) - moment
    for place, weight in zip(places, weights, strict=True):
        if low < place < high:
            risen = np.maximum(edges - place, 0.0)
            out += (0.5 * weight) * np.diff(risen * risen, axis=1)
    return np.asarray(out)


def project_slices(slices: FloatVolume, view: View, heights_px: Array) -> FloatStack:
    """Project slices of the object, averaged over each pixel, through the Fourier transform.

    Parameters
    ----------
    slices
        Attenuation in the cell's own coordinates, shape (n_rows, n_y, n_x), float32, sampled
        ``FINE`` times a pixel; the rotation axis is at index ``(n_y // 2, n_x // 2)``.
    view
        Columns, angles and drift.
    heights_px
        Height of each row above the centre of the volume, shape (n_rows,).

    Returns
    -------
    FloatStack
        Attenuation times voxels, shape (n_angles, n_rows, n_columns), float32.

    Notes
    -----
    Exact for the band-limited object that the samples describe: up to the tolerance of the
    non-uniform FFT (1e-4 of the norm), drift costs nothing.
    """
    n_rows, n_y, n_x = slices.shape
    # The projection is periodic: its copies must stay out of the view.
    reach_px = np.hypot(n_y, n_x) / FINE / 2.0 + view.n_columns / 2.0
    period = fft.next_fast_len(int(reach_px * 1.02) + 8 + view.n_columns // 8, real=True)
    frequencies = np.fft.fftfreq(FINE * period, 1.0 / FINE)
    half = np.fft.rfftfreq(FINE * period, 1.0 / FINE)
    parts = _GAUSS_POINTS if view.exposure_rad > 0 else (0.0,)
    thetas_rad = np.concatenate([view.thetas_rad + view.exposure_rad * part for part in parts])
    plan = _plan((n_y, n_x), view.slopes(thetas_rad), frequencies)

    # Area of a sample, the pixel's aperture, the cell's own stretch.
    gain = np.sinc(half) / FINE * abs(np.linalg.det(view.in_plane)) / len(parts)
    offsets = view.offsets_px(thetas_rad, heights_px)
    out = np.empty((len(view.thetas_rad), n_rows, view.n_columns), np.float32)
    for first in range(0, n_rows, _SLICES_PER_BATCH):
        rows = range(first, min(first + _SLICES_PER_BATCH, n_rows))
        spectra = _spectra(plan, slices[rows.start : rows.stop], len(thetas_rad), len(frequencies))
        for row, spectrum in zip(rows, spectra, strict=True):
            turns = np.outer(offsets[:, row], half).astype(np.float32)
            shifted = spectrum * np.exp(np.complex64(-2j * np.pi) * turns)
            exposed = shifted.reshape(len(parts), -1, len(half)).sum(axis=0)
            exposed *= gain.astype(np.float32)
            lines = fft.irfft(exposed, n=FINE * period, axis=1, workers=1)
            out[:, row] = lines[:, : FINE * view.n_columns : FINE]
    return out


def _plan(shape: tuple[int, int], slopes: Array, frequencies: Array) -> finufft.Plan:
    """Prepare the transform from slices to the lines that the angles ask for."""
    turns = 2.0 * np.pi / FINE * frequencies
    # finufft folds its points into one period; float32 holds them to 1e-7 of it.
    points = [np.outer(slopes[:, axis], turns).ravel().astype(np.float32) for axis in (1, 0)]
    plan = finufft.Plan(
        2,
        shape,
        n_trans=_SLICES_PER_BATCH // 2,
        eps=_TOLERANCE,
        isign=-1,
        dtype="complex64",
        nthreads=1,
        upsampfac=1.25,
    )
    plan.setpts(*points)
    return plan


def _spectra(
    plan: finufft.Plan, slices: FloatVolume, n_angles: int, n_frequencies: int
) -> NDArray[np.complex64]:
    """Transform real slices, two at a time as one complex: (row, angle, frequency >= 0)."""
    n_rows, n_y, n_x = slices.shape
    packed = np.zeros((_SLICES_PER_BATCH // 2, n_y, n_x), np.complex64)
    packed.real[: (n_rows + 1) // 2] = slices[0::2]
    packed.imag[: n_rows // 2] = slices[1::2]
    lines = plan.execute(packed).reshape(-1, n_angles, n_frequencies)

    n_half = n_frequencies // 2 + 1
    positive = lines[..., :n_half]
    mirrored = np.conj(np.roll(lines[..., ::-1], 1, axis=-1)[..., :n_half])
    spectra = np.empty((_SLICES_PER_BATCH, n_angles, n_half), np.complex64)
    spectra[0::2] = (positive + mirrored) / 2
    spectra[1::2] = (positive - mirrored) / 2j
    return spectra[:n_rows]
