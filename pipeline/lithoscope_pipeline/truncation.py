"""Continue projections of a sample wider than the view past the borders of the detector.

The ramp filter reaches over the whole row: zeros outside the view would read as the end of the
sample and bend the grey values of the slice by as much as the contrast of lithium.
"""

from typing import Literal

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack

Extension = Literal["edge", "cosine", "zero"]


def extend_edges(
    attenuation: FloatStack, pad_px: int, *, mode: Extension = "edge", average_px: int = 1
) -> FloatStack:
    """Add columns on both sides of each projection.

    Parameters
    ----------
    attenuation
        Line integrals, shape (..., n_columns).
    pad_px
        Columns to add on each side.
    mode
        ``edge`` repeats the border value; ``cosine`` lets it fall to zero along half a cosine;
        ``zero`` adds zeros, right only for a sample inside the view.
    average_px
        Number of border columns averaged for the border value, against noise.

    Returns
    -------
    FloatStack
        Shape (..., n_columns + 2 ``pad_px``), float32.

    Raises
    ------
    ParameterError
        If ``pad_px`` is negative or ``average_px`` is outside 1..n_columns.
    ShapeError
        If there are no columns.

    Notes
    -----
    A slice of a truncated scan is known up to a smooth, nearly constant offset, whatever the
    extension [1]_.

    References
    ----------
    .. [1] R. Clackdoyle and M. Defrise, IEEE Signal Process. Mag. 27, 60 (2010).
       doi:10.1109/MSP.2010.936743
    """
    n_columns = attenuation.shape[-1] if attenuation.ndim else 0
    if n_columns == 0:
        raise ShapeError("attenuation without columns given, shape (..., column) is needed")
    if pad_px < 0 or not 1 <= average_px <= n_columns:
        raise ParameterError(
            f"pad_px is {pad_px} and average_px {average_px}; at least 0 and "
            f"1..{n_columns} are needed"
        )
    shape = (*attenuation.shape[:-1], n_columns + 2 * pad_px)
    extended = np.zeros(shape, dtype=np.float32)
    extended[..., pad_px : pad_px + n_columns] = attenuation
    if mode == "zero" or pad_px == 0:
        return extended

    left = attenuation[..., :average_px].mean(axis=-1, keepdims=True)
    right = attenuation[..., -average_px:].mean(axis=-1, keepdims=True)
    fall = np.ones(pad_px, dtype=np.float32)
    if mode == "cosine":
        distance = (np.arange(pad_px) + 1.0) / (pad_px + 1.0)
        fall = (0.5 + 0.5 * np.cos(np.pi * distance)).astype(np.float32)
    extended[..., :pad_px] = left * fall[::-1]
    extended[..., pad_px + n_columns :] = right * fall
    return extended
