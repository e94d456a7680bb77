"""Which of the objects that labels show are there in truth."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_models.calibration.labelled import LABELS_VERSIONS, Source
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.counts import MIN_VOXELS
from lithoscope_pipeline.measure.objects import KINDS

#: Raised when equal labels may give other objects.
OBJECTS_VERSION: Final = 1
_NEIGHBOURS: Final = np.ones((3, 3, 3), np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenObjects:
    """The objects of one kind in one experiment, all scans together.

    Parameters
    ----------
    scan
        Place of its scan among those of the experiment.
    voxels
        Its size.
    share
        Share of its voxels that belong to true objects of its class, or touch them.
    """

    scan: tuple[int, ...]
    voxels: tuple[int, ...]
    share: tuple[float, ...]


def objects_file(folder: Path, source: Source, sha256: str) -> Path:
    """Say where the objects of an experiment are kept."""
    of_whom = "" if source == "layers" else f"-{sha256[:10]}"
    return folder / f"objects-{source}{of_whom}-{LABELS_VERSIONS[source]}-{OBJECTS_VERSION}.json"


def write_seen_objects(
    path: Path, labels: NDArray[np.uint8], truth: NDArray[np.uint8], source: Source
) -> None:
    """Compare the objects of labels with the true ones, and keep what was found.

    Parameters
    ----------
    path
        From `objects_file`.
    labels, truth
        Labels of the source and true ones, shape (n_scans, n_z, n_y, n_x).
    source
        Labels by thresholds know no pits.
    """
    found = {
        kind: asdict(_see_kind(labels == label, truth == label))
        for kind, label in KINDS
        if source != "layers" or label is not Label.PIT
    }
    replace_file(path, json.dumps(found))


def read_seen_objects(path: Path) -> dict[str, SeenObjects]:
    """Read what `write_seen_objects` has kept, by kind."""
    stored: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text())  # JSON
    return {
        kind: SeenObjects(**{name: tuple(values) for name, values in columns.items()})
        for kind, columns in stored.items()
    }


def _see_kind(seen: NDArray[np.bool_], true: NDArray[np.bool_]) -> SeenObjects:
    scan: list[int] = []
    voxels: list[int] = []
    share: list[float] = []
    for place in range(len(seen)):
        sizes, shares = shares_of_objects(seen[place], true[place])
        scan += [place] * len(sizes)
        voxels += sizes.tolist()
        share += shares.tolist()
    return SeenObjects(scan=tuple(scan), voxels=tuple(voxels), share=tuple(share))


def shares_of_objects(
    seen: NDArray[np.bool_], true: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Say of each object what share of it belongs to true objects, or touches them.

    Parameters
    ----------
    seen, true
        Voxels of a class in the labels, and in truth, shape (n_z, n_y, n_x).

    Returns
    -------
    tuple
        Sizes of the 26-connected objects of at least 8 voxels in ``seen``, and those shares.
    """
    pieces, n = ndimage.label(seen, _NEIGHBOURS)
    inside = pieces[seen]
    sizes = np.bincount(inside, minlength=n + 1)
    near = _near_objects(true)
    shares = np.bincount(inside, weights=near[seen], minlength=n + 1) / np.maximum(sizes, 1)
    listed = sizes >= MIN_VOXELS
    return sizes[listed].astype(np.int64), shares[listed]


def _near_objects(true: NDArray[np.bool_]) -> LabelVolume:
    pieces, n = ndimage.label(true, _NEIGHBOURS)
    large = np.bincount(pieces[true], minlength=n + 1) >= MIN_VOXELS
    near: LabelVolume = ndimage.maximum_filter(large[pieces].astype(np.uint8), 3)
    return near
