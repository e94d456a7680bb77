"""How rough the facing surfaces are: Sa and Sq of ISO 25178-2.

References
----------
.. [1] ISO 25178-2:2021, Surface texture: Areal, 4.2.1 and 4.2.2.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.measure.side_heights import SideHeights
from lithoscope_pipeline.metric import Metric, measured, not_measured

#: With fewer pixels a plane takes all that is rough.
_LEAST_PIXELS: Final = 100


def measure_roughness(heights: SideHeights) -> dict[str, Metric]:
    """Measure the roughness of the surface of each side, above its smoothed outer face.

    Parameters
    ----------
    heights
        Surfaces and outer faces of both sides.

    Returns
    -------
    dict
        ``<side>_surface_sa_um``, the mean of ``|z|``, and ``<side>_surface_sq_um``, the root of
        the mean of ``z**2``, where z is the height above the plane of least squares through the
        surface; dendrites belong to the surface of the plating side. Pixels without lithium are
        left out; without a value where there are fewer than 100 others.

    Notes
    -----
    What is finer than a voxel or the blur of the image is not seen, and noise adds to Sq as the
    root of the sum of squares: values compare with those of the same instrument.
    """
    return {
        **_measure_side("plating", heights.plating_outer_um - heights.plating_surface_um),
        **_measure_side("stripping", heights.stripping_surface_um - heights.stripping_outer_um),
    }


def _measure_side(side: str, height_um: FloatImage) -> dict[str, Metric]:
    known = np.isfinite(height_um)
    n = int(np.count_nonzero(known))
    names = f"{side}_surface_sa_um", f"{side}_surface_sq_um"
    if n < _LEAST_PIXELS:
        return dict.fromkeys(names, not_measured("um", "no_surface"))
    rest = _above_plane(height_um, known)
    values = float(np.abs(rest).mean()), float(np.sqrt((rest * rest).mean()))
    return {
        name: measured(value, "um", voxels=n) for name, value in zip(names, values, strict=True)
    }


def _above_plane(height_um: FloatImage, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Take the plane of least squares from the known pixels."""
    z, x = (places.astype(np.float64) for places in np.nonzero(known))
    height = height_um[known].astype(np.float64)
    height -= height.mean()
    z -= z.mean()
    x -= x.mean()
    # The 2 x 2 normal equations; a strip of one row or column has no slope across.
    moments = np.array([[z @ z, z @ x], [z @ x, x @ x]])
    slopes = np.linalg.lstsq(moments, np.array([z @ height, x @ height]))[0]
    return np.asarray(height - slopes[0] * z - slopes[1] * x)
