"""Where the current flowed: how much each column gained or lost since the scan before."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.measure.charge import UM_PER_MAH_CM2

#: A face that is rounded to whole voxels lies anywhere in one; one that is found from
#: probabilities is good to a tenth of a voxel.
_ROUNDED_SD_PX: Final = 12**-0.5
_REFINED_SD_PX: Final = 0.1
_DETECTED: Final = 3.3
_WINDOW_PX: Final = 9
_S_PER_H: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthStep:
    """What lies between a scan and the one before.

    Parameters
    ----------
    on_time_s
        How long current has flowed.
    registration_residual_um
        How far the scans may lie beside each other in the plane.
    is_refined
        Whether faces were found to a fraction of a voxel in both.
    voxel_um
        Edge of a voxel.
    """

    on_time_s: float
    registration_residual_um: float
    is_refined: bool
    voxel_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentMap:
    """Local current density, positive where lithium was gained, mA/cm2, shape (n_z, n_x).

    Parameters
    ----------
    density_mA_cm2
        Of dense lithium; NaN where a column held none in one of both scans.
    limit_mA_cm2
        Least density that is told from nothing: 3.3 times the standard deviation.
    """

    density_mA_cm2: FloatImage  # noqa: N815 - a unit, spelt as units are
    limit_mA_cm2: FloatImage  # noqa: N815


def map_current_density(
    height_um: FloatImage, before_um: FloatImage, step: GrowthStep
) -> CurrentMap:
    """Turn the growth of a side into the current density that it takes.

    Parameters
    ----------
    height_um, before_um
        Lithium of one side along y now and in the scan before, shape (n_z, n_x), NaN for none.
    step
        What lies between them.

    Returns
    -------
    CurrentMap
        ``j = dh / (4.85 um per mAh/cm2) / on time``.

    Raises
    ------
    ShapeError
        If the maps differ in shape.
    ParameterError
        If no current has flowed.

    Notes
    -----
    The variance has three parts: the two faces, each rounded or refined; how rough the growth is
    from pixel to pixel around each pixel, where that is more; and the slope of the surface times
    the residual of the registration.
    """
    if height_um.shape != before_um.shape:
        msg = f"heights have shapes {height_um.shape} and {before_um.shape}, one grid is needed"
        raise ShapeError(msg)
    if not step.on_time_s > 0:
        msg = f"on_time_s is {step.on_time_s}; without current there is no current density"
        raise ParameterError(msg)
    growth_um = height_um.astype(np.float64) - before_um
    per_um = _S_PER_H / (UM_PER_MAH_CM2 * step.on_time_s)
    face_px = _REFINED_SD_PX if step.is_refined else _ROUNDED_SD_PX
    faces_um2 = 2.0 * (face_px * step.voxel_um) ** 2
    slope = _slope(before_um, step.voxel_um)
    variance_um2 = np.maximum(_roughness_um2(growth_um), faces_um2)
    variance_um2 += (slope * step.registration_residual_um) ** 2
    limit = np.where(np.isnan(growth_um), np.nan, _DETECTED * np.sqrt(variance_um2) * per_um)
    return CurrentMap(
        density_mA_cm2=(growth_um * per_um).astype(np.float32),
        limit_mA_cm2=limit.astype(np.float32),
    )


def _roughness_um2(growth_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean square of what a pixel differs from the mean of the nine around it."""
    known = np.isfinite(growth_um).astype(np.float64)
    filled = np.where(known > 0, growth_um, 0.0)
    around = ndimage.uniform_filter(filled, 3) / np.maximum(ndimage.uniform_filter(known, 3), 1e-9)
    # Of white noise the mean of nine pixels takes a ninth of the variance away.
    square = np.where(known > 0, (filled - around) ** 2 * 9 / 8, 0.0)
    share = np.maximum(ndimage.uniform_filter(known, _WINDOW_PX), 1e-9)
    return np.asarray(np.maximum(ndimage.uniform_filter(square, _WINDOW_PX), 0.0) / share)


def _slope(height_um: FloatImage, voxel_um: float) -> NDArray[np.float64]:
    """Give the slope of a surface, 0 where it is not known."""
    if min(height_um.shape) < 2:
        return np.zeros(height_um.shape)
    along_z, along_x = np.gradient(height_um.astype(np.float64), voxel_um)
    return np.asarray(np.nan_to_num(np.hypot(along_z, along_x), nan=0.0))
