"""How noisy a volume is against what it shows, whatever its grey scale."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from lithoscope_pipeline.errors import PipelineError
from lithoscope_pipeline.geometry import FloatVolume

#: Slices that are needed: three make one second difference.
LEAST_SLICES: Final = 3
# Standard deviation of a second difference of white noise, sqrt(1 + 4 + 1).
_SECOND_DIFFERENCE: Final = 6.0**0.5
# Median of the absolute values of a normal distribution against its standard deviation.
_MAD: Final = 1.4826
_SMOOTH_PX: Final = 5


class TooFewSlicesError(PipelineError, ValueError):
    """Noise is told from neighbouring slices, and there are too few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise of a volume.

    Parameters
    ----------
    sigma
        Standard deviation of a voxel, in the grey scale of the volume.
    contrast
        What the volume spans when noise is smoothed away, in the same scale.
    """

    sigma: float
    contrast: float

    @property
    def relative(self) -> float:
        """Noise against contrast; infinite for a volume that shows nothing."""
        return self.sigma / self.contrast if self.contrast > 0 else float("inf")


def find_noise(slab: FloatVolume) -> Noise:
    """Tell the noise of a volume from a few neighbouring slices.

    Matter hardly changes from slice to slice, noise does: slices come from detector rows of their
    own. The median of second differences along z does not see the few voxels at edges.

    Parameters
    ----------
    slab
        Neighbouring slices, shape (n_slices, y, x), at least 3, in any grey scale.

    Returns
    -------
    Noise
        For comparison with scans of the same kind: where rows are blurred into each other all
        values are too small by the same factor.

    Raises
    ------
    TooFewSlicesError
        If there are fewer than 3 slices.
    """
    if slab.shape[0] < LEAST_SLICES:
        raise TooFewSlicesError(
            f"{slab.shape[0]} slices, at least {LEAST_SLICES} are needed to tell noise from matter"
        )
    values = np.asarray(slab, np.float32)
    differences = values[:-2] - 2 * values[1:-1] + values[2:]
    sigma = _MAD * float(np.median(np.abs(differences))) / _SECOND_DIFFERENCE
    smooth = ndimage.uniform_filter(values.mean(axis=0), _SMOOTH_PX)
    low, high = np.percentile(smooth, (10, 90))
    return Noise(sigma=sigma, contrast=float(high - low))
