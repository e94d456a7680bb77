"""How far an earlier scan still lies beside the present one, at a face that both show."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Profile = NDArray[np.float64]

_WINDOW_UM: Final = 18.0  # on either side of the face
_FEWEST_ROWS: Final = 6
_LEAST_ROWS: Final = 3  # on either side, where the region ends
_SMOOTHED_PX: Final = 2.0  # an interpolated profile is smoother than a measured one otherwise
_STEP_PX: Final = 0.02
#: Beyond this nothing says that what was found is the same face.
FARTHEST_PX: Final = 4.0


def find_residual_px(
    now: Profile, earlier: Profile, *, face_px: float, voxel_um: float
) -> float | None:
    """Find how far an earlier scan must be moved along y to lie over the present one.

    Parameters
    ----------
    now, earlier
        Mean grey values of each row of both scans, the earlier one warped over the present one,
        each in units of its own contrast, shape (n_y,).
    face_px
        Row of the face in the present scan.
    voxel_um
        Edge of a voxel.

    Returns
    -------
    float or None
        Voxels, up is positive, at the least squares of the difference of both profiles around the
        face, whatever their mean there; 0 where the face lies so close to the end of the region
        that nothing can be said. None where no place within 4 voxels fits best.
    """
    half_px = max(round(_WINDOW_UM / voxel_um), _FEWEST_ROWS)
    reach = int(FARTHEST_PX)
    first = max(int(face_px) - half_px, reach)
    stop = min(int(face_px) + half_px + 2, len(now) - reach)
    if not first + _LEAST_ROWS <= face_px < stop - _LEAST_ROWS:
        return 0.0
    rows = np.arange(first, stop)
    smooth_now, smooth_earlier = (
        gaussian_filter1d(each, _SMOOTHED_PX, mode="nearest") for each in (now, earlier)
    )
    n_steps = round(FARTHEST_PX / _STEP_PX)
    shifts_px = np.arange(-n_steps, n_steps + 1) * _STEP_PX
    moved = np.interp(rows - shifts_px[:, None], np.arange(len(now)), smooth_earlier)
    here = smooth_now[rows]
    apart = (moved - moved.mean(axis=1, keepdims=True)) - (here - here.mean())
    squares = (apart**2).mean(axis=1)
    best = int(np.argmin(squares))
    if best in (0, len(shifts_px) - 1):
        return None
    return float(shifts_px[best])
