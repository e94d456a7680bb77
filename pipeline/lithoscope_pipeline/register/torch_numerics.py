"""Volumes of a registration on a CUDA device, by torch; the processor's loops are the reference.

Only the points that are compared come back: a few megabytes a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register.numerics import SPLINE_TAPS, Handle, gaussian_taps


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchNumerics:
    """Binning, smoothing and look-up on a torch device.

    Values agree with those of the processor to single precision; sums are made there in any case,
    so that equal values give equal transforms.

    Parameters
    ----------
    device
        As torch names it: ``cuda``, ``cuda:1`` or ``cpu``.
    """

    device: str = "cuda"

    @property
    def name(self) -> str:
        """Kind of the device."""
        return torch.device(self.device).type if self.device != "cpu" else "torch-cpu"

    def levels(
        self, volume: FloatVolume, factors: Sequence[int], *, thin_axes: tuple[bool, bool, bool]
    ) -> dict[int, Handle]:
        """Bin a volume by powers of two, and smooth it by one voxel of each level."""
        binned = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))
        binned = binned.to(self.device)[None, None]
        pool = [1 if is_thin else 2 for is_thin in thin_axes]
        found: dict[int, Handle] = {}
        factor = 1
        while True:
            if factor in factors:
                found[factor] = self._convolved(binned, gaussian_taps())
            if factor >= max(factors):
                return found
            factor, binned = 2 * factor, functional.avg_pool3d(binned, pool)

    def shape(self, level: Handle) -> tuple[int, int, int]:
        """Give the shape of a level."""
        n_z, n_y, n_x = level.shape
        return n_z, n_y, n_x

    def look_up(
        self, level: Handle, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give values (n,) and central differences (n, 3) at voxels (n, 3) of a level."""
        places = torch.from_numpy(index).to(self.device)
        grey = level[places[:, 0], places[:, 1], places[:, 2]]
        gradients = torch.empty((len(index), 3), dtype=torch.float32, device=self.device)
        for axis in range(3):
            last = level.shape[axis] - 1
            ends = []
            for step in (-1, 1):
                beside = places.clone()
                beside[:, axis] = (beside[:, axis] + step).clamp(0, last)
                ends.append(beside)
            span = (ends[1][:, axis] - ends[0][:, axis]).clamp(min=1)
            below, above = (level[e[:, 0], e[:, 1], e[:, 2]] for e in ends)
            gradients[:, axis] = (above - below) / span
        return grey.cpu().numpy(), gradients.cpu().numpy()

    def sample(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give trilinear values at places (n, 3) in voxels of a level, and which lie inside."""
        places = torch.from_numpy(np.ascontiguousarray(at)).to(self.device)
        size = torch.tensor(level.shape, device=self.device)
        is_inside = ((places >= -0.5) & (places <= size - 0.5)).all(dim=1)
        held = torch.where(is_inside[:, None], places, 0.0).clamp(min=0.0)
        low = torch.minimum(held.long(), size - 1)
        high = torch.minimum(low + 1, size - 1)
        share = (held - low).to(torch.float32)
        seen = torch.zeros(len(at), dtype=torch.float32, device=self.device)
        for corner in range(8):
            picks = [bool(corner >> axis & 1) for axis in range(3)]
            index = [(high if pick else low)[:, axis] for axis, pick in enumerate(picks)]
            weights = [share[:, a] if pick else 1.0 - share[:, a] for a, pick in enumerate(picks)]
            seen += weights[0] * weights[1] * weights[2] * level[index[0], index[1], index[2]]
        seen = torch.where(is_inside, seen, 0.0)
        return seen.cpu().numpy(), is_inside.cpu().numpy()

    def blurred(self, level: Handle) -> Handle:
        """Smooth at its voxels what is not smoothed as `sample_blurred` does between them."""
        return self._convolved(level[None, None], SPLINE_TAPS)

    def sample_blurred(
        self, level: Handle, at: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give values of the cubic B-spline over the voxels at places (n, 3), like `sample`."""
        places = torch.from_numpy(np.ascontiguousarray(at)).to(self.device)
        size = torch.tensor(level.shape, device=self.device)
        is_inside = ((places >= -0.5) & (places <= size - 0.5)).all(dim=1)
        held = torch.where(is_inside[:, None], places, 0.0)
        low = held.floor()
        share = (held - low).to(torch.float32)
        rest = 1.0 - share
        weights = (
            rest**3 / 6.0,
            2.0 / 3.0 - share**2 + share**3 / 2.0,
            2.0 / 3.0 - rest**2 + rest**3 / 2.0,
            share**3 / 6.0,
        )
        seen = torch.zeros(len(at), dtype=torch.float32, device=self.device)
        for z, y, x in product(range(4), repeat=3):
            step = torch.tensor((z - 1, y - 1, x - 1), device=self.device)
            index = torch.minimum((low.long() + step).clamp(min=0), size - 1)
            weight = weights[z][:, 0] * weights[y][:, 1] * weights[x][:, 2]
            seen += weight * level[index[:, 0], index[:, 1], index[:, 2]]
        seen = torch.where(is_inside, seen, 0.0)
        return seen.cpu().numpy(), is_inside.cpu().numpy()

    def without_line(
        self, volume: FloatVolume, offsets: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> Handle:
        """Take the mean along a line in its slice from each voxel; see `kernels`."""
        level = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32)).to(self.device)
        _, n_y, n_x = level.shape
        rows, columns = (torch.arange(size, device=self.device) for size in (n_y, n_x))
        out = level.clone()
        for (up, along), weight in zip(offsets.tolist(), weights.tolist(), strict=True):
            line = level.index_select(1, (rows + up).clamp(0, n_y - 1))
            out -= weight * line.index_select(2, (columns + along).clamp(0, n_x - 1))
        return out

    def _convolved(self, volume: torch.Tensor, half: NDArray[np.float32]) -> torch.Tensor:
        side = torch.from_numpy(half.copy()).to(self.device)
        taps = torch.cat([side.flip(0)[:-1], side])
        reach = len(side) - 1
        smooth = volume
        for axis in range(3):
            shape = [1, 1, 1]
            shape[axis] = len(taps)
            # Padding is listed from the last axis to the first.
            around = [0] * 6
            around[2 * (2 - axis)] = around[2 * (2 - axis) + 1] = reach
            padded = functional.pad(smooth, around, mode="replicate")
            smooth = functional.conv3d(padded, taps.reshape(1, 1, *shape))
        return smooth[0, 0].contiguous()
