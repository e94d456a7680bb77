"""How a simulated scan is taken: the order of its angles, its tiles and its rotation axis."""

from dataclasses import dataclass
from typing import Literal

from lithoscope_pipeline.errors import ParameterError

AngleOrder = Literal["linear", "interlaced", "golden"]
ORDERS: tuple[AngleOrder, ...] = ("linear", "interlaced", "golden")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionParameters:
    """The order of the angles, tiles, flats after, and a rotation axis that is not ideal.

    Parameters
    ----------
    order
        ``linear``: even steps. ``interlaced``: several coarse half-turns one after the other, each
        between the angles of those before. ``golden``: each angle 111.25 degrees on from the
        last, modulo 180 degrees.
    n_sub_scans
        Half-turns of an interlaced scan.
    is_back_and_forth
        Whether every other scan runs through its angles backwards.
    n_flats_after
        Flats taken after the projections, beside those before; 0 for none.
    n_tiles
        Vertical fields of view of a scan, the first at the lowest z.
    tile_overlap_rows
        Rows that a tile shares with the next one.
    axis_change_px
        Largest change of the rotation axis from the first tile to another; 0 for none.
    axis_tilt_deg
        Angle between the rotation axis and the columns of the detector, in the plane of the
        detector; a positive one moves the axis to higher columns at higher rows. 0 for none.
    """

    order: AngleOrder = "linear"
    n_sub_scans: int = 4
    is_back_and_forth: bool = False
    n_flats_after: int = 0
    n_tiles: int = 1
    tile_overlap_rows: int = 8
    axis_change_px: float = 0.0
    axis_tilt_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ParameterError(f"order is {self.order!r}; one of {', '.join(ORDERS)} is needed")
        if self.n_sub_scans < 1:
            raise ParameterError(f"n_sub_scans is {self.n_sub_scans}; at least 1 is needed")
        if not 1 <= self.n_tiles <= 9:
            raise ParameterError(f"n_tiles is {self.n_tiles}; 1 to 9 are possible")
        if self.tile_overlap_rows < 0 or self.n_flats_after < 0:
            raise ParameterError("tile_overlap_rows and n_flats_after must not be negative")
        if not abs(self.axis_tilt_deg) <= 5.0:
            raise ParameterError(
                f"axis_tilt_deg is {self.axis_tilt_deg}; at most 5 degrees are simulated"
            )
