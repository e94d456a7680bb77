"""Maps as pictures and as numbers: colours, extremes with their places, profiles. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from plotly.colors import sample_colorscale, unlabel_rgb

from lithoscope_dashboard.slices import encode

FloatMap = NDArray[np.float32]
Colours = Literal["cividis", "balance"]
#: Pixel 0 of a picture is clear: there nothing could be measured.
N_COLOURS = 255
LONGEST_PX = 2048
MAX_PROFILE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pixel of a map and its value."""

    row: int
    column: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNumbers:
    """What a map says in numbers.

    ``low`` and ``high`` bound the colours: symmetric about 0 for a map that has a sign, else from
    the first to the 99th hundredth, so that one pixel does not take all the colours.
    """

    low: float
    high: float
    colours: Colours
    mean: float | None
    measured_share: float
    least: Place | None
    greatest: Place | None


def describe_map(values: FloatMap, *, is_signed: bool) -> MapNumbers:
    """Find range, mean and extremes of a map.

    Parameters
    ----------
    values
        Shape (rows, columns), NaN where nothing was measured.
    is_signed
        Whether the colours must be even about 0.
    """
    finite = np.isfinite(values)
    share = float(finite.mean()) if values.size else 0.0
    if not finite.any():
        colours: Colours = "balance" if is_signed else "cividis"
        return MapNumbers(
            low=-1.0 if is_signed else 0.0,
            high=1.0,
            colours=colours,
            mean=None,
            measured_share=share,
            least=None,
            greatest=None,
        )
    low, high = _colour_range(values[finite], is_signed=is_signed)
    return MapNumbers(
        low=low,
        high=high,
        colours="balance" if is_signed else "cividis",
        mean=float(values[finite].mean(dtype=np.float64)),
        measured_share=share,
        least=_place(values, int(np.nanargmin(values))),
        greatest=_place(values, int(np.nanargmax(values))),
    )


def map_png(values: FloatMap, low: float, high: float, colours: Colours) -> bytes:
    """Draw a map through a palette; clear where nothing was measured.

    A map longer than 2048 pixels is thinned: each pixel drawn is one of the map, never a mean.
    """
    step = max(1, -(-max(values.shape) // LONGEST_PX))
    thinned = values[::step, ::step]
    scaled = (thinned - low) * ((N_COLOURS - 1) / (high - low))
    numbers = np.where(
        np.isfinite(thinned), np.clip(np.nan_to_num(scaled), 0, N_COLOURS - 1) + 1, 0
    ).astype(np.uint8)
    image = Image.fromarray(numbers).convert("P")
    image.putpalette(bytes(3) + palette(colours))
    image.info["transparency"] = 0
    return encode(image, "png")


def veil_png(is_hidden: NDArray[np.bool_]) -> bytes:
    """Draw where a map says nothing: white there, clear elsewhere, thinned as the map is."""
    step = max(1, -(-max(is_hidden.shape) // LONGEST_PX))
    image = Image.fromarray(is_hidden[::step, ::step].astype(np.uint8)).convert("P")
    image.putpalette(bytes(3) + b"\xff\xff\xff")
    image.info["transparency"] = 0
    return encode(image, "png")


def colour_bar_png(colours: Colours) -> bytes:
    """Draw the colours from high (top) to low as a picture one pixel wide."""
    table = np.frombuffer(palette(colours), np.uint8).reshape(N_COLOURS, 1, 3)
    return encode(Image.fromarray(table[::-1].copy()), "png")


@lru_cache
def palette(colours: Colours) -> bytes:
    """Red, green and blue of each colour, low to high."""
    shares = np.linspace(0.0, 1.0, N_COLOURS)
    sampled = sample_colorscale(colours, shares.tolist())
    return bytes(round(part) for colour in sampled for part in unlabel_rgb(colour))


def profile(
    values: FloatMap, start: tuple[float, float], end: tuple[float, float]
) -> tuple[NDArray[np.float64], FloatMap]:
    """Take the pixels along a line, nearest neighbours.

    Parameters
    ----------
    values
        The map.
    start, end
        Row and column of the ends, in pixels.

    Returns
    -------
    distance, values
        Distance from the start in pixels, and the map there.
    """
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    n_points = int(min(MAX_PROFILE, max(2, np.ceil(length) + 1)))
    rows = np.linspace(start[0], end[0], n_points)
    columns = np.linspace(start[1], end[1], n_points)
    last_row, last_column = values.shape[0] - 1, values.shape[1] - 1
    taken = values[
        np.clip(np.rint(rows), 0, last_row).astype(int),
        np.clip(np.rint(columns), 0, last_column).astype(int),
    ]
    return np.linspace(0.0, length, n_points), taken


def _colour_range(finite: FloatMap, *, is_signed: bool) -> tuple[float, float]:
    if is_signed:
        edge = float(np.percentile(np.abs(finite), 99.0))
        return (-edge, edge) if edge > 0 else (-1.0, 1.0)
    low, high = (float(each) for each in np.percentile(finite, [1.0, 99.0]))
    return low, high if high > low else low + 1.0


def _place(values: FloatMap, flat: int) -> Place:
    row, column = divmod(flat, values.shape[1])
    return Place(row=row, column=column, value=float(values[row, column]))
