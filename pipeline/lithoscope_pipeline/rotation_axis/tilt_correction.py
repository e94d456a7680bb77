"""Turn projections so that the rotation axis runs along the columns of the detector.

A detector that is turned in its plane by the angle ``tilt`` sees the axis at the column
``rotation_axis_px + (row - pivot_row_px) * tan(tilt)``; a positive tilt moves it to higher columns
at higher rows. Grey values between pixels come from cubic convolution [1]_, which looks at four
by four pixels and no farther, so that slabs of rows can be turned by themselves.

References
----------
.. [1] R. G. Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981).
   doi:10.1109/TASSP.1981.1163711
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack, field_axis_px

MAX_TILT_DEG = 10.0
_KERNEL_ROWS = 2  # that cubic convolution needs beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Straightening:
    """How to turn a detector.

    Parameters
    ----------
    tilt_deg
        Angle of the axis against the columns.
    rotation_axis_px
        Column of the axis in the row ``pivot_row_px``.
    pivot_row_px
        Row about which it is turned; it may lie outside a slab.
    """

    tilt_deg: float
    rotation_axis_px: float
    pivot_row_px: float


def correct_tilt(
    attenuation: FloatStack,
    tilt_deg: float,
    *,
    rotation_axis_px: float,
    pivot_row_px: float | None = None,
    rows: slice | None = None,
) -> FloatStack:
    """Turn projections by the tilt of the axis, which then stands at one column in all rows.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), float32.
    tilt_deg
        Angle of the axis against the columns, as :func:`find_rotation_axis` gives it.
    rotation_axis_px
        Column of the axis in the row ``pivot_row_px``, and in all rows of the result.
    pivot_row_px
        Row about which it is turned, counted in ``attenuation``, outside it for a slab beside
        the middle of the detector; the middle row by default.
    rows
        Rows of ``attenuation`` to give; all by default. The others feed them: see
        :func:`tilt_halo_rows`. A row has the same bytes from whatever slab that holds these.

    Returns
    -------
    FloatStack
        Shape (n_angles, n_wanted_rows, n_columns), float32. What lies outside the detector is
        that of its border.

    Raises
    ------
    ShapeError
        If ``attenuation`` is not a stack.
    ParameterError
        If the tilt exceeds 10 degrees or twice the pivot row is no integer.
    """
    if attenuation.ndim != 3:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    n_angles, n_rows, _ = attenuation.shape
    pivot_px = field_axis_px(n_rows) if pivot_row_px is None else pivot_row_px
    return straightened(
        attenuation,
        Straightening(tilt_deg=tilt_deg, rotation_axis_px=rotation_axis_px, pivot_row_px=pivot_px),
        views=np.arange(n_angles),
        rows=np.arange(n_rows)[rows or slice(None)],
    )


def tilt_halo_rows(
    rows: slice, n_rows: int, tilt_deg: float, n_columns: int
) -> tuple[slice, int, int]:
    """Say which rows of the detector a slab needs so that its tilt can be corrected.

    Parameters
    ----------
    rows
        Rows wanted.
    n_rows, n_columns
        Of the detector.
    tilt_deg
        Angle of the axis against the columns; 0 needs no more than ``rows``.

    Returns
    -------
    tuple
        Rows to read, and how many of them lie before and after those wanted.
    """
    if tilt_deg == 0.0:
        return rows, 0, 0
    halo = int(np.ceil(np.sin(np.deg2rad(abs(tilt_deg))) * n_columns)) + _KERNEL_ROWS
    # Rows draw nearer by the cosine: this counts only far from the pivot.
    halo += int(np.ceil((1.0 - np.cos(np.deg2rad(tilt_deg))) * n_rows))
    first, last = max(0, rows.start - halo), min(n_rows, rows.stop + halo)
    return slice(first, last), rows.start - first, last - rows.stop


def straightened(
    attenuation: FloatStack,
    straightening: Straightening,
    *,
    views: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> FloatStack:
    """Turn some rows of some views; see :func:`correct_tilt`."""
    tilt_deg, pivot_px = straightening.tilt_deg, straightening.pivot_row_px
    if not abs(tilt_deg) <= MAX_TILT_DEG:
        raise ParameterError(
            f"tilt_deg is {tilt_deg}; at most {MAX_TILT_DEG:g} degrees are corrected, turn the "
            "detector"
        )
    if not float(2.0 * pivot_px).is_integer():
        raise ParameterError(f"pivot_row_px is {pivot_px}; a whole or half row is needed")
    out = np.empty((views.size, rows.size, attenuation.shape[2]), np.float32)
    tilt_rad = np.deg2rad(tilt_deg)
    _turn(
        np.asarray(attenuation, dtype=np.float32),
        views,
        rows,
        float(np.cos(tilt_rad)),
        float(np.sin(tilt_rad)),
        straightening.rotation_axis_px,
        pivot_px,
        out,
    )
    return out


@numba.njit(cache=True, nogil=True)
def _turn(
    images: FloatStack,
    views: NDArray[np.intp],
    rows: NDArray[np.intp],
    cosine: float,
    sine: float,
    axis_px: float,
    pivot_px: float,
    out: FloatStack,
) -> None:
    n_rows, n_columns = images.shape[1], images.shape[2]
    # Whole rows are added last: the remainder is then the same in every slab.
    whole_pivot = int(np.floor(pivot_px))
    part_pivot = pivot_px - whole_pivot
    down = np.empty(4, np.float32)
    across = np.empty(4, np.float32)
    for index in range(rows.size):
        rise = rows[index] - pivot_px
        for column in range(n_columns):
            aside = column - axis_px
            row = part_pivot + cosine * rise - sine * aside
            place = axis_px + sine * rise + cosine * aside
            above = int(np.floor(row))
            before = int(np.floor(place))
            _cubic(row - above, down)
            _cubic(place - before, across)
            above += whole_pivot
            for view in range(views.size):
                total = np.float32(0.0)
                for j in range(4):
                    y = min(max(above + j - 1, 0), n_rows - 1)
                    part = np.float32(0.0)
                    for i in range(4):
                        x = min(max(before + i - 1, 0), n_columns - 1)
                        part += across[i] * images[views[view], y, x]
                    total += down[j] * part
                out[view, index, column] = total


@numba.njit(cache=True, nogil=True)
def _cubic(t: float, weights: NDArray[np.float32]) -> None:
    weights[0] = ((-0.5 * t + 1.0) * t - 0.5) * t
    weights[1] = (1.5 * t - 2.5) * t * t + 1.0
    weights[2] = ((-1.5 * t + 2.0) * t + 0.5) * t
    weights[3] = (0.5 * t - 0.5) * t * t
