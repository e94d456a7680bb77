"""Rings of slices, found as arcs about the rotation axis: what all of an arc shares is no sample.

For comparisons only: the arcs of a slice that is to be measured are better taken off before it is
reconstructed, with :mod:`lithoscope_pipeline.correct`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage, FloatVolume

#: Arcs of a ring: a scan of a half-turn makes half rings, and these begin anywhere.
_N_ARCS: Final = 8


def without_rings(slices: FloatVolume, centres: Sequence[NDArray[np.float64]]) -> FloatVolume:
    """Take off what slices have in common, and the mean of each arc of a ring.

    Each row of the detector has rings of its own: they are no part of the sample, and all of them
    have one centre, so that those of two tiles would match whatever the shift is.

    Parameters
    ----------
    slices
        Shape (n_slices, y, x), 1/cm.
    centres
        Rotation axes (y, x), voxels, about which rings are looked for, one after the other.

    Returns
    -------
    FloatVolume
        The rest, of the same shape.
    """
    rest = slices - slices.mean(axis=0, dtype=np.float64).astype(np.float32)
    for centre in centres:
        arcs = Arcs.about(centre, slices.shape[1:])
        for image in rest:
            image -= arcs.mean_of(image)
    return rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Arcs:
    """Arcs of rings; each pixel belongs to two that follow each other, by its distance.

    Parameters
    ----------
    places, shares
        The two arcs of each pixel and how much of it belongs to either.
    totals
        Pixels of each arc.
    """

    places: tuple[NDArray[np.int64], NDArray[np.int64]]
    shares: tuple[NDArray[np.float64], NDArray[np.float64]]
    totals: NDArray[np.float64]

    @classmethod
    def about(cls, centre: NDArray[np.float64], shape: tuple[int, ...]) -> "Arcs":
        """Divide an image into arcs about a centre (y, x)."""
        y, x = np.indices(shape) - centre[:, None, None]
        turn = (np.arctan2(y, x) + np.pi) / (2.0 * np.pi)
        arc = np.minimum(np.floor(turn * _N_ARCS), _N_ARCS - 1).astype(np.int64)
        radius = np.hypot(y, x)
        inner = np.floor(radius).astype(np.int64)
        first = (inner * _N_ARCS + arc).ravel()
        outer = (radius - inner).ravel()
        places, shares = (first, first + _N_ARCS), (1.0 - outer, outer)
        size = int(first.max()) + _N_ARCS + 1
        totals = sum(np.bincount(p, w, size) for p, w in zip(places, shares, strict=True))
        return cls(places=places, shares=shares, totals=np.maximum(totals, 1e-6))

    def mean_of(self, image: FloatImage) -> FloatImage:
        """Give an image with the mean of its arc in each pixel."""
        flat, both = image.ravel(), tuple(zip(self.places, self.shares, strict=True))
        sums = sum(np.bincount(p, w * flat, len(self.totals)) for p, w in both)
        means = sums / self.totals
        spread = sum(w * means[p] for p, w in both)
        return np.asarray(spread, np.float32).reshape(image.shape)
