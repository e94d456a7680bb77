"""The beam of each projection, fitted from how flats differ among themselves [1]_.

Where the beam moves irregularly, neither the mean of all flats nor a line between two sets is its
picture during a projection. Its main variations are those of the flats. How much of each stands in
a projection is told by the structure that it leaves in the quotient.

References
----------
.. [1] V. Van Nieuwenhove et al., Opt. Express 23, 27975 (2015). doi:10.1364/OE.23.027975
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from lithoscope_pipeline.correct.beam import EigenBeam, flat_sets, mean_frame, sum_frames
from lithoscope_pipeline.correct.correction import Correction, CountStack, Flats, FlatSet
from lithoscope_pipeline.correct.frames import FrameCorrector
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatStack

# Noise of flats spreads evenly over all their variations. This far above the middle one is signal.
_STANDS_OUT: Final = 2.0
_MOST: Final = 5
_LEAST_VARIATION: Final = 1.0e-5  # of the beam; the last bit of a count is more
_FITS: Final = 5
_SMALLEST_SHARE: Final = 1.0e-3


def fit_eigen_beam(
    projections: CountStack,
    flats: Flats,
    darks: CountStack,
    *,
    indices: NDArray[np.intp] | None = None,
) -> EigenBeam:
    """Fit the beam of each projection of a scan, on some of its rows.

    Parameters
    ----------
    projections
        Counts of neighbouring rows of all projections, shape (n_angles, n_rows, n_columns); some
        dozens of rows in the middle of the beam tell enough.
    flats, darks
        Counts of the same rows; the flats of all sets, at least two frames.
    indices
        Numbers of the projections in the order of acquisition; 0, 1, 2 and so on by default.

    Returns
    -------
    EigenBeam
        For all rows of the scan; its intensity is that of the flats, linear between their sets.

    Raises
    ------
    ShapeError
        If frames do not fit together, or there are fewer than two flats.
    """
    sets = flat_sets(flats)
    frames = np.concatenate([each.frames.reshape(-1, *each.frames.shape[-2:]) for each in sets])
    if len(frames) < 2:
        raise ShapeError("one flat given; variations of the beam need at least two")
    dark = mean_frame(darks, "darks")
    beams = frames.astype(np.float64) - dark
    levels = beams.mean(axis=(1, 2))
    alike = beams * (levels.mean() / levels)[:, None, None]
    mean = alike.mean(axis=0)
    variations = _main_variations(alike / levels.mean() - mean / levels.mean())
    combinations = np.concatenate([np.full((1, len(frames)), 1.0 / len(frames)), variations])
    combinations *= levels.mean() / levels

    corrector = FrameCorrector.make(mean.astype(np.float32), np.zeros_like(mean), Correction())
    shares = _fit(
        corrector.attenuation((projections - dark).astype(np.float32)),
        sum_frames(variations, alike) / corrector.beam.images[0],
        corrector.dead.is_live,
    )
    if indices is None:
        indices = np.arange(len(projections))
    intensities = np.interp(
        indices + 0.5, [each.position for each in sets], _levels_of_sets(sets, levels)
    )
    weights = np.column_stack([np.ones(len(shares)), shares])
    weights *= (intensities / levels.mean())[:, None]
    return EigenBeam(combinations=combinations, weights=weights.astype(np.float32))


def _main_variations(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the main variations as sums of flats, shape (n_variations, n_flats)."""
    flat = differences.reshape(len(differences), -1)
    # Not a matrix product: its sums depend on the number of threads.
    values, vectors = linalg.eigh(np.einsum("ip,jp->ij", flat, flat) / flat.size)
    # The smallest is that of the mean, which has been taken off.
    is_signal = values > max(_STANDS_OUT * float(np.median(values[1:])), _LEAST_VARIATION**2)
    chosen = np.flatnonzero(is_signal)[::-1][:_MOST]
    return np.asarray(vectors[:, chosen].T)


def _levels_of_sets(sets: Sequence[FlatSet], levels: NDArray[np.float64]) -> list[float]:
    counts = [1 if each.frames.ndim == 2 else len(each.frames) for each in sets]
    parts = np.split(levels, np.cumsum(counts)[:-1])
    return [float(part.mean()) for part in parts]


def _fit(
    attenuation: FloatStack, images: NDArray[np.float64], is_live: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Find the shares of images that leave least structure in each projection.

    To first order the images add to the attenuation. What is least is the sum of the absolute
    differences of neighbours, in which edges of the sample weigh little: least squares, weighted
    anew by what is left.
    """
    shares = np.zeros((len(attenuation), len(images)))
    if not len(images):
        return shares
    is_pair = _pairs(np.logical_and, is_live)
    pattern = np.stack([_pairs(np.subtract, image)[is_pair] for image in images], axis=1)
    for angle, projection in enumerate(attenuation):
        target = -_pairs(np.subtract, projection.astype(np.float64))[is_pair]
        weights = np.ones_like(target)
        for _ in range(_FITS):
            normal = np.einsum("p,pk,pl->kl", weights, pattern, pattern)
            right = np.einsum("p,pk,p->k", weights, pattern, target)
            shares[angle] = linalg.lstsq(normal, right)[0]
            left = np.abs(target - np.einsum("pk,k->p", pattern, shares[angle]))
            weights = 1.0 / np.maximum(left, _SMALLEST_SHARE * left.max())
    return shares


def _pairs(combine: np.ufunc, image: NDArray[Any]) -> NDArray[Any]:  # Any: numbers or truth
    """Combine each pixel with the next in its row, then with the next in its column."""
    across = combine(image[:, 1:], image[:, :-1])
    down = combine(image[1:], image[:-1])
    return np.concatenate([across.ravel(), down.ravel()])
