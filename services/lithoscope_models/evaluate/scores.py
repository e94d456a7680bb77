"""All scores of one method, gathered case by case."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.evaluate.cases import Case
from lithoscope_models.evaluate.methods import Labelled
from lithoscope_pipeline.evaluate import (
    N_BINS,
    SIZE_EDGES,
    ObjectCounts,
    calibration_error,
    compare_objects,
    confusion_of,
    count_calibration,
    iou_of,
    score_voxels,
    surface_distances_px,
)
from lithoscope_pipeline.labels import SegmentClass

#: Classes that are looked at as objects.
OBJECTS: Final = (SegmentClass.DENDRITE, SegmentClass.PIT)
_N_CLASSES: Final = len(SegmentClass)
_FAR: Final = 95  # percent of surface voxels
_NO_OBJECTS: Final = ObjectCounts(
    n_true=0,
    n_recovered=0,
    n_found=0,
    n_right=0,
    both=np.zeros(len(SIZE_EDGES), np.int64),
    either=np.zeros(len(SIZE_EDGES), np.int64),
)


def _confusion() -> NDArray[np.int64]:
    return np.zeros((_N_CLASSES, _N_CLASSES), np.int64)


@dataclass(slots=True, kw_only=True)
class MethodScores:
    """What is known of a method; `add` takes in one case after another."""

    name: str
    note: str = ""
    n_parameters: int | None = None
    is_converged: bool | None = None
    confusion: NDArray[np.int64] = field(default_factory=_confusion)
    by_cnr: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    sureness: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, N_BINS)))
    objects: dict[SegmentClass, ObjectCounts] = field(
        default_factory=lambda: dict.fromkeys(OBJECTS, _NO_OBJECTS)
    )
    distances_um: dict[SegmentClass, list[NDArray[np.float32]]] = field(
        default_factory=lambda: {each: [] for each in OBJECTS}
    )
    seconds: list[float] = field(default_factory=list)

    def add(self, case: Case, found: Labelled, truth: NDArray[np.uint8]) -> None:
        """Take in what the method made of a case."""
        counts = confusion_of(truth, found.segments, _N_CLASSES)
        self.confusion = self.confusion + counts
        about = _cnr_bin(case.references.cnr)
        self.by_cnr[about] = self.by_cnr.get(about, _confusion()) + counts
        if found.best is not None:
            self.sureness = self.sureness + count_calibration(found.best, found.segments, truth)
        for each in OBJECTS:
            there, seen = truth == each, found.segments == each
            self.objects[each] = self.objects[each].plus(compare_objects(there, seen))
            distances_px = surface_distances_px(there, seen)
            self.distances_um[each].append(distances_px * np.float32(case.experiment.voxel_um))
        self.seconds += found.seconds

    def as_document(self) -> dict[str, Any]:  # JSON
        """Write all of it down; NaN, which JSON does not know, becomes null."""
        voxels = score_voxels(self.confusion)
        keys = [each.key for each in SegmentClass]
        return {
            "name": self.name,
            "note": self.note,
            "n_parameters": self.n_parameters,
            "is_converged": self.is_converged,
            "iou": _named(keys, voxels.iou),
            "dice": _named(keys, voxels.dice),
            "volume_bias": _named(keys, voxels.volume_bias),
            "lithium_iou": _known(voxels.lithium_iou),
            "macro_iou": _known(voxels.macro_iou),
            "frequency_weighted_iou": _known(voxels.frequency_weighted_iou),
            "mean_dice": _known(voxels.mean_dice),
            "accuracy": _known(voxels.accuracy),
            "calibration_error": _known(calibration_error(self.sureness)),
            "confusion": self.confusion.tolist(),
            "iou_by_cnr": {
                about: _named(keys, iou_of(counts).tolist())
                for about, counts in sorted(self.by_cnr.items())
            },
            "objects": {each.key: self._of_objects(each) for each in OBJECTS},
            "ms_per_slice": _known(float(np.median(self.seconds)) * 1e3),
        }

    def _of_objects(self, which: SegmentClass) -> dict[str, Any]:
        counts = self.objects[which]
        distances_um = np.concatenate(self.distances_um[which] or [np.zeros(0, np.float32)])
        has_any = distances_um.size > 0
        return {
            "f1": _known(counts.f1),
            "n_true": counts.n_true,
            "n_recovered": counts.n_recovered,
            "n_found": counts.n_found,
            "n_right": counts.n_right,
            "iou_by_size": {
                name: _known(float(both / either)) if either else None
                for name, both, either in zip(SIZES, counts.both, counts.either, strict=True)
            },
            "surface_distance_um": _known(float(distances_um.mean())) if has_any else None,
            "surface_distance_95_um": (
                _known(float(np.percentile(distances_um, _FAR))) if has_any else None
            ),
        }


SIZES: Final = tuple(
    f"{low}-{high - 1}" if high else f"{low}-"
    for low, high in zip(SIZE_EDGES, (*SIZE_EDGES[1:], 0), strict=True)
)


def _cnr_bin(cnr: float) -> str:
    """Name the power of two that a contrast-to-noise ratio lies above, such as ``4-8``."""
    low = 2.0 ** np.floor(np.log2(max(cnr, 0.125)))
    return f"{low:g}-{2 * low:g}"


def _named(keys: list[str], values: Any) -> dict[str, float | None]:  # floats in any sequence
    return {key: _known(float(value)) for key, value in zip(keys, values, strict=True)}


def _known(value: float) -> float | None:
    return round(value, 5) if np.isfinite(value) else None
