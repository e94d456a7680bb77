"""Labels as others write them: PNG, TIFF, OME-Zarr; label images of napari and of ilastik."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lithoscope_models.data.label_files import read_stack
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_services.errors import SourceError
from lithoscope_services.hindsight.volume_files import HDF5_ENDINGS, ZarrVolume
from lithoscope_services.sources.hdf5 import Hdf5Tree

LabelProgram = Literal["lithoscope", "napari", "ilastik"]
LabelFormat = Literal["png", "tiff", "napari", "ilastik"]
#: Where ilastik puts what it exports.
_ILASTIK_DATASET: Final = "exported_data"
_AXISTAGS: Final = {
    "axes": [{"key": key, "typeFlags": 1 if key == "c" else 2, "resolution": 0} for key in "zyxc"]
}


@dataclass(frozen=True, slots=True)
class LabelValues:
    """What the values of a file mean; values that are not here are an error."""

    class_of: Mapping[int, int]

    @classmethod
    def of(cls, program: LabelProgram) -> "LabelValues":
        """Give what the values mean by default.

        napari and ilastik have 0 for pixels without a label, so that classes begin at 1.
        """
        first = 0 if program == "lithoscope" else 1
        values = {int(each) + first: int(each) for each in SegmentClass}
        return cls(values | ({255: UNLABELLED} if first == 0 else {0: UNLABELLED}))

    def to_classes(self, values: NDArray[Any], path: Path) -> LabelVolume:
        """Translate the values of a file.

        Raises
        ------
        SourceError
            If it has values that mean nothing; the text names them.
        """
        found = np.unique(values)
        unknown = [each for each in found.tolist() if each not in self.class_of]
        if unknown or values.dtype.kind not in "biu":
            raise SourceError(
                f"{path}: values {unknown[:8] or values.dtype} mean nothing; say what they mean "
                "with --class VALUE=NAME, and --unpainted VALUE"
            )
        classes = np.full(values.shape, UNLABELLED, np.uint8)
        for value in found.tolist():
            classes[values == value] = self.class_of[value]
        return classes


def read_label_file(path: Path, *, dataset: str | None = None) -> NDArray[Any]:
    """Read whole numbers (z, y, x): PNG, TIFF, a folder of them, Zarr, or HDF5.

    Parameters
    ----------
    path
        A file, or a folder of slices in the order of their names.
    dataset
        Of an HDF5 file; by default that of ilastik.

    Raises
    ------
    SourceError, ModelError
        If it cannot be read, or holds no volume.
    """
    if path.suffix.lower() in HDF5_ENDINGS:
        return _read_hdf5(path, dataset or _ILASTIK_DATASET)
    if any((path / name).is_file() for name in ("zarr.json", ".zattrs", ".zarray")):
        volume = ZarrVolume(path)
        return volume.read(slice(None), slice(None))
    return read_stack(path)


def write_label_file(path: Path, classes: LabelVolume, form: LabelFormat) -> None:
    """Write labels as others read them; see `LabelValues.of`."""
    shifted = np.where(classes == UNLABELLED, 0, classes + np.uint8(1)).astype(np.uint8)
    match form:
        case "png":
            path.mkdir(parents=True, exist_ok=True)
            for z, plane in enumerate(classes):
                Image.fromarray(plane).save(path / f"slice_{z:04d}.png")
        case "tiff":
            tifffile.imwrite(path, classes, compression="zlib", photometric="minisblack")
        case "napari":
            tifffile.imwrite(path, shifted, compression="zlib", photometric="minisblack")
        case "ilastik":
            with h5py.File(path, "w") as file:
                made = file.create_dataset(
                    _ILASTIK_DATASET, data=shifted[..., None], compression="gzip"
                )
                made.attrs["axistags"] = json.dumps(_AXISTAGS)


def _read_hdf5(path: Path, name: str) -> NDArray[Any]:
    tree = Hdf5Tree(path)
    try:
        found = tree.dataset(name)
        if found is None:
            raise SourceError(f"{path}: has no {name}; name what ilastik exported with --dataset")
        axes = _axes(found)
        if len(axes) != found.ndim or not set("zyx") <= set(axes):
            raise SourceError(f"{path}: {name} has axes {axes!r}; z, y and x are needed")
        others = [axis for axis in axes if axis not in "zyx"]
        sizes = dict(zip(axes, found.shape, strict=True))
        if any(sizes[axis] != 1 for axis in others):
            raise SourceError(f"{path}: {name} has several {others}; export one label image")
        box = tuple(slice(None) if axis in "zyx" else 0 for axis in axes)
        kept = [axis for axis in axes if axis in "zyx"]
        return np.asarray(found[box]).transpose([kept.index(axis) for axis in "zyx"])
    finally:
        tree.close()


def _axes(dataset: Any) -> str:  # an h5py dataset
    try:
        told = json.loads(dataset.attrs["axistags"])
        return "".join(str(each["key"]) for each in told["axes"])
    except (KeyError, TypeError, ValueError):
        return "zyxc"[: dataset.ndim] if dataset.ndim in (3, 4) else ""
