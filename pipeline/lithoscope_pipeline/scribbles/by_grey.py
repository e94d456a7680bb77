"""Two materials from grey values alone: what scribbles are compared with."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu
from skimage.segmentation import watershed

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatImage, MaskVolume

_LEVELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyRange:
    """Grey values that are taken for a material, both ends included."""

    low: float
    high: float


def choose_range(window: FloatImage, wanted: MaskVolume) -> GreyRange:
    """Find the grey values that show a part of a slice as somebody sees it.

    As with two sliders: of 64 levels each, the pair with the largest Dice coefficient.

    Parameters
    ----------
    window
        Part of the slice that is looked at, shape (rows, columns).
    wanted
        What should be marked in it.

    Raises
    ------
    ParameterError
        If nothing is wanted.
    """
    if not wanted.any():
        raise ParameterError("nothing is marked in the window; choose another part of the slice")
    edges = np.linspace(float(window.min()), float(window.max()), _LEVELS + 1)
    right = np.histogram(window[wanted], edges)[0]
    every = np.histogram(window, edges)[0]
    hit = np.concatenate([[0], np.cumsum(right)])
    marked = np.concatenate([[0], np.cumsum(every)])
    low, high = np.triu_indices(_LEVELS + 1, k=1)
    n_hit, n_marked = hit[high] - hit[low], marked[high] - marked[low]
    best = int(np.argmax(2 * n_hit / np.maximum(n_marked + hit[-1], 1)))
    return GreyRange(low=float(edges[low[best]]), high=float(edges[high[best]]))


def by_range(slice_: FloatImage, chosen: GreyRange) -> MaskVolume:
    """Mark the pixels whose grey value lies in a range."""
    return (slice_ >= chosen.low) & (slice_ <= chosen.high)


def by_otsu(slice_: FloatImage, *, n_classes: int, number: int) -> MaskVolume:
    """Mark one of several classes by Otsu's thresholds [1]_; nobody chooses anything.

    References
    ----------
    .. [1] N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979). doi:10.1109/TSMC.1979.4310076
    """
    thresholds = threshold_multiotsu(slice_, classes=n_classes)
    return np.digitize(slice_, thresholds) == number


def by_watershed(slice_: FloatImage, chosen: GreyRange, *, band: float) -> MaskVolume:
    """Flood from grey values that are sure; the magnitude of the gradient decides the rest.

    Parameters
    ----------
    slice_
        Grey values, shape (rows, columns).
    chosen
        Grey values of the material, as for a threshold.
    band
        Half the width of what is not sure on both sides of each end, in grey values.
    """
    sure = (slice_ >= chosen.low + band) & (slice_ <= chosen.high - band)
    other = (slice_ < chosen.low - band) | (slice_ > chosen.high + band)
    markers = np.where(sure, 2, np.where(other, 1, 0))
    steepness = ndimage.gaussian_gradient_magnitude(slice_, 0.7, mode="nearest")
    return np.asarray(watershed(steepness, markers) == 2)
