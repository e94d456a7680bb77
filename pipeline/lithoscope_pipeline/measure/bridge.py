"""How probable a bridge is: the largest p* at which {P(lithium) >= p*} joins both electrodes.

A way from electrode to electrode is as probable as its least probable voxel. The best way is
found by trying levels: of a level, the voxels at or above it are connected as labels are.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.components import connect_runs
from lithoscope_pipeline.measure.connectivity import holds_electrode
from lithoscope_pipeline.measure.runs import LabelRuns, LabelSource, encode_runs
from lithoscope_pipeline.metric import Metric, measured, not_measured

#: Levels are steps of 0.05: the probabilities of a network say no more.
N_LEVELS: Final = 20
_MOST: Final = 255
_STRIPPING, _PLATING = N_LEVELS + 1, N_LEVELS + 2


def measure_bridge(
    labels: LabelSource, lithium_share: LabelSource | None, *, slab_slices: int = 64
) -> Metric:
    """Measure how probable it is that lithium joins both electrodes.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x): where the electrodes are.
    lithium_share
        Probability of lithium of any class in 255ths, same shape; None where it was not kept.
    slab_slices
        Slices that are read together.

    Returns
    -------
    Metric
        ``bridge_probability`` in steps of 0.05, rounded down; 0 where no level joins them.
        Without a value (``no_probabilities``, ``one_electrode_missing``).

    Raises
    ------
    ShapeError
        If the probabilities are not those of the same volume.
    """
    if lithium_share is None:
        return not_measured("1", "no_probabilities")
    if tuple(lithium_share.shape) != tuple(labels.shape):
        msg = f"lithium_share has shape {lithium_share.shape}, labels have {labels.shape}"
        raise ShapeError(msg)
    runs = encode_runs(_Levels(labels, lithium_share), slab_slices=slab_slices, most=_PLATING)
    if not (runs.labels == _STRIPPING).any() or not (runs.labels == _PLATING).any():
        return not_measured("1", "one_electrode_missing")
    low, high = 0, N_LEVELS + 1  # of level 0 nothing is asked, above the highest none is
    while high - low > 1:
        middle = (low + high) // 2
        if _joins(runs, middle):
            low = middle
        else:
            high = middle
    return measured(low / N_LEVELS, "1", voxels=int(np.prod(runs.shape)))


class _Levels:
    """Levels of probability as labels; voxels of an electrode have a number of their own."""

    def __init__(self, labels: LabelSource, lithium_share: LabelSource) -> None:
        self._labels, self._share = labels, lithium_share
        self.shape: tuple[int, ...] = tuple(labels.shape)

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[Any]:  # of levels
        labels, share = self._labels[box], self._share[box]
        levels = (share.astype(np.uint16) * N_LEVELS // _MOST).astype(np.uint8)
        levels[labels == Label.STRIPPING_ELECTRODE] = _STRIPPING
        levels[labels == Label.PLATING_ELECTRODE] = _PLATING
        return levels


def _joins(runs: LabelRuns, level: int) -> bool:
    """Say whether one piece at or above a level holds a part of both electrodes."""
    pieces = connect_runs(runs, runs.labels >= level)
    return bool(
        (holds_electrode(runs, pieces, _STRIPPING) & holds_electrode(runs, pieces, _PLATING)).any()
    )
