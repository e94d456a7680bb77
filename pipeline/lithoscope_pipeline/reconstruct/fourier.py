"""Filtered back-projection as a sum in Fourier space, by gridding.

The projection-slice theorem puts the spectrum of each projection on a line through the plane of
the slice; these lines are summed on a grid and transformed once. It is the back-projection of
trigonometrically interpolated, ramp-filtered projections.
"""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume, field_axis_px
from lithoscope_pipeline.reconstruct.gridding import LANES, LINES_AT_ONCE, MARGIN, grid_edge
from lithoscope_pipeline.reconstruct.incremental import (
    ANGLES_AT_ONCE,
    FourierAccumulator,
    FourierPlan,
)
from lithoscope_pipeline.reconstruct.protocol import MemoryNeed
from lithoscope_pipeline.reconstruct.row_filter import RowFilter
from lithoscope_pipeline.truncation import Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierBackend:
    """Reconstruction by gridding, one thread, equal to the byte on every call.

    Each row is transformed by itself, so a slice does not depend on the slab it came in.

    Parameters
    ----------
    extension
        How projections go on outside the detector: ``edge`` for a sample wider than the view.
    """

    extension: Extension = "edge"

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        return "fourier"

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
        """Reconstruct one slice a detector row.

        Parameters
        ----------
        attenuation
            Line integrals, shape (n_angles, n_rows, n_columns), dimensionless, finite.
        thetas_rad
            Angle of each projection, shape (n_angles,), in any order and over any number of turns.
        rotation_axis_px
            Detector column of the rotation axis.
        voxel_um
            Detector pixel referred to the sample = edge of a voxel.
        size
            Edge of a slice in voxels; the number of columns by default.
        stripes
            Taken off the sums as soon as they are known, as from sums that grow during a scan.

        Returns
        -------
        FloatVolume
            Linear attenuation coefficient in 1/cm, shape (n_rows, size, size), axes (z, y, x).
            Voxels farther from the axis than the nearer border of the detector were not seen at
            all angles and hold an extrapolation.

        Raises
        ------
        ShapeError
            If the number of angles differs from that of projections or a dimension is missing.
        ParameterError
            If the axis lies outside the detector or a length is not above zero.
        NonFiniteError
            If ``attenuation`` holds NaN or infinity.
        AngularRangeError
            If the angles leave a hole wider than 45 degrees in the half turn.
        """
        check_shapes(attenuation, thetas_rad)
        n_rows, n_columns = attenuation.shape[1:]
        plan = FourierPlan.make(
            thetas_rad,
            n_columns=n_columns,
            rotation_axis_px=rotation_axis_px,
            voxel_um=voxel_um,
            size=size,
            extension=self.extension,
        )
        volume = np.empty((n_rows, plan.grid.size, plan.grid.size), dtype=np.float32)
        # A few rows at a time: the grids of all would be half as large again as the volume.
        for row in range(0, n_rows, LANES):
            lanes = attenuation[:, row : row + LANES]
            slab = FourierAccumulator(plan, n_rows=lanes.shape[1])
            if stripes is None:
                slab.add(0, lanes)
            else:
                slab.add(0, lanes[: stripes.n_asked])
                slab.subtract_standing(stripes.image[row : row + LANES])
                slab.add(stripes.n_asked, lanes[stripes.n_asked :])
            slab.volume(out=volume[row : row + LANES])
        return volume

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes; see `Backend`."""
        return MemoryNeed(host_bytes=fourier_bytes(n_angles, n_rows, n_columns, size))


def fourier_bytes(n_angles: int, n_rows: int, n_columns: int, size: int) -> int:
    """Estimate what `FourierBackend.reconstruct` takes beside its input, its result included.

    Parameters
    ----------
    n_angles, n_rows, n_columns
        Shape of the attenuation.
    size
        Edge of a slice in voxels.

    Returns
    -------
    int
        Bytes of host memory at the highest.
    """
    filter_bytes, plan_bytes = _filter_bytes(n_angles, n_columns, size)
    transform_bytes = _transform_bytes(size)
    result_bytes = 4 * n_rows * size**2
    return plan_bytes + result_bytes + _grid_bytes(size) + max(filter_bytes, transform_bytes)


def accumulator_bytes(n_angles: int, n_rows: int, n_columns: int, size: int) -> int:
    """Estimate what a `FourierAccumulator` of a slab takes, with its plan and its volume.

    Parameters
    ----------
    n_angles, n_rows, n_columns
        Shape of all projections of the slab.
    size
        Edge of a slice in voxels.

    Returns
    -------
    int
        Bytes of host memory at the highest, while the volume is made.
    """
    n_grids = -(-n_rows // LANES)
    return fourier_bytes(n_angles, n_rows, n_columns, size) + (n_grids - 1) * _grid_bytes(size)


def _grid_bytes(size: int) -> int:
    edge = grid_edge(size)
    return 8 * LANES * edge * (edge // 2 + 1 + 2 * MARGIN)


def _filter_bytes(n_angles: int, n_columns: int, size: int) -> tuple[int, int]:
    """Bytes while rows are filtered, and those of the plan."""
    rows = RowFilter.make(n_columns, size, field_axis_px(n_columns), "edge")
    n_half = rows.n_kept // 2 + 1
    lines = min(n_angles, ANGLES_AT_ONCE) * LANES
    # Extended rows, their spectra and filtered rows; kept rows, and their spectra twice.
    at_once = lines * (3 * 4 * rows.length + 4 * rows.n_kept + 2 * 8 * n_half)
    return at_once, 8 * n_angles * rows.frequencies.size


def _transform_bytes(size: int) -> int:
    """Bytes while a grid becomes slices: lines of all lanes, and what is in work."""
    edge = grid_edge(size)
    half = edge // 2 + 1
    in_work = 2 * 8 * LANES * LINES_AT_ONCE * edge
    return 8 * LANES * size * half + in_work


def check_shapes(attenuation: FloatStack, thetas_rad: Angles) -> None:
    """Refuse projections that are no stack, or not as many as angles, by a ShapeError."""
    if attenuation.ndim != 3 or attenuation.shape[2] < 2:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    if thetas_rad.shape != attenuation.shape[:1]:
        raise ShapeError(
            f"{thetas_rad.size} angles for {attenuation.shape[0]} projections given; leave out "
            "the angles of flats and darks"
        )
