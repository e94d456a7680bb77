"""How strong the rings of a slice are against its noise."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, median_filter

from lithoscope_pipeline.geometry import FloatImage, field_axis_px

_N_ARCS: Final = 16
_N_ANGLES: Final = 30  # of an arc
_SMOOTH_PX: Final = 11
_FIRST_PX: Final = 4
_SD_PER_MAD: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStrength:
    """What all directions about the axis have in common.

    Parameters
    ----------
    rms
        Of the rings, in the unit of the slice.
    noise
        Standard deviation of a pixel from its neighbours along the radius.
    """

    rms: float
    noise: float

    @property
    def ratio(self) -> float:
        """Rings over noise; 0 without noise."""
        return self.rms / self.noise if self.noise > 0 else 0.0


def measure_rings(slice_: FloatImage) -> RingStrength:
    """Measure rings about the middle of a slice.

    A ring is there in all directions, the edge of a layer in few: the median over arcs of what
    changes from radius to radius is that of the rings, with what is left of the noise taken off.

    Parameters
    ----------
    slice_
        Shape (n_y, n_x), the rotation axis in the middle.
    """
    n_y, n_x = slice_.shape
    radii = np.arange(_FIRST_PX, min(n_y, n_x) // 2 - 1, dtype=np.float64)
    angles = np.arange(_N_ARCS * _N_ANGLES) * (2 * np.pi / (_N_ARCS * _N_ANGLES))
    at = np.stack(
        [
            field_axis_px(n_y) + radii[None, :] * np.sin(angles)[:, None],
            field_axis_px(n_x) + radii[None, :] * np.cos(angles)[:, None],
        ]
    )
    polar = map_coordinates(slice_, at, order=1, mode="nearest").astype(np.float64)
    arcs = polar.reshape(_N_ARCS, _N_ANGLES, len(radii)).mean(axis=1)
    rest = arcs - median_filter(arcs, size=(1, _SMOOTH_PX), mode="nearest")
    rings = np.median(rest, axis=0)
    # The median of n normal values scatters by 1.2533 / sqrt(n) of their spread.
    spread = _SD_PER_MAD * np.median(np.abs(rest - rings), axis=0)
    by_chance: NDArray[np.float64] = 1.2533 * spread / np.sqrt(_N_ARCS)
    excess = float(np.mean(rings**2) - np.mean(by_chance**2))
    single = np.diff(slice_[n_y // 4 : -n_y // 4, n_x // 4 : -n_x // 4], axis=1)
    noise = float(_SD_PER_MAD * np.median(np.abs(single - np.median(single))) / np.sqrt(2))
    return RingStrength(rms=float(np.sqrt(max(excess, 0.0))), noise=noise)
