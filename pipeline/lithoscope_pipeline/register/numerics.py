"""Where volumes live and are looked up: on this processor, or on a device."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import kernels

SIGMA_PX = 1.0  # of the smoothing at each level
_REACH_SIGMAS = 3.0
#: Middle and one side of the cubic B-spline at voxels.
SPLINE_TAPS = np.array([2.0 / 3.0, 1.0 / 6.0], dtype=np.float32)

#: A smoothed volume where the numerics keep it: an array here, a tensor on a device.
Handle = Any


class Numerics(Protocol):
    """What a registration asks of whoever holds the volumes."""

    @property
    def name(self) -> str:
        """Kind of the place: ``cpu``, or of the device."""

    def levels(
        self, volume: FloatVolume, factors: Sequence[int], *, thin_axes: tuple[bool, bool, bool]
    ) -> dict[int, Handle]:
        """Bin a volume by powers of two, and smooth it by one voxel of each level.

        Thin axes are left as they are by the binning.
        """

    def shape(self, level: Handle) -> tuple[int, int, int]:
        """Give the shape of a level."""

    def look_up(
        self, level: Handle, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give values (n,) and central differences (n, 3) at voxels (n, 3) of a level."""

    def sample(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give trilinear values at places (n, 3) in voxels of a level, and which lie inside."""

    def without_line(
        self, volume: FloatVolume, offsets: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> Handle:
        """Take the mean along a line in its slice from each voxel, and smooth nothing."""

    def blurred(self, level: Handle) -> Handle:
        """Smooth at its voxels what is not smoothed as `sample_blurred` does between them."""

    def sample_blurred(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give values of the cubic B-spline over the voxels at places (n, 3), like `sample`."""


class CpuNumerics:
    """Numba loops on one core: equal input, equal bytes."""

    name = "cpu"

    def levels(
        self, volume: FloatVolume, factors: Sequence[int], *, thin_axes: tuple[bool, bool, bool]
    ) -> dict[int, Handle]:
        """Bin a volume by powers of two, and smooth it by one voxel of each level."""
        found: dict[int, Handle] = {}
        factor, binned = 1, np.ascontiguousarray(volume, dtype=np.float32)
        while True:
            if factor in factors:
                found[factor] = kernels.smooth(binned, gaussian_taps())
            if factor >= max(factors):
                return found
            factor = 2 * factor
            binned = halve_thick(binned, thin_axes) if any(thin_axes) else kernels.halve(binned)

    def shape(self, level: Handle) -> tuple[int, int, int]:
        """Give the shape of a level."""
        n_z, n_y, n_x = level.shape
        return n_z, n_y, n_x

    def look_up(
        self, level: Handle, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give values (n,) and central differences (n, 3) at voxels (n, 3) of a level."""
        grey = np.empty(len(index), np.float32)
        gradients = np.empty((len(index), 3), np.float32)
        kernels.look_up(level, index, grey, gradients)
        return grey, gradients

    def sample(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give trilinear values at places (n, 3) in voxels of a level, and which lie inside."""
        seen = np.empty(len(at), np.float32)
        is_inside = np.empty(len(at), np.bool_)
        kernels.sample(level, at, seen, is_inside)
        return seen, is_inside

    def without_line(
        self, volume: FloatVolume, offsets: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> Handle:
        """Take the mean along a line in its slice from each voxel; see `kernels`."""
        held = np.ascontiguousarray(volume, dtype=np.float32)
        return kernels.take_away_line(held, offsets, weights)

    def blurred(self, level: Handle) -> Handle:
        """Smooth at its voxels what is not smoothed as `sample_blurred` does between them."""
        return kernels.smooth(level, SPLINE_TAPS)

    def sample_blurred(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give values of the cubic B-spline over the voxels at places (n, 3), like `sample`."""
        seen = np.empty(len(at), np.float32)
        is_inside = np.empty(len(at), np.bool_)
        kernels.sample_blurred(level, at, seen, is_inside)
        return seen, is_inside


def halve_thick(volume: FloatVolume, thin_axes: tuple[bool, bool, bool]) -> FloatVolume:
    """Average pairs of voxels along the axes that are not thin; an odd last one is left out."""
    halved = volume
    for axis in range(3):
        if not thin_axes[axis]:
            ahead = np.moveaxis(halved, axis, 0)
            n = len(ahead) // 2 * 2
            halved = np.moveaxis(0.5 * (ahead[0:n:2] + ahead[1:n:2]), 0, axis)
    return np.ascontiguousarray(halved, dtype=np.float32)


@cache
def gaussian_taps() -> NDArray[np.float32]:
    """Middle and one side of a Gaussian of one voxel that sums to 1."""
    reach = int(np.ceil(_REACH_SIGMAS * SIGMA_PX))
    side = np.exp(-0.5 * (np.arange(reach + 1) / SIGMA_PX) ** 2)
    taps: NDArray[np.float32] = (side / (2.0 * side.sum() - side[0])).astype(np.float32)
    return taps
