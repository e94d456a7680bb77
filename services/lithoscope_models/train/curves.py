"""How a training went: a table, and a picture of it."""

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lithoscope_models.errors import TrainingDataError

CURVES_CSV: Final = "curves.csv"
CURVES_PNG: Final = "curves.png"
_SIZE: Final = (960, 540)
_FRAME: Final = (70, 40, 760, 490)  # left, top, right, bottom
# Okabe and Ito's colours, told apart by people of any colour vision.
_COLOURS: Final = (
    "#000000", "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#999933",
)  # fmt: skip
_N_TICKS: Final = 5


def read_curves(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns of a table of curves; what is missing in a row is NaN."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise TrainingDataError(f"{path} has no rows; the training has not been validated yet")
    return {
        name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0] if name
    }


def draw_curves(path: Path, curves: dict[str, NDArray[np.float64]]) -> None:
    """Draw IoU over steps, 0 to 1, with the training loss scaled to its largest value.

    Parameters
    ----------
    path
        PNG to write.
    curves
        ``step``, ``loss`` and ``iou_<class>`` of each validation, and ``macro_iou``.
    """
    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = _FRAME
    steps = curves["step"]
    last = max(float(np.nanmax(steps)), 1.0)
    for tick in range(_N_TICKS + 1):
        share = tick / _N_TICKS
        y, x = bottom - share * (bottom - top), left + share * (right - left)
        draw.line((left, y, right, y), fill="#dddddd")
        draw.text((left - 35, y - 7), f"{share:.1f}", fill="black")
        draw.text((x - 12, bottom + 8), f"{share * last:.0f}", fill="black")
    draw.text((left, bottom + 26), "step", fill="black")
    draw.text((left, top - 22), "IoU on validation data; loss over its largest", fill="black")
    loss = curves["loss"] / max(float(np.nanmax(curves["loss"])), 1e-9)
    named = {name.removeprefix("iou_"): c for name, c in curves.items() if "iou" in name}
    for number, (name, values) in enumerate({"training loss": loss, **named}.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [
            (left + step / last * (right - left), bottom - value * (bottom - top))
            for step, value in zip(steps, values, strict=True)
            if np.isfinite(value)
        ]
        if len(points) > 1:
            draw.line(points, fill=colour, width=3 if name == "macro_iou" else 2)
        y = top + 20 * number
        draw.line((right + 15, y + 6, right + 40, y + 6), fill=colour, width=3)
        draw.text((right + 48, y), f"{name} {values[-1]:.3f}", fill="black")
    image.save(path)
