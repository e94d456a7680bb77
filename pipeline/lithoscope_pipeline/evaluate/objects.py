"""Objects of one class against the true ones: found, invented, and how far surfaces lie apart."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import MaskVolume

#: Voxels at which a size of objects begins; below the first nothing is counted. An object of
#: under 8 voxels is not measured, and under 260 the error of its volume passes 10 %.
SIZE_EDGES: Final = (8, 27, 260, 2600)
_FOUND_SHARE: Final = 0.5
_ALL_NEIGHBOURS: Final = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCounts:
    """Counts that add up over volumes.

    Parameters
    ----------
    n_true, n_recovered
        True objects, and those of which half the voxels or more were found.
    n_found, n_right
        Found objects, and those of which half the voxels or more are true.
    both, either
        Voxels of true objects that were found, and all of theirs together with what was invented
        of the pieces that share most with them, by size of the true object, shape (sizes,).
    """

    n_true: int
    n_recovered: int
    n_found: int
    n_right: int
    both: NDArray[np.int64]
    either: NDArray[np.int64]

    @property
    def f1(self) -> float:
        """Harmonic mean of the share of true objects recovered and that of found ones right."""
        recall = self.n_recovered / self.n_true if self.n_true else 0.0
        precision = self.n_right / self.n_found if self.n_found else 0.0
        if not self.n_true and not self.n_found:
            return float("nan")
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0

    def plus(self, other: "ObjectCounts") -> "ObjectCounts":
        """Add the counts of another volume."""
        return ObjectCounts(
            n_true=self.n_true + other.n_true,
            n_recovered=self.n_recovered + other.n_recovered,
            n_found=self.n_found + other.n_found,
            n_right=self.n_right + other.n_right,
            both=self.both + other.both,
            either=self.either + other.either,
        )


def compare_objects(truth: MaskVolume, found: MaskVolume) -> ObjectCounts:
    """Compare the objects of a class: pieces that touch by faces, edges or corners.

    Parameters
    ----------
    truth, found
        Voxels of the class, shape (n_z, n_y, n_x).
    """
    true_numbers, n_true = ndimage.label(truth, _ALL_NEIGHBOURS)
    found_numbers, n_found = ndimage.label(found, _ALL_NEIGHBOURS)
    true_size = np.bincount(true_numbers.ravel(), minlength=n_true + 1)
    found_size = np.bincount(found_numbers.ravel(), minlength=n_found + 1)
    is_both = truth & found
    hit = np.bincount(true_numbers[is_both], minlength=n_true + 1)
    right = np.bincount(found_numbers[is_both], minlength=n_found + 1)
    counted, counted_found = true_size >= SIZE_EDGES[0], found_size >= SIZE_EDGES[0]
    counted[0] = counted_found[0] = False
    owner = _owners(true_numbers[is_both], found_numbers[is_both], n_found)
    # A piece that joins several true objects is wrong by what lies in none of them.
    invented = np.bincount(owner, found_size - right, minlength=n_true + 1).astype(np.int64)
    size = np.digitize(true_size, SIZE_EDGES) - 1
    sizes = len(SIZE_EDGES)
    both, either = (
        np.bincount(size[counted], values[counted], minlength=sizes).astype(np.int64)
        for values in (hit, true_size + invented)
    )
    return ObjectCounts(
        n_true=int(counted.sum()),
        n_recovered=int((counted & (hit >= _FOUND_SHARE * true_size)).sum()),
        n_found=int(counted_found.sum()),
        n_right=int((counted_found & (right >= _FOUND_SHARE * found_size)).sum()),
        both=both,
        either=either,
    )


def _owners(
    true_numbers: NDArray[np.integer[Any]], found_numbers: NDArray[np.integer[Any]], n_found: int
) -> NDArray[np.intp]:
    """Give the true object that each found one shares most voxels with, 0 for none."""
    owner = np.zeros(n_found + 1, np.intp)
    pairs, counts = np.unique(np.stack([found_numbers, true_numbers]), axis=1, return_counts=True)
    order = np.argsort(counts, kind="stable")
    owner[pairs[0, order]] = pairs[1, order]  # the largest is written last
    return owner


def surface_distances_px(truth: MaskVolume, found: MaskVolume) -> NDArray[np.float32]:
    """Give how far each voxel of either surface lies from the other, voxels; none if one is empty.

    A voxel belongs to the surface if a neighbour by a face does not belong to the class.
    """
    if not truth.any() or not found.any():
        return np.zeros(0, np.float32)
    first, second = _surface(truth), _surface(found)
    parts = [
        ndimage.distance_transform_edt(~other)[one]
        for one, other in ((first, second), (second, first))
    ]
    return np.concatenate(parts).astype(np.float32)


def _surface(mask: MaskVolume) -> MaskVolume:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))
