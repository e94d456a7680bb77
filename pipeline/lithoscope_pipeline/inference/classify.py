"""Logits of a slice to classes, probabilities and sums; one pass, never a whole softmax.

torch's argmax over channels alone costs as much on a CPU as a fifth of the network.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume

Quantised = NDArray[np.uint8]
Sums = NDArray[np.float64]

#: A voxel whose best class is less probable than this was not recognised.
LOW_CONFIDENCE = 0.6
_LOG2_E = np.float32(1.4426950408889634)
# 2 ** f on [0, 1), relative error 2e-7: the minimax polynomial of degree 6.
_EXP2 = (
    np.float32(1.0),
    np.float32(0.6931471825),
    np.float32(0.2402264923),
    np.float32(0.0555036440),
    np.float32(0.0096181291),
    np.float32(0.0013333558),
    np.float32(0.0001540353),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """What a slice was recognised as.

    Parameters
    ----------
    labels
        Index of the most probable class, the first of equals; shape (rows, columns), uint8.
    share
        Summed probability of the chosen classes in 255ths, same shape.
    probabilities
        Of each class in 255ths, shape (n_classes, rows, columns), or empty where not asked for.
    soft_px
        Sum of the probability of each class, pixels, shape (n_classes,).
    confidence_sum, n_low
        Sum of the probability of the best class; pixels in which it is below 0.6.
    """

    labels: Quantised
    share: Quantised
    probabilities: Quantised
    soft_px: Sums
    confidence_sum: float
    n_low: int


def classify_logits(
    logits: FloatVolume,
    *,
    shape: tuple[int, int] | None = None,
    temperature: float = 1.0,
    share_of: tuple[int, ...] = (),
    with_probabilities: bool = False,
) -> SliceResult:
    """Turn the logits of a slice into classes and probabilities.

    Parameters
    ----------
    logits
        Shape (n_classes, rows, columns), float32, up to 255 classes.
    shape
        Rows and columns that belong to the slice; what lies beyond is left out.
    temperature
        Divides the logits before the softmax; the classes do not depend on it.
    share_of
        Classes whose summed probability is wanted.
    with_probabilities
        Whether the probabilities of all classes are wanted.

    Returns
    -------
    SliceResult
        Equal logits give equal bytes.

    Raises
    ------
    ShapeError
        If the logits are not those of a slice.
    ParameterError
        If the temperature is not positive.
    """
    if logits.ndim != 3 or not 1 <= logits.shape[0] <= 255:
        raise ShapeError(f"logits have shape {logits.shape}, (n_classes, rows, columns) is needed")
    if not temperature > 0:
        raise ParameterError(f"temperature is {temperature}, it must be positive")
    n_classes = logits.shape[0]
    rows, columns = logits.shape[1:] if shape is None else shape
    chosen = np.zeros(n_classes, np.float32)
    chosen[list(share_of)] = 1.0
    labels = np.empty((rows, columns), np.uint8)
    share = np.empty((rows, columns), np.uint8)
    kept = (n_classes, rows, columns) if with_probabilities else (n_classes, 0, 0)
    probabilities = np.empty(kept, np.uint8)
    soft_px = np.zeros(n_classes, np.float64)
    confidence_sum, n_low = _classify(
        logits,
        np.float32(1.0 / temperature),
        chosen,
        labels,
        share,
        probabilities,
        soft_px,
    )
    return SliceResult(
        labels=labels,
        share=share,
        probabilities=probabilities,
        soft_px=soft_px,
        confidence_sum=float(confidence_sum),
        n_low=int(n_low),
    )


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _exp(x):  # type: ignore[no-untyped-def]  # for numba
    """Give 2 ** (a fraction) and its whole exponent: e ** x for x <= 0, all fit for vectors."""
    y = max(x * _LOG2_E, np.float32(-126.0))
    whole = np.floor(y)
    f = y - whole
    power = _EXP2[5] + f * _EXP2[6]
    power = _EXP2[4] + f * power
    power = _EXP2[3] + f * power
    power = _EXP2[2] + f * power
    power = _EXP2[1] + f * power
    power = _EXP2[0] + f * power
    return power, whole


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _classify(logits, gain, chosen, labels, share, probabilities, soft_px):  # type: ignore[no-untyped-def]  # for numba
    n_classes = logits.shape[0]
    rows, columns = labels.shape
    best = np.empty(columns, np.float32)
    winner = np.empty(columns, np.uint8)
    total = np.empty(columns, np.float32)
    wanted = np.empty(columns, np.float32)
    weight = np.empty((n_classes, columns), np.float32)
    bits = np.empty(columns, np.int32)
    powers = bits.view(np.float32)
    sums = np.zeros((n_classes, columns), np.float32)
    confidence = np.zeros(columns, np.float32)
    n_low = 0
    is_kept = probabilities.shape[1] > 0
    for row in range(rows):
        for x in range(columns):
            best[x] = logits[0, row, x]
            winner[x] = 0
            total[x] = np.float32(0.0)
            wanted[x] = np.float32(0.0)
        for c in range(1, n_classes):
            for x in range(columns):
                value = logits[c, row, x]
                if value > best[x]:
                    best[x] = value
                    winner[x] = c
        for c in range(n_classes):
            for x in range(columns):
                power, whole = _exp((logits[c, row, x] - best[x]) * gain)
                weight[c, x] = power
                bits[x] = (np.int32(whole) + np.int32(127)) << np.int32(23)
            for x in range(columns):
                weight[c, x] *= powers[x]
                total[x] += weight[c, x]
                wanted[x] += weight[c, x] * chosen[c]
        for x in range(columns):
            total[x] = np.float32(1.0) / total[x]
            confidence[x] += total[x]
            if total[x] < np.float32(LOW_CONFIDENCE):
                n_low += 1
            labels[row, x] = winner[x]
            share[row, x] = np.uint8(
                min(wanted[x] * total[x] * np.float32(255.0) + np.float32(0.5), np.float32(255.0))
            )
        for c in range(n_classes):
            for x in range(columns):
                sums[c, x] += weight[c, x] * total[x]
            if is_kept:
                for x in range(columns):
                    probabilities[c, row, x] = np.uint8(
                        weight[c, x] * total[x] * np.float32(255.0) + np.float32(0.5)
                    )
    confidence_sum = 0.0
    for x in range(columns):
        confidence_sum += confidence[x]
    for c in range(n_classes):
        for x in range(columns):
            soft_px[c] += sums[c, x]
    return confidence_sum, n_low
