"""Which weights make the best mean of several networks."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError

_STEPS = 10  # tenths, as published


def ensemble_weights(
    probabilities: Sequence[NDArray[np.float32]], classes: NDArray[np.uint8]
) -> tuple[float, ...]:
    """Try all weights in steps of a tenth; give those of the largest macro IoU.

    Parameters
    ----------
    probabilities
        Of each network for the same voxels, shape (n_voxels, n_classes).
    classes
        Truth, shape (n_voxels,).

    Returns
    -------
    tuple
        One weight a network, adding up to 1; of equal scores the first one tried.

    Raises
    ------
    ShapeError
        If the probabilities differ in shape, or from the classes.
    """
    shapes = {each.shape for each in probabilities}
    if len(shapes) != 1 or next(iter(shapes))[0] != len(classes):
        msg = f"probabilities have shapes {sorted(shapes)}, classes {classes.shape}"
        raise ShapeError(f"{msg}; give all networks the same voxels")
    best, chosen = -1.0, (0,) * len(probabilities)
    for tenths in _splits(_STEPS, len(probabilities)):
        mean = sum(n * each for n, each in zip(tenths, probabilities, strict=True) if n)
        score = _macro_iou(np.argmax(np.asarray(mean), axis=1), classes)
        if score > best:
            best, chosen = score, tenths
    return tuple(n / _STEPS for n in chosen)


def _splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _splits(total - first, parts - 1):
            yield (first, *rest)


def _macro_iou(found: NDArray[np.intp], truth: NDArray[np.uint8]) -> float:
    scores = []
    for each in np.unique(truth):
        both = np.count_nonzero((found == each) & (truth == each))
        either = np.count_nonzero((found == each) | (truth == each))
        scores.append(both / either)
    return float(np.mean(scores))
