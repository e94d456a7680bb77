"""Lay an earlier scan over the present one: each electrode moves with its own outer face."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatVolume

# Rows below the plating electrode's surface that move with it: its roughness, blur and fringes.
_KEPT_PX = 3.0
# Below them the electrolyte and what grows into it stay; the rows between are stretched, which
# is where lithium was plated since.
_LEAST_ZONE_PX = 4.0
_ZONE_PER_SHRINKAGE = 2.0


def warp_earlier(
    volume: FloatVolume,
    stripping_shift_px: FloatImage,
    plating_shift_px: FloatImage,
    *,
    plating_inner_px: float,
    first_row: int = 0,
) -> FloatVolume:
    """Move the rows of an earlier scan to where the present one has them.

    Both scans lie in the reference frame, which is that of the stationary outer face; the other
    electrode has moved along y by what was plated on it since. What lies below the original
    surface of the plating electrode follows the stripping side, what lies above it follows the
    plating side; a zone right below that surface is stretched or squeezed to fill what is
    between, which is the lithium plated or taken since.

    Parameters
    ----------
    volume
        The earlier scan in the reference frame, shape (n_z, n_y, n_x), float32.
    stripping_shift_px, plating_shift_px
        How far each outer face has moved along y from the earlier scan to the present one,
        voxels, up is positive, shape (n_z, n_x): for scan ``t`` and an earlier scan ``s`` the
        displacement of ``t`` since scan 0 minus that of ``s``.
    plating_inner_px
        Row at which the plating electrode begins in the earlier scan: its surface in scan 0
        (``find_grey_references(scan_0).edges_px[2]``) plus its mean displacement in ``s``.
    first_row
        Row of the reference frame in which the volume begins, in the unit of
        ``plating_inner_px``.

    Returns
    -------
    FloatVolume
        The earlier scan over the present one, same shape; the nearest row where it ends.

    Raises
    ------
    ShapeError
        If the maps do not have one value for each column of the volume.
    ParameterError
        If a shift is not finite: a face that is not resolved has no map.
    """
    columns = volume.shape[0], volume.shape[2]
    for name, shift_px in (("stripping", stripping_shift_px), ("plating", plating_shift_px)):
        if shift_px.shape != columns:
            msg = f"{name}_shift_px has shape {shift_px.shape}, the volume has columns {columns}"
            raise ShapeError(msg)
        if not np.isfinite(shift_px).all():
            msg = f"{name}_shift_px is not finite; leave the earlier scan out where no face is"
            raise ParameterError(msg)
    out = np.empty(volume.shape, np.float32)
    _warp(
        np.ascontiguousarray(volume, np.float32),
        np.ascontiguousarray(stripping_shift_px, np.float64),
        np.ascontiguousarray(plating_shift_px, np.float64),
        float(plating_inner_px - first_row) - _KEPT_PX,
        out,
    )
    return out


@njit(cache=True, nogil=True)
def _warp(
    volume: FloatVolume,
    low_shift: NDArray[np.float64],
    high_shift: NDArray[np.float64],
    inner: float,
    out: FloatVolume,
) -> None:
    """Fill ``out`` by linear interpolation along y."""
    n_z, n_y, n_x = volume.shape
    for z in range(n_z):
        for x in range(n_x):
            low, high = low_shift[z, x], high_shift[z, x]
            zone = _LEAST_ZONE_PX + _ZONE_PER_SHRINKAGE * max(low - high, 0.0)
            first, last = inner - zone + low, inner + high
            for y in range(n_y):
                if y <= first:
                    at = y - low
                elif y >= last:
                    at = y - high
                else:
                    at = inner - zone + zone * (y - first) / (last - first)
                at = min(max(at, 0.0), n_y - 1.0)
                row = min(int(at), n_y - 2) if n_y > 1 else 0
                share = np.float32(at - row)
                here = volume[z, row, x]
                ahead = volume[z, min(row + 1, n_y - 1), x]
                out[z, y, x] = here + share * (ahead - here)
