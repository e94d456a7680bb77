"""What goes wrong while a simulated scan is taken; nothing by default."""

from dataclasses import dataclass, fields

from lithoscope_pipeline.errors import ParameterError


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultParameters:
    """Faults of a scan, each with a size; 0 switches it off.

    Parameters
    ----------
    lost_share
        Share of the projections that never arrive, here and there.
    lost_edge_on_deg
        Width of the block of angles around edge-on whose projections never arrive.
    repeated_share
        Share of the projections that arrive twice.
    late_share
        Share of the projections that arrive late.
    late_by_frames
        Projections that overtake a late one.
    shutter_closed_share
        Share of the scan, in one piece in its middle part, in which the shutter is closed.
    beam_down_share
        Share of the scan, in one piece in its middle part, in which the beam is weak.
    beam_down_depth
        Share of its intensity that the beam then lacks.
    seed
        Makes the choices of what is hit, together with the seed of the cell.
    scans
        Numbers of the scans that are hit; empty for all.
    """

    lost_share: float = 0.0
    lost_edge_on_deg: float = 0.0
    repeated_share: float = 0.0
    late_share: float = 0.0
    late_by_frames: int = 20
    shutter_closed_share: float = 0.0
    beam_down_share: float = 0.0
    beam_down_depth: float = 0.25
    seed: int = 0
    scans: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith(("_share", "_depth")) and not 0.0 <= value <= 1.0:
                raise ParameterError(f"{field.name} is {value}; a share from 0 to 1 is needed")
        if not 0.0 <= self.lost_edge_on_deg <= 180.0:
            raise ParameterError(
                f"lost_edge_on_deg is {self.lost_edge_on_deg}; 0 to 180 are possible"
            )
        if self.late_by_frames < 0 or self.seed < 0:
            raise ParameterError("late_by_frames and seed must not be negative")
