"""Coarser frames: the mean of squares of pixels."""

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack


def bin_frames(frames: FloatStack, factor: int) -> FloatStack:
    """Average squares of pixels.

    Parameters
    ----------
    frames
        Shape (n, n_rows, n_columns).
    factor
        Edge of a square in pixels. Rows and columns that are left over at the end are dropped.

    Returns
    -------
    FloatStack
        Shape (n, n_rows // factor, n_columns // factor), float32. The centre of pixel 0 lies at
        ``(factor - 1) / 2`` of the frames given; see `binned_px`.

    Raises
    ------
    ParameterError
        If ``factor`` is below 1.
    ShapeError
        If a frame is smaller than a square.
    """
    if factor < 1:
        raise ParameterError(f"factor is {factor}, at least 1 is needed")
    if frames.ndim != 3 or min(frames.shape[1:]) < factor:
        raise ShapeError(
            f"frames of shape {frames.shape} cannot be binned by {factor}; (n, row, column) is "
            "needed, with as many rows and columns at least"
        )
    n, rows, columns = len(frames), frames.shape[1] // factor, frames.shape[2] // factor
    whole = frames[:, : rows * factor, : columns * factor]
    # Rows first: they lie far apart, and then there is less to do.
    sums = whole.reshape(n, rows, factor, columns * factor).sum(axis=2, dtype=np.float32)
    sums = sums.reshape(n, rows, columns, factor).sum(axis=3)
    return np.asarray(sums / np.float32(factor**2), dtype=np.float32)


def binned_px(position_px: float, factor: int) -> float:
    """Give a position in pixels, such as that of the rotation axis, in squares of pixels."""
    return (position_px - 0.5 * (factor - 1)) / factor
