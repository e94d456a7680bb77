"""Changes of a patch that leave its labels true: what another cell, beam or day would do to it.

Never a flip along y, which would swap the sides of the cell.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import FloatStack, LabelVolume
from lithoscope_pipeline.labels import UNLABELLED

Labels = NDArray[np.uint8]
_ELASTIC_PX = 24.0  # length over which rows move together
_GRAIN_PX = 0.6  # of added noise, about what reconstruction leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How often and how far patches are changed.

    Parameters
    ----------
    geometric_share
        Share of patches that are rotated, zoomed and bent; the others keep their noise unblurred.
    rotation_deg, zoom, elastic_px
        Largest rotation, smallest zoom, standard deviation of the shift of columns along y.
    brightness, contrast
        Largest change of offset and scale, in units of the contrast of lithium to electrolyte.
    noise_share, noise
        Share of patches with more noise, and its largest standard deviation.
    blur_share, blur_px
        Share of patches that are blurred, and the largest sigma.
    """

    geometric_share: float = 0.2
    rotation_deg: float = 1.5
    zoom: float = 0.8
    elastic_px: float = 1.0
    brightness: float = 0.05
    contrast: float = 0.05
    noise_share: float = 0.25
    noise: float = 0.3
    blur_share: float = 0.1
    blur_px: float = 0.8


NO_AUGMENTATION = Augmentation(
    geometric_share=0.0,
    brightness=0.0,
    contrast=0.0,
    noise_share=0.0,
    blur_share=0.0,
)


def augment(
    x: FloatStack,
    classes: Labels,
    channels: tuple[str, ...],
    rng: np.random.Generator,
    *,
    how: Augmentation,
) -> tuple[FloatStack, Labels]:
    """Change a patch and its labels.

    Parameters
    ----------
    x
        Channels of one slice, shape (n_channels, rows, columns), float32; it is changed.
    classes
        Labels, shape (rows, columns).
    channels
        Names of the channels, as in `ModelInputs`.
    rng
        Makes the choices.
    how
        How often and how far.
    """
    if rng.random() < how.geometric_share:
        x, classes = _bend(x, classes, rng, how)
    scans: dict[str, list[int]] = {}
    for index, name in enumerate(channels):
        if name[-2:-1] in "+-" and name[-1].isdigit():
            scans.setdefault(name[:-2], []).append(index)
    around = [index for index, name in enumerate(channels) if name == "around"]
    blurred = rng.random() < how.blur_share
    noisy = rng.random() < how.noise_share
    sigma, noise = rng.uniform(0, how.blur_px), rng.uniform(0, how.noise)
    for indices in scans.values():
        if not x[indices].any():
            continue
        scale = 1.0 + rng.uniform(-how.contrast, how.contrast)
        offset = rng.uniform(-how.brightness, how.brightness)
        x[indices] = x[indices] * np.float32(scale) + np.float32(offset)
        if around and channels[indices[0]].startswith("now"):
            x[around] = x[around] * np.float32(scale) + np.float32(offset)
        if blurred:
            x[indices] = ndimage.gaussian_filter(x[indices], (0, sigma, sigma), mode="nearest")
        if noisy:
            x[indices] += _noise(x[indices].shape, noise, rng)
    return np.ascontiguousarray(x), np.ascontiguousarray(classes)


def _noise(
    shape: tuple[int, ...], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    white = rng.standard_normal(shape, np.float32)
    grain = ndimage.gaussian_filter(white, (0, _GRAIN_PX, _GRAIN_PX), mode="wrap")
    return np.asarray(grain * np.float32(strength / grain.std()), np.float32)


def _bend(
    x: FloatStack, classes: Labels, rng: np.random.Generator, how: Augmentation
) -> tuple[FloatStack, Labels]:
    """Rotate about the middle, zoom, and move columns along y by a smooth amount."""
    rows, columns = classes.shape
    angle = np.deg2rad(rng.uniform(-how.rotation_deg, how.rotation_deg))
    zoom = rng.uniform(how.zoom, 1.0)
    shift = ndimage.gaussian_filter1d(rng.standard_normal(columns), _ELASTIC_PX, mode="nearest")
    shift *= how.elastic_px * rng.random() / max(float(shift.std()), 1e-6)
    y, z = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    from_y, from_x = y - (rows - 1) / 2, z - (columns - 1) / 2
    at_y = (np.cos(angle) * from_y - np.sin(angle) * from_x) * zoom + (rows - 1) / 2
    at_x = (np.sin(angle) * from_y + np.cos(angle) * from_x) * zoom + (columns - 1) / 2
    places = np.stack([at_y + shift[None, :], at_x])
    bent = _interpolated(np.ascontiguousarray(x), places)
    labels = ndimage.map_coordinates(
        classes, places, order=0, mode="constant", cval=UNLABELLED, prefilter=False
    )
    return bent, labels


@njit(cache=True, nogil=True)
def _interpolated(x: FloatStack, places: NDArray[np.float64]) -> FloatStack:
    """Take all channels at places (rows, columns), linearly; the nearest pixel beyond the ends."""
    n_channels, n_rows, n_columns = x.shape
    out = np.empty_like(x)
    for i in range(n_rows):
        for j in range(n_columns):
            row = min(max(places[0, i, j], 0.0), n_rows - 1.0)
            column = min(max(places[1, i, j], 0.0), n_columns - 1.0)
            a, b = int(row), int(column)
            c, d = min(a + 1, n_rows - 1), min(b + 1, n_columns - 1)
            down, right = np.float32(row - a), np.float32(column - b)
            for channel in range(n_channels):
                image = x[channel]
                above = image[a, b] + right * (image[a, d] - image[a, b])
                below = image[c, b] + right * (image[c, d] - image[c, b])
                out[channel, i, j] = above + down * (below - above)
    return out


def padded(
    x: FloatStack, classes: LabelVolume, shape: tuple[int, int], start: tuple[int, int]
) -> tuple[FloatStack, LabelVolume]:
    """Cut a patch that begins at ``start``; beyond the image it is mirrored and unlabelled."""
    low = [max(-first, 0) for first in start]
    ends = [first + n for first, n in zip(start, shape, strict=True)]
    high = [max(end - n, 0) for end, n in zip(ends, classes.shape, strict=True)]
    box = tuple(
        slice(max(first, 0), min(end, n))
        for first, end, n in zip(start, ends, classes.shape, strict=True)
    )
    pad = list(zip(low, high, strict=True))
    patch = np.pad(x[(slice(None), *box)], [(0, 0), *pad], mode="symmetric")
    return patch, np.pad(classes[box], pad, constant_values=UNLABELLED)
