"""Planes of a volume as PNG: grey values through a window, labels through a palette. Pure."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lithoscope_dashboard.palette import CLASSES

Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")
Shape3 = tuple[int, int, int]


def plane_shape(shape: Shape3, axis: Axis) -> tuple[int, int]:
    """Rows and columns of a plane normal to ``axis``."""
    normal = AXES.index(axis)
    rows, columns = (shape[each] for each in range(3) if each != normal)
    return rows, columns


def choose_level(shapes: Sequence[Shape3], axis: Axis, longest_px: int) -> int:
    """Take the finest level whose plane is not longer than a screen can show.

    Parameters
    ----------
    shapes
        (z, y, x) of each level, finest first.
    axis
        Normal of the plane.
    longest_px
        Longest side that is wanted; the coarsest level is taken if all are longer.
    """
    for level, shape in enumerate(shapes):
        if max(plane_shape(shape, axis)) <= longest_px:
            return level
    return len(shapes) - 1


def index_at_level(index: int, n_finest: int, n_level: int) -> int:
    """Find the plane of a coarser level in which a plane of the finest one lies."""
    return min(index * n_level // n_finest, n_level - 1)


def grey_window(values: NDArray[Any]) -> tuple[float, float]:
    """Range of grey values that hides neither half of the histogram, from a sample of them.

    One in two hundred is cut off at either end: that many are zingers or edges of truncation.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, [0.5, 99.5])
    return float(low), float(high if high > low else low + 1.0)


def grey_png(plane: NDArray[Any], window: tuple[float, float]) -> bytes:
    """Draw a plane of grey values.

    Parameters
    ----------
    plane
        Shape (rows, columns), any real type; what is not finite is drawn black.
    window
        Values that are drawn black and white.
    """
    low, high = window
    scaled = (np.asarray(plane, dtype=np.float32) - low) * (255.0 / (high - low))
    grey = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
    return _png(Image.fromarray(grey.astype(np.uint8)))


def label_png(plane: NDArray[Any]) -> bytes:
    """Draw a plane of labels: palette colours, clear where there is no class.

    Parameters
    ----------
    plane
        Shape (rows, columns), integers; values that are no class are clear.
    """
    values = np.where((plane >= 0) & (plane < 256), plane, 0).astype(np.uint8)
    rows, columns = values.shape
    image = Image.frombytes("P", (columns, rows), values.tobytes())
    palette, alphas = bytearray(256 * 3), bytearray(256)
    for each in CLASSES:
        palette[3 * each.value : 3 * each.value + 3] = bytes(each.rgb)
        alphas[each.value] = each.alpha
    image.putpalette(bytes(palette))
    return _png(image, transparency=bytes(alphas))


def _png(image: Image.Image, **options: bytes) -> bytes:
    buffer = BytesIO()
    # Level 1: three times faster than the default, and the line is a loopback.
    image.save(buffer, format="PNG", compress_level=1, **options)
    return buffer.getvalue()
