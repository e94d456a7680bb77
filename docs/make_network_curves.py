"""Draw how the networks of ``docs/segmentation.md`` learned: macro IoU over the voxels seen.

``python docs/make_network_curves.py [MODEL...]`` first keeps the curves of these folders.
"""

import math
import shutil
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_models.model_file import DEFAULT_MODEL, find_model, load_card
from lithoscope_models.train.curves import CURVES_CSV, read_curves
from lithoscope_models.train.recipe import read_recipe

DOCS: Final = Path(__file__).parent
STORED: Final = DOCS.parent / "benchmarks" / "results" / "networks"
PICTURE: Final = DOCS / "pictures" / "network_curves.png"
SHORT: Final = tuple(
    f"stream-unet-{each}" for each in ("short", "no-neighbours", "no-time", "one-slice")
)
NAMES: Final = (*SHORT, "unet", "ynet", "transforcnn", "residual-unet")
SCALE, WIDTH, HEIGHT = 2, 860, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 290, 40, 60
LEAST_M, MOST_M = 2.0, 2000.0  # million voxels
PAPER, INK, FAINT = (255, 255, 255), (30, 32, 36), (222, 224, 228)
# Okabe and Ito's colours and two more, told apart by people of any colour vision.
COLOURS: Final = (
    "#000000", "#888888", "#56B4E9", "#CC79A7", "#999933",
    "#0072B2", "#E69F00", "#D55E00", "#009E73",
)  # fmt: skip


def main() -> None:
    """Keep what is given, draw what is kept."""
    for folder in map(Path, sys.argv[1:]):
        STORED.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / CURVES_CSV, STORED / f"{load_card(str(folder)).name}.csv")
    curves = {DEFAULT_MODEL: read_curves(find_model(DEFAULT_MODEL) / CURVES_CSV)}
    kept = [name for name in NAMES if (STORED / f"{name}.csv").is_file()]
    curves |= {name: read_curves(STORED / f"{name}.csv") for name in kept}
    draw(curves).save(PICTURE)


def draw(curves: dict[str, dict[str, NDArray[np.float64]]]) -> Image.Image:
    """Draw one line a network."""
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(13 * SCALE)
    _axes(pen, font)
    colour_of = dict(zip((DEFAULT_MODEL, *NAMES), COLOURS, strict=True))
    for number, (name, columns) in enumerate(curves.items()):
        seen_m = columns["step"] * voxels_of(name) / 1e6
        points = [_at(x, y) for x, y in zip(seen_m, columns["macro_iou"], strict=True)]
        pen.line(points, fill=colour_of[name], width=3 * SCALE)
        for x, y in points:
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour_of[name])
        y = (TOP + 8 + 24 * number) * SCALE
        x = (WIDTH - RIGHT + 16) * SCALE
        pen.line((x, y + 8 * SCALE, x + 24 * SCALE, y + 8 * SCALE), colour_of[name], 3 * SCALE)
        text = f"{name} {columns['macro_iou'][-1]:.2f}"
        pen.text((x + 32 * SCALE, y), text, fill=INK, font=font)
    return image


def voxels_of(name: str) -> int:
    """Count the voxels of a step."""
    recipe = read_recipe(name)
    return recipe.batch * math.prod(recipe.samples.patch_px)


def _at(seen_m: float, iou: float) -> tuple[float, float]:
    share = math.log(max(seen_m, LEAST_M) / LEAST_M) / math.log(MOST_M / LEAST_M)
    x = LEFT + share * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - iou * (HEIGHT - TOP - BOTTOM)
    return x * SCALE, y * SCALE


def _axes(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    for tenth in range(0, 11, 2):
        left, right = _at(LEAST_M, tenth / 10), _at(MOST_M, tenth / 10)
        pen.line((*left, *right), fill=FAINT, width=SCALE)
        pen.text((left[0] - 34 * SCALE, left[1] - 8 * SCALE), f"{tenth / 10:.1f}", INK, font)
    for seen_m in (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000):
        x, y = _at(seen_m, 0.0)
        pen.line((x, y, x, y + 5 * SCALE), fill=INK, width=SCALE)
        pen.text((x, y + 8 * SCALE), f"{seen_m}", INK, font, anchor="ma")
    x, y = _at(math.sqrt(LEAST_M * MOST_M), 0.0)
    pen.text((x, y + 30 * SCALE), "million voxels seen in training", INK, font, anchor="ma")
    title = "Macro IoU on validation data of each network's own kind"
    pen.text((LEFT * SCALE, 10 * SCALE), title, INK, font)


if __name__ == "__main__":
    main()
