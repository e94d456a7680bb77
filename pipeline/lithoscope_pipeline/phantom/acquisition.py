"""Angles in the order of acquisition, rows of the tiles, and where the axis stands in each.

Interlaced half-turns follow each other in bit-reversed order [1]_, so that the angles taken so far
are spread nearly evenly at any time; the golden angle does the same after every projection [2]_.

References
----------
.. [1] K. A. Mohan et al., IEEE Trans. Comput. Imaging 1, 96 (2015).
   doi:10.1109/TCI.2015.2431913
.. [2] T. Köhler, IEEE Nucl. Sci. Symp. Conf. Rec. 6, 3961 (2004).
   doi:10.1109/NSSMIC.2004.1466745
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatStack, field_axis_px
from lithoscope_pipeline.phantom.acquisition_parameters import AcquisitionParameters
from lithoscope_pipeline.phantom.parameters import DetectorParameters
from lithoscope_pipeline.phantom.texture import seeded

HALF_TURN_DEG: Final = 180.0
GOLDEN_ANGLE_DEG: Final = HALF_TURN_DEG * (5.0**0.5 - 1.0) / 2.0
_AXIS_STREAM: Final = 53


def angles_deg(
    acquisition: AcquisitionParameters, n_angles: int, *, scan: int = 0
) -> NDArray[np.float64]:
    """Return the angle of each projection of a scan, in the order of acquisition.

    Parameters
    ----------
    acquisition
        The order of the angles.
    n_angles
        Projections of the scan.
    scan
        Number of the scan; back and forth, odd ones run backwards.

    Returns
    -------
    NDArray[np.float64]
        Degrees, shape (n_angles,). Linear: ``i * 180 / n_angles``. Interlaced: the same angles,
        each half-turn a half-turn further on, for the stage never turns back. Golden: in [0, 180).
    """
    step_deg = HALF_TURN_DEG / n_angles
    counts = np.arange(n_angles, dtype=np.float64)
    match acquisition.order:
        case "linear":
            angles = counts * step_deg
        case "interlaced":
            n_sub_scans = min(acquisition.n_sub_scans, n_angles)
            sub_scans = [
                np.arange(offset, n_angles, n_sub_scans) * step_deg + turn * HALF_TURN_DEG
                for turn, offset in enumerate(_bit_reversed(n_sub_scans))
            ]
            angles = np.concatenate(sub_scans)
        case "golden":
            angles = np.mod(counts * GOLDEN_ANGLE_DEG, HALF_TURN_DEG)
    is_backwards = acquisition.is_back_and_forth and scan % 2 == 1
    return np.ascontiguousarray(angles[::-1]) if is_backwards else angles


def _bit_reversed(count: int) -> list[int]:
    """Return 0 to count - 1, each next one far from those before."""
    n_bits = max(1, (count - 1).bit_length())
    order = (int(f"{number:0{n_bits}b}"[::-1], 2) for number in range(2**n_bits))
    return [number for number in order if number < count]


def tile_first_row(detector: DetectorParameters, tile: int) -> int:
    """Return the first row of the volume that a tile sees.

    Raises
    ------
    ParameterError
        If the scan has no such tile.
    """
    acquisition = detector.acquisition
    if not 0 <= tile < acquisition.n_tiles:
        raise ParameterError(
            f"tile {tile} was asked for, the scan has 0 to {acquisition.n_tiles - 1}"
        )
    return tile * (detector.n_rows - acquisition.tile_overlap_rows)


def axis_change_px(detector: DetectorParameters, seed: int, tile: int) -> float:
    """Return how far the rotation axis of a tile lies from that of the first; 0 for the first."""
    if tile == 0:
        return 0.0
    share = float(seeded(seed, _AXIS_STREAM, tile).uniform(-1.0, 1.0))
    return detector.acquisition.axis_change_px * share


def tilt_margin_rows(detector: DetectorParameters) -> int:
    """Return how many rows beyond its own a detector sees because the axis is tilted."""
    tilt_rad = np.radians(abs(detector.acquisition.axis_tilt_deg))
    if tilt_rad == 0.0:
        return 0
    # The axis may stand at any column; two more rows feed the spline.
    return int(np.ceil(np.sin(tilt_rad) * detector.n_columns)) + 2


def tilted(
    attenuation: FloatStack, detector: DetectorParameters, rotation_axis_px: float
) -> FloatStack:
    """Turn projections with a margin of rows into what a tilted detector sees, without it.

    Parameters
    ----------
    attenuation
        Line integrals seen by a detector whose columns run along the axis, shape (n_angles,
        n_rows + 2 * margin, n_columns).
    detector
        Its rows, columns and tilt.
    rotation_axis_px
        Column of the axis in the middle row, about which the detector is turned.

    Returns
    -------
    FloatStack
        Shape (n_angles, n_rows, n_columns), by cubic splines; without tilt the same array.
    """
    margin = tilt_margin_rows(detector)
    if margin == 0:
        return attenuation
    tilt_rad = np.radians(detector.acquisition.axis_tilt_deg)
    turn = np.array([[np.cos(tilt_rad), np.sin(tilt_rad)], [-np.sin(tilt_rad), np.cos(tilt_rad)]])
    seen = np.array([field_axis_px(detector.n_rows), rotation_axis_px])
    straight = seen + np.array([margin, 0.0])
    shape = detector.n_rows, detector.n_columns
    out = np.empty((len(attenuation), *shape), np.float32)
    for projection, image in zip(attenuation, out, strict=True):
        ndimage.affine_transform(
            projection, turn, straight - turn @ seen, output=image, order=3, mode="nearest"
        )
    return out
