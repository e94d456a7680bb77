"""`FourierBackend` on a CUDA device, by PyTorch: the same sums, in another order.

Spreading is a product with a sparse matrix, a row a point of the grid, so that no two threads add
to the same point. The matrix depends on the geometry only and is kept from slab to slab. Any
device of PyTorch does; on its processor the tests compare with the backend without it.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.errors import NonFiniteError, OutOfMemoryError
from lithoscope_pipeline.geometry import (
    Angles,
    FloatImage,
    FloatStack,
    FloatVolume,
    field_axis_px,
)
from lithoscope_pipeline.reconstruct.fourier import check_shapes
from lithoscope_pipeline.reconstruct.gridding import (
    MARGIN,
    PER_POINT,
    WIDTH,
    GridPlan,
    grid_edge,
)
from lithoscope_pipeline.reconstruct.incremental import FourierPlan
from lithoscope_pipeline.reconstruct.protocol import MemoryNeed
from lithoscope_pipeline.reconstruct.row_filter import RowFilter
from lithoscope_pipeline.truncation import Extension

ANGLES_A_MATRIX: Final = 512
ANGLES_A_FILTER: Final = 64

Tensor = Any  # PyTorch has no types where it is not installed


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierCudaBackend:
    """Reconstruction by gridding on a device, equal to `FourierBackend` within 1e-4.

    Parameters
    ----------
    extension
        How projections go on outside the detector: ``edge`` for a sample wider than the view.
    device
        A device of PyTorch.
    rows_at_once
        Slices summed at once. More take more memory and little less time.
    """

    extension: Extension = "edge"
    device: str = "cuda"
    rows_at_once: int = 16
    _kept: dict[tuple[object, ...], "_DevicePlan"] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        return "fourier-cuda"

    def reconstruct(
        self,
        attenuation: FloatStack,
        thetas_rad: Angles,
        *,
        rotation_axis_px: float,
        voxel_um: float,
        size: int | None = None,
        stripes: Stripes | None = None,
    ) -> FloatVolume:
        """Reconstruct one slice a detector row; see `FourierBackend.reconstruct`.

        Raises
        ------
        OutOfMemoryError
            If the device has too little memory; fewer rows may fit.
        PipelineError
            Whatever `FourierBackend.reconstruct` refuses.
        """
        check_shapes(attenuation, thetas_rad)
        n_rows, n_columns = attenuation.shape[1:]
        key = (thetas_rad.tobytes(), n_columns, rotation_axis_px, voxel_um, size)
        try:
            if key not in self._kept:
                self._kept.clear()  # before the next is made: the device holds one
                plan = FourierPlan.make(
                    thetas_rad,
                    n_columns=n_columns,
                    rotation_axis_px=rotation_axis_px,
                    voxel_um=voxel_um,
                    size=size,
                    extension=self.extension,
                )
                self._kept[key] = _DevicePlan.make(plan, self.device)
            kept = self._kept[key]
            volume = np.empty((n_rows, kept.grid.size, kept.grid.size), np.float32)
            for row in range(0, n_rows, self.rows_at_once):
                rows = slice(row, min(row + self.rows_at_once, n_rows))
                standing = None if stripes is None else stripes.image[rows]
                volume[rows] = kept.slices_of(attenuation[:, rows], standing)
        except torch.OutOfMemoryError as error:
            self._kept.clear()
            raise OutOfMemoryError(
                f"{self.device} has too little memory for {n_rows} rows of {n_columns} columns; "
                "take fewer rows at a time, or the processor"
            ) from error
        return volume

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes; see `Backend`."""
        n_lanes = min(n_rows, self.rows_at_once)
        rows = RowFilter.make(n_columns, size, field_axis_px(n_columns), self.extension)
        factors = 8 * n_angles * rows.frequencies.size
        chunk = 4 * n_angles * n_lanes * n_columns  # a part of all rows, made contiguous
        return MemoryNeed(
            host_bytes=factors + chunk + 4 * n_rows * size**2,
            device_bytes=factors + chunk + _device_bytes(n_angles, n_lanes, rows, size),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _DevicePlan:
    """A `FourierPlan` on the device, and the spreading of its samples."""

    rows: RowFilter
    grid: GridPlan
    device: str
    columns: Tensor  # (length of profile,): detector column shown at each place
    profile: Tensor
    ramp: Tensor
    window: Tensor
    factors: Tensor  # (n_angles, 1, n_frequencies)
    mirrored: Tensor  # (n_frequencies - n_kept // 2 - 1,): whose conjugates follow at the end
    turned: Tensor  # (n_angles, n_frequencies): -1 where the conjugate is taken
    gain: Tensor  # (size,)
    matrices: tuple[Tensor, ...]  # sparse, (points, samples of some angles)

    @classmethod
    def make(cls, plan: FourierPlan, device: str) -> "_DevicePlan":
        rows, grid = plan.rows, plan.grid
        places = np.arange(rows.profile.size) - rows.pad_px
        x = grid.directions[:, :1] * grid.steps
        is_turned = (x < 0.0) ^ (np.abs(x) > 0.5 * grid.edge)
        n_half = rows.n_kept // 2 + 1
        matrices = tuple(
            _spreading(grid, slice(first, first + ANGLES_A_MATRIX), device)
            for first in range(0, plan.n_angles, ANGLES_A_MATRIX)
        )
        return cls(
            rows=rows,
            grid=grid,
            device=device,
            columns=torch.from_numpy(np.clip(places, 0, plan.n_columns - 1)).to(device),
            profile=torch.from_numpy(rows.profile).to(device),
            ramp=torch.from_numpy(rows.ramp).to(device),
            window=torch.from_numpy(rows.window).to(device),
            factors=torch.from_numpy(plan.factors[:, None]).to(device),
            mirrored=torch.from_numpy(rows.n_kept - np.arange(n_half, grid.steps.size)).to(device),
            turned=torch.from_numpy(np.where(is_turned, -1.0, 1.0).astype(np.float32)).to(device),
            gain=torch.from_numpy((grid.edge / grid.roll_off).astype(np.float32)).to(device),
            matrices=matrices,
        )

    def slices_of(self, attenuation: FloatStack, standing: FloatImage | None) -> FloatVolume:
        """Filter and sum all projections of some rows, less ``standing``, into slices."""
        n_angles, n_rows, _ = attenuation.shape
        counts = torch.from_numpy(np.ascontiguousarray(attenuation, np.float32)).to(self.device)
        still = np.zeros((n_rows, 1), np.float32) if standing is None else standing
        taken_off = torch.from_numpy(still).to(self.device)
        grid_shape = (self.grid.half + 2 * MARGIN, self.grid.edge + WIDTH, n_rows)
        points = torch.zeros((grid_shape[0] * grid_shape[1], 2 * n_rows), device=self.device)
        for matrix, first in zip(self.matrices, range(0, n_angles, ANGLES_A_MATRIX), strict=True):
            part = slice(first, min(first + ANGLES_A_MATRIX, n_angles))
            points = torch.addmm(points, matrix, self._samples(counts, taken_off, part))
        spectrum = torch.view_as_complex(points.view(*grid_shape, 2))
        found: FloatVolume = self._slices(spectrum).cpu().numpy()
        return found

    def _samples(self, attenuation: Tensor, standing: Tensor, angles: slice) -> Tensor:
        """Spectra of filtered rows times their factors, (angle and frequency, parts)."""
        n_rows, n_frequencies = attenuation.shape[1], self.factors.shape[-1]
        samples = torch.empty(
            (angles.stop - angles.start, n_frequencies, n_rows, 2), device=self.device
        )
        for first in range(angles.start, angles.stop, ANGLES_A_FILTER):
            part = slice(first, min(first + ANGLES_A_FILTER, angles.stop))
            spectra = torch.view_as_real(
                self._filtered(attenuation[part] - standing) * self.factors[part]
            )
            out = samples[part.start - angles.start : part.stop - angles.start]
            out.copy_(spectra.permute(0, 2, 1, 3))
            out[..., 1] *= self.turned[part, :, None]
        return samples.view(-1, 2 * n_rows)

    def _filtered(self, attenuation: Tensor) -> Tensor:
        rows = self.rows
        extended = attenuation[..., self.columns] * self.profile
        spectrum = torch.fft.rfft(extended, n=rows.length)
        if not bool(torch.isfinite(torch.view_as_real(spectrum[..., 0])).all()):
            raise NonFiniteError(
                "attenuation holds NaN or infinity; correct the projections first"
            )
        filtered = torch.fft.irfft(spectrum * self.ramp, n=rows.length)
        start = rows.pad_px + rows.first_kept
        kept = filtered[..., start : start + rows.n_kept] * self.window
        half = torch.fft.rfft(kept)
        return torch.cat((half, half[..., self.mirrored].conj()), dim=-1)

    def _slices(self, spectrum: Tensor) -> Tensor:
        """Transform a grid (x, y, row) into slices (row, y, x); see `GridPlan.slices`."""
        size, edge, half = self.grid.size, self.grid.edge, self.grid.half
        spectrum[:, :WIDTH] += spectrum[:, edge:]
        inner = spectrum[MARGIN : MARGIN + half, :edge].clone()
        mirrored = torch.from_numpy(-np.arange(edge) % edge).to(self.device)
        for j in range(MARGIN + 1):
            inner[j] += spectrum[MARGIN - j].index_select(0, mirrored).conj()
            beyond = spectrum[MARGIN + half - 1 + j]
            inner[half - 1 - j] += beyond.index_select(0, mirrored).conj()
        del spectrum
        before = size // 2  # voxels before the middle: at the far end of a periodic line
        order = torch.from_numpy((np.arange(size) - before) % edge).to(self.device)
        lines = torch.fft.ifft(inner, dim=1).index_select(1, order).permute(2, 1, 0)
        del inner
        whole = torch.fft.irfft(lines.contiguous(), n=edge)
        return whole.index_select(2, order) * (self.gain[:, None] * self.gain)


def _spreading(grid: GridPlan, angles: slice, device: str) -> Tensor:
    """Make the matrix from the samples of some angles to the points of the grid."""
    directions = torch.from_numpy(grid.directions[angles]).to(device)
    table = torch.from_numpy(grid.kernel).to(device)
    taps = torch.arange(WIDTH, device=device)
    weights, first = [], []
    for place in _places(directions, torch.from_numpy(grid.steps).to(device), grid.edge):
        start = torch.ceil(place - 0.5 * WIDTH).long()
        away = PER_POINT * (start[:, None] + taps - place[:, None]).abs()
        below = away.long()
        share = (away - below).float()
        weights.append(torch.lerp(table[below], table[below + 1], share))
        first.append(start)
    pitch = grid.edge + WIDTH
    row = torch.where(first[1] < 0, first[1] + grid.edge, first[1])
    corner = (first[0] + MARGIN) * pitch + row
    points = (corner[:, None, None] + taps[:, None] * pitch + taps).reshape(-1)
    values = (weights[0][:, :, None] * weights[1][:, None, :]).reshape(-1)
    points, order = torch.sort(points, stable=True)
    n_points = (grid.half + 2 * MARGIN) * pitch
    starts = torch.zeros(n_points + 1, dtype=torch.int32, device=device)
    starts[1:] = torch.bincount(points, minlength=n_points).cumsum(0)
    columns = torch.div(order, WIDTH**2, rounding_mode="floor").int()
    shape = (n_points, directions.shape[0] * grid.steps.size)
    values = values[order]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)


def _places(directions: Tensor, steps: Tensor, edge: int) -> tuple[Tensor, Tensor]:
    """Give x and y of all samples on the periodic half plane, as `GridPlan.add` does."""
    x, y = ((directions[:, axis : axis + 1] * steps).reshape(-1) for axis in (0, 1))
    is_turned = x < 0.0
    x, y = torch.where(is_turned, -x, x), torch.where(is_turned, -y, y)
    is_beyond = x > 0.5 * edge
    x, y = torch.where(is_beyond, edge - x, x), torch.where(is_beyond, -y, y)
    y = torch.where(y >= 0.5 * edge, y - edge, torch.where(y < -0.5 * edge, y + edge, y))
    return x, y


def _device_bytes(n_angles: int, n_lanes: int, rows: RowFilter, size: int) -> int:
    """Matrices, and the largest of: making one, filtering, transforming the grid."""
    n_frequencies = rows.frequencies.size
    edge = grid_edge(size)
    half = edge // 2 + 1
    taps = n_frequencies * WIDTH**2
    n_points = (half + 2 * MARGIN) * (edge + WIDTH)
    matrices = 8 * n_angles * taps + 4 * n_points * -(-n_angles // ANGLES_A_MATRIX)
    # Points, their order and both sorted, 8 bytes each; weights twice.
    making = min(n_angles, ANGLES_A_MATRIX) * taps * 40
    grid = 8 * n_lanes * n_points
    filtering = n_lanes * (
        8 * min(n_angles, ANGLES_A_MATRIX) * n_frequencies
        + ANGLES_A_FILTER * (5 * 4 * rows.length + 3 * 8 * n_frequencies)
    )
    lines = 8 * n_lanes * half
    transforming = lines * (2 * edge + size) + 4 * n_lanes * size * (edge + size)
    return matrices + max(making, grid + max(grid + filtering, transforming))
