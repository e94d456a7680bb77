"""Slices that grow with each projection: what `FourierBackend` does, one view after another."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import UM_PER_CM, Angles, FloatImage, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct.gridding import LANES, Floats, GridPlan
from lithoscope_pipeline.reconstruct.row_filter import RowFilter
from lithoscope_pipeline.reconstruct.weights import angular_weights_rad
from lithoscope_pipeline.truncation import Extension

ANGLES_AT_ONCE = 8  # so that their spectra stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierPlan:
    """What all rows of a scan share.

    Parameters
    ----------
    rows
        What is done to each row of a projection.
    grid
        Where the samples of its spectrum go.
    factors
        Weight of the view, phase of the rotation axis and of the middle of the slice, shape
        (n_angles, n_frequencies), complex64, 1/cm.
    weights_rad
        Share of the half turn of each view, shape (n_angles,).
    n_columns
        Columns of a projection.
    """

    rows: RowFilter
    grid: GridPlan
    factors: NDArray[np.complex64]
    weights_rad: NDArray[np.float64]
    n_columns: int

    @classmethod
    def make(
        cls,
        thetas_rad: Angles,
        *,
        n_columns: int,
        rotation_axis_px: float,
        voxel_um: float,
        size: int | None = None,
        weights_rad: NDArray[np.float64] | None = None,
        extension: Extension = "edge",
    ) -> "FourierPlan":
        """Prepare a scan.

        Parameters
        ----------
        thetas_rad
            Angle of each projection that is to come, shape (n_angles,).
        n_columns
            Columns of a projection.
        rotation_axis_px
            Detector column of the rotation axis.
        voxel_um
            Edge of a voxel.
        size
            Edge of a slice in voxels; ``n_columns`` by default.
        weights_rad
            Share of the half turn of each view; :func:`angular_weights_rad` by default.
        extension
            How projections go on outside the detector.

        Raises
        ------
        ParameterError
            If the axis lies outside the detector or a length is not above zero.
        ShapeError
            If there is not one weight an angle, or no more than one column.
        AngularRangeError
            If the angles leave a hole wider than 45 degrees in the half turn.
        """
        _check(n_columns, rotation_axis_px, voxel_um, size)
        weights = angular_weights_rad(thetas_rad) if weights_rad is None else weights_rad
        if weights.shape != thetas_rad.shape:
            raise ShapeError(f"{weights.size} weights for {thetas_rad.size} angles given")
        edge = n_columns if size is None else size
        rows = RowFilter.make(n_columns, edge, rotation_axis_px, extension)
        thetas = thetas_rad.astype(np.float64)
        scale = weights / rows.n_kept * (UM_PER_CM / voxel_um)
        return cls(
            rows=rows,
            grid=GridPlan.make(thetas, rows.frequencies, edge, period=rows.n_kept),
            factors=_factors(thetas, scale, rows, rotation_axis_px, edge),
            weights_rad=weights.astype(np.float64),
            n_columns=n_columns,
        )

    @property
    def n_angles(self) -> int:
        """Projections of the whole scan."""
        return int(self.weights_rad.size)


class FourierAccumulator:
    """A slab to which projections are added while they come.

    However the projections are cut into calls of :meth:`add`, the slices have the same bytes as
    those of ``FourierBackend.reconstruct``, which is built on this.

    Parameters
    ----------
    plan
        Of the scan; any number of slabs share it.
    n_rows
        Detector rows of this slab. Multiples of ``LANES`` waste nothing.
    """

    def __init__(self, plan: FourierPlan, *, n_rows: int) -> None:
        if n_rows < 1:
            raise ParameterError(f"n_rows is {n_rows}, at least one row is needed")
        self._plan = plan
        self._n_rows = n_rows
        self._grids: list[Floats] = [plan.grid.empty() for _ in range(0, n_rows, LANES)]
        self._n_added = 0
        self._next_index = 0
        self._weight_rad = 0.0

    @property
    def n_rows(self) -> int:
        """Detector rows of the slab."""
        return self._n_rows

    @property
    def n_added(self) -> int:
        """Projections added so far."""
        return self._n_added

    @property
    def next_index(self) -> int:
        """Smallest index that the next projection may have."""
        return self._next_index

    @property
    def is_complete(self) -> bool:
        """Whether all projections of the plan were added."""
        return self._n_added == self._plan.n_angles

    def add(self, first_index: int, attenuation: FloatStack) -> None:
        """Filter projections and sum them into the slices.

        Parameters
        ----------
        first_index
            Place of the first of them among the angles of the plan. Indices rise from call to
            call, for a sum has the same bytes only in the same order; those left out are missing.
        attenuation
            Line integrals, shape (n, n_rows, n_columns), float32, dimensionless, finite.

        Raises
        ------
        ShapeError
            If rows or columns differ from those of the slab.
        ParameterError
            If an index was passed already or lies beyond the angles of the plan.
        NonFiniteError
            If ``attenuation`` holds NaN or infinity. The slab is spoilt then: begin anew.
        """
        self._check(first_index, attenuation)
        plan, n = self._plan, len(attenuation)
        for number, grid in enumerate(self._grids):
            lanes = attenuation[:, number * LANES : (number + 1) * LANES]
            for first in range(0, n, ANGLES_AT_ONCE):
                index = first_index + first
                spectra = plan.rows.spectra(lanes[first : first + ANGLES_AT_ONCE])
                factors = plan.factors[index : index + len(spectra)]
                plan.grid.add(grid, spectra, factors, index)
        self._n_added += n
        self._next_index = first_index + n
        self._weight_rad += float(plan.weights_rad[first_index : self._next_index].sum())

    def subtract_standing(self, rows: FloatImage, *, first_row: int = 0) -> None:
        """Take off what stands in all projections of the plan, those still to come included.

        Where among the projections this is done is part of the order of the sums, and so of the
        bytes.

        Parameters
        ----------
        rows
            Line integrals, shape (n, n_columns).
        first_row
            Row of the slab that the first of them belongs to; a multiple of ``LANES``.

        Raises
        ------
        ShapeError
            If rows or columns differ from those of the slab.
        """
        last_row = first_row + len(rows)
        if (
            rows.shape[1:] != (self._plan.n_columns,)
            or first_row % LANES
            or last_row > self._n_rows
        ):
            raise ShapeError(
                f"rows {first_row}..{last_row - 1} of shape {rows.shape} given, rows of "
                f"{self._plan.n_columns} columns from a multiple of {LANES} below {self._n_rows} "
                "are needed"
            )
        plan = self._plan
        for row in range(0, len(rows), LANES):
            spectra = plan.rows.spectra(-rows[None, row : row + LANES])
            repeated = np.repeat(spectra, ANGLES_AT_ONCE, axis=0)
            grid = self._grids[(first_row + row) // LANES]
            for index in range(0, plan.n_angles, ANGLES_AT_ONCE):
                factors = plan.factors[index : index + ANGLES_AT_ONCE]
                plan.grid.add(grid, repeated[: len(factors)], factors, index)

    def volume(self, *, out: FloatVolume | None = None) -> FloatVolume:
        """Transform what was added into slices; more may be added afterwards.

        Parameters
        ----------
        out
            Where they go, shape (n_rows, size, size), contiguous; a new array by default.

        Returns
        -------
        FloatVolume
            Linear attenuation coefficient in 1/cm, shape (n_rows, size, size), axes (z, y, x).
            With part of the views it is scaled as if those present were all.

        Raises
        ------
        ParameterError
            If nothing was added.
        """
        if self._n_added == 0:
            raise ParameterError("no projection was added; there is nothing to show")
        size = self._plan.grid.size
        volume = np.empty((self._n_rows, size, size), dtype=np.float32) if out is None else out
        lines = self._plan.grid.lines()
        for number, grid in enumerate(self._grids):
            rows = volume[number * LANES : (number + 1) * LANES]
            self._plan.grid.slices(grid, out=rows, lines=lines)
        if not self.is_complete:
            volume *= np.float32(np.pi / self._weight_rad)
        return volume

    def copy(self) -> "FourierAccumulator":
        """Return another one with the same sums, to which other projections can be added.

        So a preview of a linear scan is completed: to a copy of what has come, the projections
        of the last scan are added from :attr:`next_index` on.
        """
        return deepcopy(self, {id(self._plan): self._plan})

    def _check(self, first_index: int, attenuation: FloatStack) -> None:
        expected = (self._n_rows, self._plan.n_columns)
        if attenuation.ndim != 3 or attenuation.shape[1:] != expected:
            raise ShapeError(
                f"attenuation of shape {attenuation.shape} given, (angle, {expected[0]} rows, "
                f"{expected[1]} columns) is needed"
            )
        last = first_index + len(attenuation)
        if first_index < self._next_index or last > self._plan.n_angles:
            raise ParameterError(
                f"projections {first_index}..{last - 1} given, from {self._next_index} to "
                f"{self._plan.n_angles - 1} can be added; each is added once, in order of index"
            )


def _factors(
    thetas: NDArray[np.float64],
    scale: NDArray[np.float64],
    rows: RowFilter,
    rotation_axis_px: float,
    size: int,
) -> NDArray[np.complex64]:
    """Give what each sample is multiplied by, shape (n_angles, n_frequencies)."""
    frequencies = rows.frequencies
    # Voxels are counted from size // 2: odd sizes are centred, even ones half a voxel off.
    half_voxel = 0.5 if size % 2 == 0 else 0.0
    offsets_px = (
        rotation_axis_px - rows.first_kept + half_voxel * (np.cos(thetas) + np.sin(thetas))
    )
    # Both a sample and its mirror image are summed; the mean would come twice.
    share = np.where(frequencies > 0.0, 1.0, 0.5) * rows.shares
    factors = np.empty((thetas.size, frequencies.size), np.complex64)
    for index, offset_px in enumerate(offsets_px):
        turns = 2j * np.pi * offset_px * frequencies
        factors[index] = scale[index] * share * np.exp(turns)
    return factors


def _check(n_columns: int, rotation_axis_px: float, voxel_um: float, size: int | None) -> None:
    if n_columns < 2:
        raise ShapeError(f"projections of {n_columns} columns given, at least 2 are needed")
    if not 0.0 <= rotation_axis_px <= n_columns - 1:
        raise ParameterError(
            f"rotation_axis_px is {rotation_axis_px}, it must lie on the detector, "
            f"0..{n_columns - 1}"
        )
    if not voxel_um > 0.0 or (size is not None and size < 1):
        raise ParameterError(f"voxel_um is {voxel_um} and size {size}; both must be above 0")
