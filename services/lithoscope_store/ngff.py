"""Metadata of OME-Zarr 0.5, written by hand (https://ngff.openmicroscopy.org/0.5/)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = "0.5"
_AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in ("z", "y", "x")]


@dataclass(frozen=True, slots=True)
class LabelClass:
    """What a label means, and its colour (red, green, blue, opacity; 0..255)."""

    value: int
    name: str
    colour: tuple[int, int, int, int]


def multiscales(name: str, voxel_um: float, levels: int, method: str) -> dict[str, Any]:
    """Describe the levels of an image: each half as fine as the one before it."""
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [voxel_um * 2**level] * 3},
                # The centre of a coarse voxel lies between the fine ones it is made of.
                {"type": "translation", "translation": [voxel_um * (2**level - 1) / 2] * 3},
            ],
        }
        for level in range(levels)
    ]
    return {
        "version": VERSION,
        "multiscales": [{"name": name, "axes": _AXES, "datasets": datasets, "type": method}],
    }


def channel(name: str, window: tuple[float, float]) -> dict[str, Any]:
    """Describe how an image is shown: white, between two grey values."""
    low, high = window
    return {
        "channels": [
            {
                "label": name,
                "color": "FFFFFF",
                "active": True,
                "coefficient": 1,
                "family": "linear",
                "inverted": False,
                "window": {"min": low, "max": high, "start": low, "end": high},
            }
        ],
        "rdefs": {"model": "greyscale"},
    }


def image_label(
    classes: Sequence[LabelClass], properties: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Describe what the labels of an image mean; ``properties`` are those of all of them."""
    return {
        "version": VERSION,
        "colors": [{"label-value": one.value, "rgba": list(one.colour)} for one in classes],
        "properties": [
            {"label-value": one.value, "class": one.name, **(properties or {})} for one in classes
        ],
        "source": {"image": "../../"},
    }


def read_classes(image_label_metadata: dict[str, Any]) -> tuple[LabelClass, ...]:
    """Read what :func:`image_label` has written."""
    names = {
        one["label-value"]: one["class"] for one in image_label_metadata.get("properties", ())
    }
    return tuple(
        LabelClass(
            one["label-value"],
            names.get(one["label-value"], str(one["label-value"])),
            (one["rgba"][0], one["rgba"][1], one["rgba"][2], one["rgba"][3]),
        )
        for one in image_label_metadata.get("colors", ())
    )
