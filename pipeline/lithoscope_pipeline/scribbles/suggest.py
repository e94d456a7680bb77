"""Which slices to paint next: where a model is least sure, and where classes are rare."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceDoubt:
    """How sure a model is of a slice.

    Parameters
    ----------
    shares
        Mean probability of each class, shape (classes,), adding up to 1.
    doubt
        Entropy of the pixels in units of its largest value, split by class in proportion to the
        probabilities and averaged over the slice, shape (classes,), 0..1 in all.
    """

    shares: NDArray[np.float64]
    doubt: NDArray[np.float64]


def slice_doubt(probabilities: NDArray[np.float32]) -> SliceDoubt:
    """Sum up the probabilities of one slice, shape (rows, columns, classes)."""
    flat = probabilities.reshape(-1, probabilities.shape[-1]).astype(np.float64)
    logs = np.log(flat, out=np.zeros_like(flat), where=flat > 0)
    entropy = -(flat * logs).sum(axis=1) / np.log(flat.shape[1])
    return SliceDoubt(shares=flat.mean(axis=0), doubt=(flat * entropy[:, None]).mean(axis=0))


def suggest_slices(
    doubts: Sequence[SliceDoubt],
    *,
    labelled: Collection[int],
    n_slices: int,
    spacing: int = 8,
) -> tuple[int, ...]:
    """Choose the slices whose labels would teach most.

    The score of a slice is its doubt, that of a class counted by one over the root of its share
    of the volume; near a slice that is labelled, or already chosen, it falls to 0, for
    neighbours show the same things.

    Parameters
    ----------
    doubts
        Of each slice of the volume, in their order.
    labelled
        Slices that have labels.
    n_slices
        How many to choose, over 0.
    spacing
        Slices from a known one from which on a score counts fully.

    Returns
    -------
    tuple of int
        Best first; fewer than asked for where no further slice has a score.
    """
    if n_slices < 1 or spacing < 1:
        raise ParameterError("n_slices and spacing are at least 1")
    if not doubts:
        return ()
    shares = np.mean([each.shares for each in doubts], axis=0)
    rarity = 1 / np.sqrt(np.maximum(shares, 1e-4))  # a class never seen does not decide all
    scores = np.array([each.doubt @ rarity for each in doubts])
    numbers = np.arange(len(doubts))
    for known in labelled:
        scores = scores * np.minimum(np.abs(numbers - known) / spacing, 1)
    found: list[int] = []
    while len(found) < n_slices and scores.max() > 0:
        best = int(scores.argmax())
        found.append(best)
        scores = scores * np.minimum(np.abs(numbers - best) / spacing, 1)
    return tuple(found)
