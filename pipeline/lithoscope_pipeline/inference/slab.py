"""Run a network over the slices of a slab, tile by tile, in batches of one fixed size.

A voxel depends on its slice and its neighbours alone: slabs and batches of any size give the same
bytes, as long as the network gives one patch the same bytes at every place of a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.inference.classify import SliceResult, classify_logits
from lithoscope_pipeline.inference.tiling import TilePlan, blend_weights

#: Patches (n, channels, rows, columns) and their logits (n, classes, rows, columns), float32.
Patches = NDArray[np.float32]
Runner = Callable[[Patches], Patches]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceParameters:
    """How a slab is worked on.

    Parameters
    ----------
    plan
        Tiles of a slice.
    batch
        Patches that are given to the network at once, always so many.
    n_classes
        Channels of the logits.
    temperature, share_of, with_probabilities
        As for `classify_logits`.
    """

    plan: TilePlan
    batch: int
    n_classes: int
    temperature: float = 1.0
    share_of: tuple[int, ...] = ()
    with_probabilities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabResult:
    """What a slab was recognised as.

    Parameters
    ----------
    labels
        Index of the class, shape (n_slices, rows, columns), uint8.
    share
        Summed probability of the chosen classes in 255ths, same shape.
    probabilities
        In 255ths, shape (n_slices, n_classes, rows, columns); None where not asked for.
    soft_px
        Sum of the probability of each class in each slice, shape (n_slices, n_classes).
    confidence_sum, n_low
        Of each slice, see `SliceResult`.
    """

    labels: LabelVolume
    share: LabelVolume
    probabilities: NDArray[np.uint8] | None
    soft_px: NDArray[np.float64]
    confidence_sum: NDArray[np.float64]
    n_low: NDArray[np.int64]


def infer_slab(inputs: Patches, run: Runner, parameters: InferenceParameters) -> SlabResult:
    """Label the slices of a slab.

    Parameters
    ----------
    inputs
        What the network sees of each slice, shape (n_slices, channels, rows, columns), float32:
        neighbours are channels, so that slices stand for themselves.
    run
        The network: ``parameters.batch`` patches to their logits.
    parameters
        Tiles, batch and what is wanted.

    Returns
    -------
    SlabResult
        One entry a slice.

    Raises
    ------
    ShapeError
        If inputs do not fit the tiles, or logits do not fit the patches.
    """
    plan = parameters.plan
    if inputs.ndim != 4 or inputs.shape[2:] != plan.shape:
        raise ShapeError(
            f"inputs have shape {inputs.shape}, (slices, channels, {plan.shape[0]}, "
            f"{plan.shape[1]}) is needed"
        )
    slices = [
        classify_logits(
            logits,
            shape=plan.shape,
            temperature=parameters.temperature,
            share_of=parameters.share_of,
            with_probabilities=parameters.with_probabilities,
        )
        for logits in _logits_of_slices(inputs, run, parameters)
    ]
    return _stacked(slices, plan, parameters)


def _logits_of_slices(
    inputs: Patches, run: Runner, parameters: InferenceParameters
) -> Iterator[FloatVolume]:
    """Give the blended logits of one slice after another."""
    plan, n_slices = parameters.plan, len(inputs)
    if plan.is_single:
        yield from _logits_of_tiles(inputs, run, parameters)
        return
    weights = blend_weights(plan.tile)
    shape = plan.padded_shape
    tiles = _logits_of_tiles(inputs, run, parameters)
    scale = np.zeros(shape, np.float32)
    for start in plan.starts:
        _add_weights(scale, weights, start[0], start[1])
    for _ in range(n_slices):
        blended = np.zeros((parameters.n_classes, *shape), np.float32)
        for row, column in plan.starts:
            _add_tile(blended, next(tiles), weights, row, column)
        blended /= scale
        yield blended


def _logits_of_tiles(
    inputs: Patches, run: Runner, parameters: InferenceParameters
) -> Iterator[FloatVolume]:
    """Give the logits of the tiles of all slices in order, run in batches of one size."""
    plan = parameters.plan
    rows, columns = plan.tile
    places = [(z, *start) for z in range(len(inputs)) for start in plan.starts]
    expected = (parameters.batch, parameters.n_classes, rows, columns)
    for first in range(0, len(places), parameters.batch):
        chosen = places[first : first + parameters.batch]
        patches = np.zeros((parameters.batch, inputs.shape[1], rows, columns), np.float32)
        for patch, (z, row, column) in zip(patches, chosen, strict=False):
            _fill(patch, inputs[z], row, column)
        logits = run(patches)
        if logits.shape != expected:
            raise ShapeError(f"the network gave logits of shape {logits.shape}, not {expected}")
        yield from logits[: len(chosen)]


def _fill(patch: FloatVolume, image: FloatVolume, row: int, column: int) -> None:
    """Cut a tile out of a slice; beyond the rim it goes on with the last value."""
    part = image[:, row : row + patch.shape[1], column : column + patch.shape[2]]
    _, n_rows, n_columns = part.shape
    patch[:, :n_rows, :n_columns] = part
    if n_columns < patch.shape[2]:
        patch[:, :n_rows, n_columns:] = part[:, :, -1:]
    if n_rows < patch.shape[1]:
        patch[:, n_rows:] = patch[:, n_rows - 1 : n_rows]


def _stacked(
    slices: list[SliceResult], plan: TilePlan, parameters: InferenceParameters
) -> SlabResult:
    shape = (len(slices), *plan.shape)
    labels, share = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for z, each in enumerate(slices):
        labels[z], share[z] = each.labels, each.share
    n_classes = parameters.n_classes
    return SlabResult(
        labels=labels,
        share=share,
        probabilities=(
            np.stack([each.probabilities for each in slices])
            if parameters.with_probabilities
            else None
        ),
        soft_px=np.array([each.soft_px for each in slices]).reshape(-1, n_classes),
        confidence_sum=np.array([each.confidence_sum for each in slices], np.float64),
        n_low=np.array([each.n_low for each in slices], np.int64),
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _add_tile(blended, tile, weights, row, column):  # type: ignore[no-untyped-def]  # for numba
    for c in range(tile.shape[0]):
        for i in range(tile.shape[1]):
            for j in range(tile.shape[2]):
                blended[c, row + i, column + j] += tile[c, i, j] * weights[i, j]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _add_weights(scale, weights, row, column):  # type: ignore[no-untyped-def]  # for numba
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            scale[row + i, column + j] += weights[i, j]
