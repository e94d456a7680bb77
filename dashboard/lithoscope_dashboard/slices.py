"""Planes of a volume as pictures: grey values through a window, labels as their numbers. Pure."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lithoscope_dashboard.palette import CLASSES

Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")
PictureFormat = Literal["webp", "png"]
Shape3 = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Part of a plane in voxels of the finest level; the ends are not included."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def whole(cls, shape: Shape3, axis: Axis) -> "Box":
        """Give the box of a whole plane."""
        rows, columns = plane_shape(shape, axis)
        return cls(top=0, left=0, bottom=rows, right=columns)

    @property
    def longest(self) -> int:
        """Length of the longer side."""
        return max(self.bottom - self.top, self.right - self.left)

    def at_level(self, level: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of a level that cover the box."""
        step = 1 << level
        rows = slice(self.top // step, min(shape[0], -(-self.bottom // step)))
        columns = slice(self.left // step, min(shape[1], -(-self.right // step)))
        return rows, columns


def plane_shape(shape: Shape3, axis: Axis) -> tuple[int, int]:
    """Rows and columns of a plane normal to ``axis``."""
    normal = AXES.index(axis)
    rows, columns = (shape[each] for each in range(3) if each != normal)
    return rows, columns


def choose_level(longest_voxels: int, n_levels: int, longest_px: int) -> int:
    """Take the finest level at which a length is not longer than is wanted.

    Parameters
    ----------
    longest_voxels
        The length at the finest level.
    n_levels
        Levels that there are; the coarsest is taken if the length is longer at all of them.
    longest_px
        What is wanted.
    """
    for level in range(n_levels):
        if longest_voxels <= longest_px << level:
            return level
    return n_levels - 1


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


def to_grey(plane: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Scale a plane to 8 bits.

    Parameters
    ----------
    plane
        Shape (rows, columns), any real type; what is not finite becomes black.
    window
        Values that become 0 and 255.
    """
    low, high = window
    scaled = (np.asarray(plane, dtype=np.float32) - low) * (255.0 / (high - low))
    grey = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
    return grey.astype(np.uint8)


def grey_picture(
    plane: NDArray[Any], window: tuple[float, float], form: PictureFormat = "webp"
) -> bytes:
    """Draw a plane of grey values: exactly as PNG, three times smaller as WebP."""
    return encode(Image.fromarray(to_grey(plane, window)), form)


def label_png(plane: NDArray[Any]) -> bytes:
    """Write a plane of labels as a grey PNG whose pixels are the numbers of the classes.

    The page colours them: it hides a class, or fades all, without asking again.
    """
    return encode(Image.fromarray(_class_numbers(plane)), "png")


def overlay_png(plane: NDArray[Any]) -> bytes:
    """Draw a plane of labels in the colours of the classes, clear where there is none."""
    image = Image.fromarray(_class_numbers(plane)).convert("P")
    colours, weights = _tables()
    image.putpalette(colours.astype(np.uint8).tobytes())
    image.info["transparency"] = (255 * weights).round().astype(np.uint8).tobytes()
    return encode(image, "png")


def thumbnail(
    plane: NDArray[Any], labels: NDArray[Any] | None, window: tuple[float, float], side_px: int
) -> bytes:
    """Draw a small plane with its labels over it."""
    grey = np.repeat(to_grey(plane, window)[..., np.newaxis], 3, axis=2).astype(np.float32)
    if labels is not None:
        colours, weights = _tables()
        numbers = _class_numbers(labels)
        weight = 0.6 * weights[numbers][..., np.newaxis]
        grey = grey * (1 - weight) + colours[numbers] * weight
    image = Image.fromarray(grey.astype(np.uint8))
    image.thumbnail((side_px, side_px))
    return encode(image, "webp")


def encode(image: Image.Image, form: PictureFormat) -> bytes:
    """Write a picture quickly: the line is short, the eye waits."""
    buffer = BytesIO()
    if form == "png":
        # Level 1: three times faster than the default.
        image.save(buffer, format="PNG", compress_level=1)
    else:
        image.save(buffer, format="WEBP", quality=85, method=0)
    return buffer.getvalue()


def _class_numbers(plane: NDArray[Any]) -> NDArray[np.uint8]:
    return np.where((plane >= 0) & (plane < 256), plane, 0).astype(np.uint8)


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colour and weight of each class number."""
    colours, weights = np.zeros((256, 3), np.float32), np.zeros(256, np.float32)
    for each in CLASSES:
        colours[each.value] = each.rgb
        weights[each.value] = each.alpha / 255
    return colours, weights
