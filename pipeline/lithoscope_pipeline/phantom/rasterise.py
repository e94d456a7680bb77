"""Draw surfaces, pieces of columns and spheres into slices, with partly filled samples."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.phantom.bodies import Segments
from lithoscope_pipeline.phantom.texture import Map, seeded

FloatSlice = NDArray[np.float32] | NDArray[np.complex64]

_GRAIN_STREAM: Final = 35
_GRAIN_SAMPLES: Final = 96  # after which the texture repeats, in every direction
_SAMPLES_PER_LENGTH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """Fine texture of a porous body: zero mean, unit variance, fixed in its body.

    Parameters
    ----------
    block
        One period, shape (n, n, n), (z, y, x), float32.
    step_um
        Distance of its samples.
    strength
        Standard deviation, as a share of the contrast of the body.
    """

    block: NDArray[np.float32]
    step_um: float
    strength: float

    @classmethod
    def make(cls, seed: int, *, strength: float, correlation_um: float) -> "Grain | None":
        """Return the texture of a seed, None where its strength or length is 0."""
        if strength == 0 or correlation_um == 0:
            return None
        return cls(
            block=_block(seed), step_um=correlation_um / _SAMPLES_PER_LENGTH, strength=strength
        )

    def index(self, places_um: Map) -> NDArray[np.intp]:
        """Return the sample of the block at places along one axis."""
        return np.floor(places_um / self.step_um).astype(np.intp) % _GRAIN_SAMPLES

    def factor(
        self, z: NDArray[np.intp], y: NDArray[np.intp], x: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return what the contrast is multiplied by at samples of the block."""
        return 1.0 + np.float32(self.strength) * self.block[z, y, x]


@lru_cache(maxsize=4)
def _block(seed: int) -> NDArray[np.float32]:
    white = seeded(seed, _GRAIN_STREAM).standard_normal((_GRAIN_SAMPLES,) * 3, np.float32)
    smooth = ndimage.gaussian_filter(white, _SAMPLES_PER_LENGTH / 2.0, mode="wrap")
    smooth -= smooth.mean()
    return np.asarray(smooth / smooth.std(), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrainPlaces:
    """Where the samples of one line lie in a grain: indices along y, and along z and x."""

    grain: Grain
    z: NDArray[np.intp]
    y: NDArray[np.intp]
    x: NDArray[np.intp]


def add_band(
    out: FloatSlice,
    low_um: Map,
    high_um: Map,
    y_um: Map,
    value: complex,
    grain: GrainPlaces | None = None,
) -> None:
    """Add ``value`` times the share of each sample that lies between two surfaces.

    Parameters
    ----------
    out
        Slice to add to, shape (n_y, n_x).
    low_um, high_um
        The surfaces, shape (n_x,); where the first is above the second, it is taken away.
    y_um
        Middle of each sample, shape (n_y,), equally spaced.
    value
        Its real part alone is added to a real slice.
    grain
        Texture of what is added.
    """
    low, high = _in_samples(low_um, y_um), _in_samples(high_um, y_um)
    first = max(0, int(min(low.min(), high.min())))
    last = min(len(y_um), int(max(low.max(), high.max())) + 1)
    if first >= last:
        return
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    share = np.clip(high - rows, 0.0, 1.0) - np.clip(low - rows, 0.0, 1.0)
    if grain is not None:
        share *= grain.grain.factor(grain.z, grain.y[first:last, None], grain.x)
    out[first:last] += _like(out, value) * share


def add_segments(
    slices: NDArray[np.float32] | NDArray[np.complex64],
    segments: Segments,
    face_um: Map,
    y_um: Map,
    value: complex,
    grains: list[GrainPlaces] | None = None,
) -> None:
    """Add pieces of columns to the slices of their lines.

    Parameters
    ----------
    slices
        Shape (n_lines / n, n_y, n_x) for ``n`` lines a slice, one after the other.
    segments
        Pieces in heights that count down from ``face_um``, of shape (n_lines, n_x).
    face_um
        Place of height 0 along y, same shape.
    y_um
        Middle of each sample, shape (n_y,), equally spaced.
    value
        What a full sample gets.
    grains
        Texture of each line.
    """
    face = face_um.ravel()[segments.column]
    low, high = (_in_samples(face - ends, y_um) for ends in (segments.high_um, segments.low_um))
    first = np.maximum(np.floor(low), 0).astype(np.intp)
    last = np.minimum(np.ceil(high), y_um.size).astype(np.intp)
    counts = np.maximum(last - first, 0)
    if not counts.any():
        return
    starts = np.cumsum(counts) - counts
    rows = np.arange(int(counts.sum())) - np.repeat(starts - first, counts)
    share = np.clip(np.repeat(high, counts) - rows, 0.0, 1.0)
    share -= np.clip(np.repeat(low, counts) - rows, 0.0, 1.0)
    lines, x = np.divmod(np.repeat(segments.column, counts), segments.shape[1])
    if grains is not None:
        z = np.stack([places.z for places in grains])[lines, x]
        share *= grains[0].grain.factor(z, grains[0].y[rows], grains[0].x[x])
    per_slice = segments.shape[0] // len(slices)
    np.add.at(slices, (lines // per_slice, rows, x), _like(slices, value) * share)


def add_sphere(
    out: FloatSlice,
    *,
    y_um: Map,
    x_um: Map,
    centre_um: tuple[float, float],
    aside_um: float,
    radius_um: float,
    value: complex,
) -> None:
    """Add the cut through a sphere whose centre (y, x) lies ``aside_um`` from the slice."""
    step_um = y_um[1] - y_um[0]
    reach_um = radius_um + step_um
    rows, columns = (
        slice(*np.searchsorted(places, (middle - reach_um, middle + reach_um)))
        for places, middle in zip((y_um, x_um), centre_um, strict=True)
    )
    square = (y_um[rows] - centre_um[0])[:, None] ** 2 + (x_um[columns] - centre_um[1]) ** 2
    distance_um = np.sqrt(square + aside_um**2)
    share = np.clip((radius_um - distance_um) / step_um + 0.5, 0.0, 1.0).astype(np.float32)
    out[rows, columns] += _like(out, value) * share


def _in_samples(places_um: Map, y_um: Map) -> NDArray[np.float32]:
    """Return places in samples from the lower edge of the first one."""
    step_um = y_um[1] - y_um[0]
    return ((places_um - y_um[0]) / step_um + 0.5).astype(np.float32)


def _like(out: FloatSlice, value: complex) -> np.float32 | np.complex64:
    """Return a value in the type of a slice, the real part for a real one."""
    value = complex(value)
    return np.complex64(value) if np.iscomplexobj(out) else np.float32(value.real)
