"""What every reconstruction method offers to the rest of the house."""

from dataclasses import dataclass
from typing import Protocol

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """Memory at the highest, beside the line integrals that are given.

    Parameters
    ----------
    host_bytes
        Of the machine, slices included.
    device_bytes
        Of the device; 0 for what runs on the processor.
    """

    host_bytes: int
    device_bytes: int = 0


class Backend(Protocol):
    """A way from line integrals to slices; rows are independent of each other."""

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        ...

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
            Taken off all projections, shape (n_rows, n_columns).

        Returns
        -------
        FloatVolume
            Linear attenuation coefficient in 1/cm, shape (n_rows, size, size), axes (z, y, x),
            with the rotation axis at ``(size - 1) / 2``.
        """
        ...

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes, before it takes it.

        Parameters
        ----------
        n_angles, n_rows, n_columns
            Shape of the line integrals.
        size
            Edge of a slice in voxels.
        """
        ...
