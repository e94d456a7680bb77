"""Scores from counts of voxels by truth and finding, and of how sure a network was."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.labels import UNLABELLED, SegmentClass

Counts = NDArray[np.int64]
#: Bins of probability, evenly from 0 to 1.
N_BINS: Final = 15
_LARGEST: Final = 255
_LITHIUM: Final = [SegmentClass.ELECTRODE, SegmentClass.DEPOSITED, SegmentClass.DENDRITE]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelScores:
    """Scores of all voxels; NaN for a class that is neither there nor found.

    Parameters
    ----------
    iou, dice
        Of each class.
    macro_iou, mean_dice
        Means over the classes.
    frequency_weighted_iou
        Mean of the IoU, each class counting as often as it is there.
    accuracy
        Share of voxels that are right.
    volume_bias
        Found over true voxels of each class, less 1.
    lithium_iou
        IoU of electrode, deposited lithium and dendrites together: what grey values can tell.
    """

    iou: tuple[float, ...]
    dice: tuple[float, ...]
    macro_iou: float
    mean_dice: float
    frequency_weighted_iou: float
    accuracy: float
    volume_bias: tuple[float, ...]
    lithium_iou: float


def confusion_of(truth: NDArray[Any], found: NDArray[Any], n_classes: int) -> Counts:
    """Count voxels by (truth, finding), shape (classes, classes), leaving out unlabelled ones."""
    known = truth != UNLABELLED
    pairs = n_classes * truth[known].astype(np.int64) + found[known]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def iou_of(confusion: Counts) -> NDArray[np.float64]:
    """Give intersection over union of each class; NaN for one that is nowhere."""
    both = np.diag(confusion).astype(np.float64)
    return _over(both, confusion.sum(0) + confusion.sum(1) - both)


def score_voxels(confusion: Counts) -> VoxelScores:
    """Score counts of voxels.

    Parameters
    ----------
    confusion
        By truth and finding, of the classes of `SegmentClass`, from `confusion_of`.
    """
    both = np.diag(confusion).astype(np.float64)
    there, found = confusion.sum(1).astype(np.float64), confusion.sum(0).astype(np.float64)
    iou, dice = iou_of(confusion), _over(2 * both, there + found)
    total = max(float(there.sum()), 1.0)
    of_lithium = confusion[np.ix_(_LITHIUM, _LITHIUM)].sum()
    either = there[_LITHIUM].sum() + found[_LITHIUM].sum() - of_lithium
    return VoxelScores(
        iou=tuple(iou.tolist()),
        dice=tuple(dice.tolist()),
        macro_iou=float(np.nanmean(iou)),
        mean_dice=float(np.nanmean(dice)),
        frequency_weighted_iou=float(np.nansum(iou * there) / total),
        accuracy=float(both.sum() / total),
        volume_bias=tuple((_over(found, there) - 1.0).tolist()),
        lithium_iou=float(of_lithium / either) if either else float("nan"),
    )


def count_calibration(
    best: NDArray[np.uint8], found: NDArray[Any], truth: NDArray[Any]
) -> NDArray[np.float64]:
    """Count voxels by how sure a network was of its class.

    Parameters
    ----------
    best
        Probability of the best class, in 255ths.
    found, truth
        Classes, same shape.

    Returns
    -------
    NDArray
        Number of voxels, sum of their probabilities, and number of right ones, shape
        (3, `N_BINS`); counts of several volumes add up.
    """
    known = truth != UNLABELLED
    sure = best[known] / np.float64(_LARGEST)
    bins = np.minimum((sure * N_BINS).astype(np.intp), N_BINS - 1)
    right = (found[known] == truth[known]).astype(np.float64)
    return np.stack(
        [np.bincount(bins, each, N_BINS) for each in (np.ones_like(sure), sure, right)]
    )


def calibration_error(counts: NDArray[np.float64]) -> float:
    """Give the mean difference of probability and share of right voxels over the bins [1]_.

    References
    ----------
    .. [1] M. P. Naeini et al., AAAI 2015, expected calibration error.
    """
    n, sure, right = counts
    return float(np.abs(sure - right).sum() / n.sum()) if n.sum() else float("nan")


def _over(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)
