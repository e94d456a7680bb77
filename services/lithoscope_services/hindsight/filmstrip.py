"""Small pictures of scans: the middle slice in grey, lithium that grew in colour over it."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lithoscope_messages import LabelsReady
from lithoscope_store import ExperimentPaths, label_classes, read_slab, volume_info

_WIDTH: Final = 320
#: What has changed is coloured; all else stays grey.
_SHOWN: Final = ("deposited", "redeposited", "dendrite", "pit", "void")
_SHARE: Final = 0.65


def scan_picture(paths: ExperimentPaths, labels: LabelsReady) -> bytes:
    """Draw the middle slice of a labelled scan, y up.

    Returns
    -------
    bytes
        A PNG file.
    """
    path = paths.resolve(labels.path)
    level, z = _place(path)
    grey = read_slab(path, z, z + 1, level=level)[0]
    shown = read_slab(path, z, z + 1, level=level, label=labels.label_name)[0]
    low, high = np.percentile(grey, (1, 99))
    image = np.clip((grey - low) / max(float(high - low), 1e-12), 0, 1) * 255
    colours = np.repeat(image[..., None], 3, axis=-1)
    for each in label_classes(path, labels.label_name):
        if each.name in _SHOWN:
            inside = shown == each.value
            colours[inside] = (1 - _SHARE) * colours[inside] + _SHARE * np.array(each.colour[:3])
    return _png(colours[::-1])


def volume_picture(paths: ExperimentPaths, relative: str) -> bytes:
    """Draw the middle slice of a volume that has no labels, y up."""
    path = paths.resolve(relative)
    level, z = _place(path)
    grey = read_slab(path, z, z + 1, level=level)[0]
    low, high = np.percentile(grey, (1, 99))
    image = np.clip((grey - low) / max(float(high - low), 1e-12), 0, 1) * 255
    return _png(np.repeat(image[::-1, :, None], 3, axis=-1))


def _place(path: Path) -> tuple[int, int]:
    """Choose the level that is about as wide as the picture, and its middle slice."""
    info = volume_info(path)
    level = 0
    while level + 1 < info.levels and info.level_shape(level + 1)[2] >= _WIDTH:
        level += 1
    return level, info.level_shape(level)[0] // 2


def _png(colours: NDArray[np.floating]) -> bytes:
    image = Image.fromarray(colours.astype(np.uint8))
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()
