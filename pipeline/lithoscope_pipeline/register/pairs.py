"""Sub-volumes that are compared: where they lie, and what is in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume, MaskVolume, field_axis_px
from lithoscope_pipeline.rigid import Points, Triple

MIN_POINTS = 500
MIN_DEPTH_PX = 5  # of a volume whose shift along an axis can be known
SEEN_SHARE = 0.95  # of the circle that is seen at all angles: its rim is blurred


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The cylinder about the rotation axis that a scan sees at all angles.

    Parameters
    ----------
    axis_px
        Rotation axis (y, x), voxels of the scan.
    radius_px
        Distance from it up to which voxels count.
    """

    axis_px: tuple[float, float]
    radius_px: float

    @classmethod
    def of_slices(cls, n_y: int, n_x: int) -> "Field":
        """Give the field of a reconstruction: 0.95 of the circle inside its slices."""
        radius_px = SEEN_SHARE * field_axis_px(min(n_y, n_x))
        return cls(axis_px=(field_axis_px(n_y), field_axis_px(n_x)), radius_px=radius_px)

    def holds(self, points_px: Points, *, margin_px: float = 0.0) -> NDArray[np.bool_]:
        """Tell which points (z, y, x), shape (..., 3), lie in it, so far from its rim."""
        y = points_px[..., 1] - self.axis_px[0]
        x = points_px[..., 2] - self.axis_px[1]
        return np.asarray(y * y + x * x <= max(self.radius_px - margin_px, 0.0) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPair:
    """The same place of the cell in two scans.

    Parameters
    ----------
    fixed, moving
        Grey values (z, y, x), float32, finite; any scales that are related linearly. They may
        differ in shape: ``moving`` should hold some margin.
    fixed_origin_px, moving_origin_px
        Voxel (0, 0, 0) of each in its own scan.
    mask
        Voxels of ``fixed`` to compare; all by default.
    is_lifted
        Whether the place may have moved along y by itself, as all that lies above lithium that
        grows: then it says nothing of y, and of the tilts about z and x.
    lift_direction
        That y in the fixed scan (z, y, x), of length 1; the normal of the electrodes.
    """

    fixed: FloatVolume
    moving: FloatVolume
    fixed_origin_px: Triple = (0.0, 0.0, 0.0)
    moving_origin_px: Triple = (0.0, 0.0, 0.0)
    mask: MaskVolume | None = None
    is_lifted: bool = False
    lift_direction: Triple = (0.0, 1.0, 0.0)

    @property
    def n_points(self) -> int:
        """Voxels that may be compared."""
        return self.fixed.size if self.mask is None else int(np.count_nonzero(self.mask))

    @property
    def middle_px(self) -> Points:
        """Middle of the fixed part (z, y, x), in voxels of its scan."""
        return np.array(self.fixed_origin_px) + (np.array(self.fixed.shape) - 1.0) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that a registration looks at.

    Parameters
    ----------
    pairs
        Sub-volumes; at least one that is not lifted.
    centre_px
        Fixed point of the rotation (z, y, x), voxels.
    field
        What the moving scan sees at all angles; None if all of it counts.
    max_shift_px
        How far a point may travel from where the start puts it, voxels.
    max_lift_px
        How far lifted places may have moved along y beyond that.
    is_layered
        Whether flat layers, upright in the slices, run through the field from rim to rim across
        the lift direction; see `~lithoscope_pipeline.register.texture`.
    """

    pairs: tuple[BlockPair, ...]
    centre_px: Triple
    field: Field | None = None
    max_shift_px: float = 15.0
    max_lift_px: float = 0.0
    is_layered: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be compared.

        Raises
        ------
        ShapeError
            If a volume has no three dimensions, a mask another shape, or too few voxels are left.
        NonFiniteError
            If a volume holds NaN or infinity.
        ParameterError
            If no pair is there that stays put, or a limit is negative.
        """
        if not any(not pair.is_lifted for pair in self.pairs):
            raise ParameterError(
                f"{len(self.pairs)} pairs given and none that stays put along y; give one"
            )
        if not self.max_shift_px > 0 or self.max_lift_px < 0:
            raise ParameterError(
                f"max_shift_px {self.max_shift_px:g} must be above 0 and max_lift_px "
                f"{self.max_lift_px:g} not below"
            )
        for pair in self.pairs:
            if pair.fixed.ndim != 3 or pair.moving.ndim != 3 or pair.moving.size == 0:
                raise ShapeError(
                    f"fixed has shape {pair.fixed.shape} and moving {pair.moving.shape}; "
                    "both are (z, y, x)"
                )
            if pair.mask is not None and pair.mask.shape != pair.fixed.shape:
                raise ShapeError(
                    f"mask has shape {pair.mask.shape}, fixed {pair.fixed.shape}; cut both alike"
                )
            if not (np.isfinite(pair.fixed).all() and np.isfinite(pair.moving).all()):
                raise NonFiniteError("fixed or moving holds NaN or infinity; reconstruct it again")
        n_points = sum(pair.n_points for pair in self.pairs if not pair.is_lifted)
        if n_points < MIN_POINTS:
            raise ShapeError(
                f"{n_points} voxels are left to compare, at least {MIN_POINTS} voxels are needed"
            )

    @property
    def thin_axes(self) -> tuple[bool, bool, bool]:
        """Axes (z, y, x) of so few voxels that nothing is known along and across them."""
        z, y, x = (
            all(pair.fixed.shape[axis] < MIN_DEPTH_PX for pair in self.pairs) for axis in range(3)
        )
        return z, y, x

    @property
    def corners_px(self) -> Points:
        """Corners of the box around all pairs (z, y, x), shape (8, 3), in the fixed scan."""
        first = np.min([pair.fixed_origin_px for pair in self.pairs], axis=0)
        last = np.max(
            [np.array(p.fixed_origin_px) + np.array(p.fixed.shape) - 1.0 for p in self.pairs],
            axis=0,
        )
        ends = np.stack([first, last])
        picks = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        return np.asarray(ends[picks, [0, 1, 2]], dtype=np.float64)
