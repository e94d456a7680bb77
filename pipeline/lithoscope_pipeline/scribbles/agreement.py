"""How far labels of the same slices by several people agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAgreement:
    """Two people compared.

    Parameters
    ----------
    first, second
        Their numbers.
    differing
        Share of the voxels in which they differ: the sum of the subtracted images.
    dice, iou
        Of each class; NaN where neither has any.
    """

    first: int
    second: int
    differing: float
    dice: tuple[float, ...]
    iou: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Several people compared.

    Parameters
    ----------
    classes
        Values of the labels that anybody used, rising.
    n_voxels
        Voxels that everybody labelled; all else is left out.
    fractions
        Volume fraction of each class, shape (people, classes).
    mean, standard_deviation
        Of the volume fractions over people, shape (classes,); with n - 1 in the denominator.
    pairs
        Everybody with everybody.
    """

    classes: tuple[int, ...]
    n_voxels: int
    fractions: NDArray[np.float64]
    mean: NDArray[np.float64]
    standard_deviation: NDArray[np.float64]
    pairs: tuple[PairAgreement, ...]


def compare_labels(stacks: Sequence[LabelVolume]) -> Agreement:
    r"""Compare labels of the same voxels.

    Parameters
    ----------
    stacks
        Two or more, of one shape, uint8, `UNLABELLED` where somebody did not decide.

    Raises
    ------
    ParameterError
        If there are fewer than two, or no voxel is labelled in all of them.
    ShapeError
        If shapes differ.

    Notes
    -----
    With the volume fraction :math:`x_i` of person i, their mean and N people:
    :math:`s = \sqrt{\sum_i (x_i - \bar x)^2 / (N - 1)}`.
    """
    if len(stacks) < 2:
        raise ParameterError(f"{len(stacks)} labels were given; give two or more to compare")
    if any(each.shape != stacks[0].shape for each in stacks):
        raise ShapeError(f"labels have shapes {[each.shape for each in stacks]}; one is needed")
    known = np.logical_and.reduce([each != UNLABELLED for each in stacks])
    people = [each[known] for each in stacks]
    n_voxels = int(known.sum())
    if not n_voxels:
        raise ParameterError("no voxel is labelled in all; give labels of the same slices")
    counts = np.stack([np.bincount(each, minlength=UNLABELLED) for each in people])
    classes = np.flatnonzero(counts.any(axis=0))
    fractions = counts[:, classes] / n_voxels
    pairs = [
        _pair(first, second, people, counts, classes)
        for first, second in combinations(range(len(people)), 2)
    ]
    return Agreement(
        classes=tuple(int(each) for each in classes),
        n_voxels=n_voxels,
        fractions=fractions,
        mean=fractions.mean(axis=0),
        standard_deviation=fractions.std(axis=0, ddof=1),
        pairs=tuple(pairs),
    )


def dissent(stacks: Sequence[LabelVolume]) -> NDArray[np.float32]:
    """Give the share of people in each voxel who say other than most; 0 where some did not say."""
    known = np.logical_and.reduce([each != UNLABELLED for each in stacks])
    classes = np.unique(np.concatenate([np.unique(each) for each in stacks]))
    most = np.zeros(stacks[0].shape, np.uint16)
    for class_ in classes:
        votes = np.zeros(most.shape, np.uint16)
        for each in stacks:
            votes += each == class_
        np.maximum(most, votes, out=most)
    share = (len(stacks) - most) / np.float32(len(stacks))
    return np.where(known, share, 0).astype(np.float32)


def _pair(
    first: int,
    second: int,
    people: list[LabelVolume],
    counts: NDArray[np.intp],
    classes: NDArray[np.intp],
) -> PairAgreement:
    same = people[first] == people[second]
    both = np.bincount(people[first][same], minlength=UNLABELLED)[classes].astype(np.float64)
    total = (counts[first] + counts[second])[classes].astype(np.float64)
    with np.errstate(invalid="ignore"):  # a class that neither has: NaN
        dice, iou = 2 * both / total, both / (total - both)
    return PairAgreement(
        first=first,
        second=second,
        differing=1 - float(same.mean()),
        dice=tuple(float(each) for each in dice),
        iou=tuple(float(each) for each in iou),
    )
