"""Labels of the same slices by several people: a document, and a picture of where they differ."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.scribbles import compare_labels, dissent
from lithoscope_services.forest_labels import read_label_stack

#: Okabe and Ito: told apart also by the colour-blind.
_COLOURS = np.array(
    [
        (40, 42, 46),
        (86, 180, 233),
        (230, 159, 0),
        (0, 158, 115),
        (213, 94, 0),
        (204, 121, 167),
        (240, 228, 66),
        (0, 114, 178),
    ],
    np.uint8,
)
_WIDTH_PX, _HEAD_PX, _GAP_PX, _COLUMNS = 360, 26, 8, 3


def compare_label_files(
    paths: list[Path], *, picture: Path | None = None
) -> dict[str, Any]:  # JSON
    """Compare labels from files, and draw the slice in which they differ most.

    Parameters
    ----------
    paths
        Two or more: OME-Zarr labels, TIFF files, folders of PNG or TIFF slices.
    picture
        PNG to write.
    """
    stacks = [read_label_stack(path) for path in paths]
    agreed = compare_labels(stacks)
    share = dissent(stacks)
    worst = int(share.mean(axis=(1, 2)).argmax())
    if picture is not None:
        names = [path.name for path in paths]
        _draw([stack[worst] for stack in stacks], names, share[worst], worst).save(picture)
    keys = [str(each) for each in agreed.classes]
    return {
        "labels": [str(path) for path in paths],
        "n_voxels": agreed.n_voxels,
        "volume_fraction": {
            key: {
                "each": [float(each) for each in agreed.fractions[:, number]],
                "mean": float(agreed.mean[number]),
                "standard_deviation": float(agreed.standard_deviation[number]),
            }
            for number, key in enumerate(keys)
        },
        "pairs": [
            {
                "a": pair.first,
                "b": pair.second,
                "differing": pair.differing,
                "dice": dict(zip(keys, map(_or_none, pair.dice), strict=True)),
                "iou": dict(zip(keys, map(_or_none, pair.iou), strict=True)),
            }
            for pair in agreed.pairs
        ],
        "slice_of_most_difference": worst,
        "picture": None if picture is None else str(picture),
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _draw(
    slices: list[LabelVolume], names: list[str], share: NDArray[np.float32], number: int
) -> Image.Image:
    """Draw everybody's labels, and last the share of people who say other than most."""
    panels = [_COLOURS[each % len(_COLOURS)] for each in slices]
    white_to_red = np.array((213, 60, 0), np.float32) - 255
    strength = np.clip(2 * share, 0, 1)[..., None]
    panels.append((255 + white_to_red * strength).astype(np.uint8))
    height = round(_WIDTH_PX * share.shape[0] / share.shape[1])
    n_rows = -(-len(panels) // _COLUMNS)
    step = _WIDTH_PX + _GAP_PX, height + _HEAD_PX
    sheet = Image.new("RGB", (_COLUMNS * step[0], n_rows * step[1]), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    titles = [*names, f"where they differ, slice {number}"]
    for place, (title, panel) in enumerate(zip(titles, panels, strict=True)):
        left, top = place % _COLUMNS * step[0], place // _COLUMNS * step[1]
        pen.text((left + 4, top + 4), title[:44], font=font, fill=(30, 32, 36))
        image = Image.fromarray(panel).resize((_WIDTH_PX, height), Image.Resampling.BOX)
        sheet.paste(image, (left, top + _HEAD_PX))
    return sheet
