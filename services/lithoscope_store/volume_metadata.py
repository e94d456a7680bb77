"""What a volume says about itself: read from, and written into, its attributes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lithoscope_store import ngff
from lithoscope_store.errors import StoreFormatError, UnsafePathError
from lithoscope_store.ngff import LabelClass
from lithoscope_store.pyramid import Shape, level_shape
from lithoscope_store.zarr_metadata import METADATA_FILE, create_group, read_attributes

Polarity = Literal["denser_is_brighter", "denser_is_darker"]
_OURS = "lithoscope"
_LABELS = "labels"
_LABEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """What a volume says about itself; ``shape`` is (z, y, x)."""

    name: str
    shape: Shape
    dtype: np.dtype[np.generic]
    voxel_um: float
    levels: int
    slab_slices: int
    unit: str
    polarity: Polarity
    offset_unknown: bool
    window: tuple[float, float] | None
    provenance: dict[str, Any]  # values of JSON
    labels: tuple[str, ...]

    def level_shape(self, level: int) -> Shape:
        """Voxels of a level."""
        return level_shape(self.shape, level)


def volume_info(path: Path) -> VolumeInfo:
    """Read what a volume says about itself.

    Raises
    ------
    NotStoredError
        If there is none.
    StoreFormatError
        If it is none of ours.
    """
    attributes = read_attributes(path)
    try:
        ours = attributes[_OURS]
        window = ours["window"]
        return VolumeInfo(
            name=str(ours["name"]),
            shape=(ours["shape"][0], ours["shape"][1], ours["shape"][2]),
            dtype=np.dtype(ours["dtype"]),
            voxel_um=float(ours["voxel_um"]),
            levels=int(ours["levels"]),
            slab_slices=int(ours["slab_slices"]),
            unit=str(ours["unit"]),
            polarity=ours["polarity"],
            offset_unknown=bool(ours["offset_unknown"]),
            window=None if window is None else (float(window[0]), float(window[1])),
            provenance=dict(ours["provenance"]),
            labels=_label_names(path),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise StoreFormatError(f"{path} is no volume of ours: {error!r} is wrong in it") from error


def label_classes(path: Path, label: str) -> tuple[LabelClass, ...]:
    """Read meaning and colour of the labels of a volume.

    Raises
    ------
    NotStoredError
        If there are no such labels.
    """
    described = read_attributes(image_path(path, label))["ome"]
    return ngff.read_classes(described.get("image-label", {}))


def write_info(path: Path, info: VolumeInfo) -> None:
    """Write what a volume says about itself, and its description in OME-Zarr."""
    described = ngff.multiscales(info.name, info.voxel_um, info.levels, "mean")
    if info.window is not None:
        described["omero"] = ngff.channel(info.name, info.window)
    ours = {
        "name": info.name,
        "shape": list(info.shape),
        "dtype": info.dtype.name,
        "voxel_um": info.voxel_um,
        "levels": info.levels,
        "slab_slices": info.slab_slices,
        "unit": info.unit,
        "polarity": info.polarity,
        "offset_unknown": info.offset_unknown,
        "window": info.window,
        "provenance": info.provenance,
    }
    create_group(path, {"ome": described, _OURS: ours})


def write_label_info(
    path: Path,
    name: str,
    classes: tuple[LabelClass, ...],
    provenance: dict[str, Any],
    *,
    properties: Mapping[str, object] | None = None,
) -> None:
    """Write what labels mean, and enter them among the labels of their volume.

    ``properties`` stand beside the name of each class, where other programs look for them.
    """
    info = volume_info(path)
    described = ngff.multiscales(name, info.voxel_um, info.levels, "mode")
    described["image-label"] = ngff.image_label(classes, properties)
    create_group(image_path(path, name), {"ome": described, _OURS: {"provenance": provenance}})
    names = sorted({*info.labels, name})
    create_group(path / _LABELS, {"ome": {"version": ngff.VERSION, "labels": names}})


def image_path(path: Path, label: str | None) -> Path:
    """Folder of the levels of a volume, or of its labels.

    Raises
    ------
    UnsafePathError
        If no labels can have this name.
    """
    if label is None:
        return path
    if not _LABEL_NAME.fullmatch(label):
        raise UnsafePathError(f"{label!r} cannot name labels")
    return path / _LABELS / label


def _label_names(path: Path) -> tuple[str, ...]:
    if not (path / _LABELS / METADATA_FILE).exists():
        return ()
    return tuple(read_attributes(path / _LABELS)["ome"]["labels"])
