"""Grey values and labels that people made: OME-Zarr, or folders of PNG and TIFF slices."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.files import StoredExperiment, StoredScan
from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.errors import PipelineError
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_pipeline.segment import GreyReferences, find_grey_references

_PICTURES: Final = (".png", ".tif", ".tiff")
# zarr knows codecs that run code when they read, such as pickle.
_CODECS: Final = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "crc32c", "sharding_indexed", "transpose"}
)
_MIDDLE_GREY: Final = (0.0, 1.0)  # of electrode and electrolyte, where nobody labelled any


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSplit:
    """Which slices are trained on, validated on and tested on: blocks, never patches."""

    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split_slices(labelled: NDArray[np.intp], shares: tuple[float, float, float]) -> SliceSplit:
    """Cut the labelled slices into three blocks in their order.

    Neighbouring slices show the same things, so that a slice between two others that were trained
    on would not be unseen.

    Parameters
    ----------
    labelled
        Slices with labels, rising.
    shares
        Of training, validation and test, adding up to 1.
    """
    first = round(shares[0] * len(labelled))
    second = first + round(shares[1] * len(labelled))
    parts = (labelled[:first], labelled[first:second], labelled[second:])
    training, validation, test = (tuple(int(at) for at in part) for part in parts)
    return SliceSplit(training=training, validation=validation, test=test)


def read_labelled(
    grey: Path,
    labels: Path,
    *,
    voxel_um: float,
    class_of: Mapping[str, int] | None = None,
) -> StoredExperiment:
    """Read a volume with its labels; slices without any are never drawn.

    Parameters
    ----------
    grey, labels
        OME-Zarr volumes (z, y, x), or folders of slices in the order of their names; y rises
        from the stripping side.
    voxel_um
        Edge of a voxel.
    class_of
        Class of each value of the labels; by default they are `SegmentClass` already.

    Returns
    -------
    StoredExperiment
        One scan, without earlier ones.

    Raises
    ------
    TrainingDataError
        If a file cannot be read or trusted, shapes differ, or values are no classes.
    """
    volume = read_stack(grey).astype(np.float32)
    classes = _classes(read_stack(labels), class_of or {}, labels)
    if volume.shape != classes.shape:
        raise TrainingDataError(
            f"{grey} has shape {volume.shape}, {labels} {classes.shape}; give labels of the volume"
        )
    scan = StoredScan(
        scan=0,
        grey=volume,
        classes=classes,
        references=_references(volume, classes),
        shifts_px=None,
    )
    return StoredExperiment(name=labels.name, voxel_um=voxel_um, scans=(scan,))


def read_stack(path: Path) -> NDArray[Any]:
    """Read a volume (z, y, x) from OME-Zarr, one TIFF file, or a folder of slices."""
    try:
        if (path / "zarr.json").is_file():
            return _read_zarr(path)
        if path.is_file():
            return _read_pictures([path])
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in _PICTURES)
        return _read_pictures(files)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, TrainingDataError):
            raise
        raise TrainingDataError(
            f"{path}: {error}; give an OME-Zarr volume, or a folder of PNG or TIFF slices"
        ) from error


def _read_pictures(files: list[Path]) -> NDArray[Any]:
    import tifffile
    from PIL import Image

    slices = []
    for file in files:
        is_tiff = file.suffix.lower() in (".tif", ".tiff")
        values = tifffile.imread(file) if is_tiff else np.asarray(Image.open(file))
        slices.append(values if values.ndim == 3 and len(files) == 1 else values[None])
    if not slices or any(each.ndim != 3 for each in slices):
        raise ValueError("no slices of one channel here")
    return np.concatenate(slices)


def _read_zarr(path: Path) -> NDArray[Any]:
    """Read the finest level of an image, or an array; what reads it is looked at first."""
    import zarr

    if any(each.is_symlink() for each in path.rglob("*")):
        raise TrainingDataError(f"{path}: has links; copy what they point to")
    told = json.loads((path / "zarr.json").read_text())
    if told["node_type"] == "group":
        attributes = told["attributes"]
        scales = attributes.get("ome", attributes)["multiscales"]
        path = path / str(scales[0]["datasets"][0]["path"])
        told = json.loads((path / "zarr.json").read_text())
    unknown = _codec_names(told["codecs"]) - _CODECS
    if unknown:
        raise TrainingDataError(f"{path}: codecs {sorted(unknown)} are not trusted; write it anew")
    array = zarr.open_array(path, mode="r")
    if array.ndim != 3:
        raise ValueError("no volume (z, y, x) here")
    return np.asarray(array[:])


def _codec_names(codecs: Any) -> set[str]:  # JSON
    names = set()
    for codec in codecs:
        names.add(str(codec["name"]))
        inner = codec.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            names |= _codec_names(inner.get(key, []))
    return names


def _classes(values: NDArray[Any], class_of: Mapping[str, int], path: Path) -> LabelVolume:
    lookup = np.arange(256)
    for value, chosen in class_of.items():
        lookup[int(value)] = chosen
    found = np.unique(values)
    allowed = {*(int(each) for each in SegmentClass), UNLABELLED}
    wrong = [
        int(each)
        for each in found
        if not 0 <= each <= 255 or int(lookup[int(each)]) not in allowed
    ]
    if wrong:
        raise TrainingDataError(
            f"{path}: values {wrong[:8]} are no classes; say in class_of what they mean, 255 for "
            "not labelled"
        )
    return lookup[values.astype(np.intp)].astype(np.uint8)


def _references(volume: FloatVolume, classes: LabelVolume) -> GreyReferences:
    """Find the grey values from the layers, or where there are none from the labels."""
    try:
        found = find_grey_references(volume)
        if found.verdict == "resolved":
            return found
    except PipelineError:
        pass  # fewer rows than layers: the labels know
    greys = []
    for wanted, otherwise in zip(
        (SegmentClass.ELECTRODE, SegmentClass.ELECTROLYTE), _MIDDLE_GREY, strict=True
    ):
        voxels = volume[classes == wanted]
        greys.append(float(np.median(voxels)) if voxels.size else otherwise)
    inside = np.isin(classes, (SegmentClass.BACKGROUND, UNLABELLED), invert=True)
    rows = np.flatnonzero(inside.any(axis=(0, 2)))
    low, high = (rows[0], rows[-1]) if rows.size else (0, volume.shape[1] - 1)
    edges = float(low) - 0.5, float(low), float(high), float(high) + 0.5
    return GreyReferences(
        electrode=greys[0],
        electrolyte=greys[1],
        pouch=greys[1],
        noise=0.0,
        cnr=0.0,
        polarity="dense_bright",
        edges_px=edges,
        verdict="not_resolved",
    )
