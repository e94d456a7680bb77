"""Forests on files: train one from painted slices, label a volume with one."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from lithoscope_models.data.label_files import read_stack
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.forest_file import read_forest, write_forest
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.scribbles import (
    Forest,
    ForestParameters,
    predict_slice,
    slice_doubt,
    suggest_slices,
    train_forest,
)

_N_SUGGESTED = 3


def read_label_stack(path: Path) -> LabelVolume:
    """Read labels (z, y, x) of any classes from 0 to 254, 255 where nobody labelled.

    Raises
    ------
    TrainingDataError
        If a file cannot be read or trusted, or has other values.
    """
    values = read_stack(path)
    if values.dtype.kind not in "biu" or values.min() < 0 or values.max() > UNLABELLED:
        raise TrainingDataError(
            f"{path}: labels are whole numbers from 0 to 254, and 255 for not labelled; export it "
            "as uint8"
        )
    return values.astype(np.uint8)


def train_forest_file(
    grey: Path, labels: Path, out: Path, parameters: ForestParameters
) -> dict[str, Any]:  # JSON
    """Train a forest on the slices that are painted, and write it.

    Raises
    ------
    TrainingDataError
        If files cannot be read, or do not fit together.
    """
    volume, painted = read_stack(grey), read_label_stack(labels)
    if volume.shape != painted.shape:
        raise TrainingDataError(
            f"{grey} has shape {volume.shape}, {labels} {painted.shape}; give labels of the volume"
        )
    known = np.flatnonzero((painted != UNLABELLED).any(axis=(1, 2)))
    forest = train_forest(
        [volume[z].astype(np.float32) for z in known], [painted[z] for z in known], parameters
    )
    write_forest(out, forest)
    counts = np.bincount(painted.ravel(), minlength=UNLABELLED + 1)
    return {
        "forest": str(out),
        "labelled_slices": [int(z) for z in known],
        "labelled_voxels": {str(each): int(counts[each]) for each in forest.classes},
        "coverage": float((painted[known] != UNLABELLED).mean()),
        "n_nodes": len(forest.feature),
    }


def label_by_forest(
    forest_file: Path, grey: Path, out: Path, *, labelled: tuple[int, ...] = ()
) -> dict[str, Any]:  # JSON
    """Label a volume by a forest, as a TIFF stack, and name the slices to paint next.

    Parameters
    ----------
    forest_file, grey, out
        Forest, volume, and the labels to write (uint8, one page a slice).
    labelled
        Slices that are painted already.
    """
    forest = read_forest(forest_file)
    volume = read_stack(grey)
    labels, doubts = np.empty(volume.shape, np.uint8), []
    for z in range(len(volume)):
        probabilities = predict_slice(forest, volume[z].astype(np.float32))
        labels[z] = forest.classes[probabilities.argmax(axis=-1)]
        doubts.append(slice_doubt(probabilities))
    tifffile.imwrite(out, labels, compression="zlib", photometric="minisblack")
    next_ = suggest_slices(doubts, labelled=labelled, n_slices=_N_SUGGESTED)
    return {
        "labels": str(out),
        "voxels": _counts(labels, forest),
        "mean_doubt": float(np.mean([each.doubt.sum() for each in doubts])),
        "suggested_slices": list(next_),
    }


def _counts(labels: LabelVolume, forest: Forest) -> dict[str, int]:
    return {str(each): int((labels == each).sum()) for each in forest.classes}
