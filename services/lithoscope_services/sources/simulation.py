"""What is to be simulated, as asked for on the command line and handed to the beamline."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from lithoscope_messages import ScanPhase
from lithoscope_pipeline.phantom import (
    SIZES,
    AcquisitionParameters,
    CellParameters,
    CyclingParameters,
    DetectorParameters,
    SimulatedCell,
    make_cell,
)
from lithoscope_services.errors import SourceError

# Name: part of the detector's parameters, field, and the size when none is given.
FAULTS: Mapping[str, tuple[str, str, float]] = MappingProxyType(
    {
        "lost": ("faults", "lost_share", 0.05),
        "edge-on": ("faults", "lost_edge_on_deg", 8.0),
        "repeated": ("faults", "repeated_share", 0.05),
        "late": ("faults", "late_share", 0.05),
        "shutter": ("faults", "shutter_closed_share", 0.1),
        "beam-down": ("faults", "beam_down_share", 0.2),
        "decay": ("beam", "decay", 0.1),
        "drift": ("beam", "shift_within_px", 0.1),
        "rings": ("response", "gain_error", 5e-4),
        "zingers": ("response", "zingers_per_megapixel", 20.0),
        "dead-columns": ("response", "n_dead_columns", 2),
        "tilt": ("acquisition", "axis_tilt_deg", 0.3),
        "axis-change": ("acquisition", "axis_change_px", 3.0),
    }
)

#: Rows that tiles share, as a part of all: enough to lay them on each other in the noise.
_OVERLAP_SHARE = 1 / 3


class Simulation(BaseModel):
    """A simulated experiment; equal ones give equal bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[
        Literal["tiny", "small", "medium"], Field(description="Detector that looks at the cell")
    ] = "tiny"
    seed: Annotated[int, Field(ge=0, description="Makes every random choice")] = 0
    n_scans: Annotated[int, Field(ge=1, description="Scans, spread over all cycles")] = 3
    family: Annotated[
        Literal["default", "mossy", "filaments", "soft_contrast", "coarse_noise", "blurred"],
        Field(description="Respect in which cell or detector differ from the reference"),
    ] = "default"
    n_cycles: Annotated[int, Field(ge=1, description="Cycles of charge and discharge")] = 1
    n_null_scans: Annotated[
        int, Field(ge=1, description="How many of the scans come before the first pulse")
    ] = 1
    n_tiles: Annotated[int, Field(ge=1, le=9, description="Vertical fields of view a scan")] = 1
    order: Annotated[
        Literal["linear", "interlaced", "golden"], Field(description="Order of the angles")
    ] = "linear"
    is_back_and_forth: Annotated[
        bool, Field(description="Whether every other scan runs backwards")
    ] = False
    bridge: Annotated[
        Literal["none", "inside", "outside"],
        Field(description="Where lithium bridges the electrodes, as seen from the view"),
    ] = "none"
    faults: Annotated[
        dict[str, float], Field(description="Sizes of the faults that are switched on, by name")
    ] = {}

    @classmethod
    def of_source(cls, source: Mapping[str, Any]) -> Self:  # JSON
        """Read it from the description of a simulated source, whatever else that says."""
        return cls.model_validate({k: v for k, v in source.items() if k in cls.model_fields})

    def cell(self) -> SimulatedCell:
        """Make the cell and what looks at it.

        Raises
        ------
        ParameterError
            If the parts do not go together, such as fewer scans than come before the first pulse.
        """
        cell = CellParameters(
            seed=self.seed,
            cycling=CyclingParameters(n_cycles=self.n_cycles, n_null_scans=self.n_null_scans),
        )
        cell = replace(cell, growth=replace(cell.growth, bridge=self.bridge))
        detector = SIZES[self.size]
        detector = replace(
            detector,
            acquisition=AcquisitionParameters(
                order=self.order,
                is_back_and_forth=self.is_back_and_forth,
                n_tiles=self.n_tiles,
                tile_overlap_rows=round(_OVERLAP_SHARE * detector.n_rows),
            ),
        )
        return make_cell(
            self.size,
            seed=self.seed,
            n_scans=self.n_scans,
            cell=cell,
            detector=_with_faults(detector, self.faults),
            family=self.family,
        )


def parse_faults(texts: Sequence[str]) -> dict[str, float]:
    """Read faults as ``NAME``, ``NAME=SIZE``, or several with commas between.

    Parameters
    ----------
    texts
        As written on the command line.

    Returns
    -------
    dict
        Sizes by name; without a size that of `FAULTS`.

    Raises
    ------
    SourceError
        If a name is unknown or a size is no number.
    """
    out = {}
    for text in (part.strip() for each in texts for part in each.split(",")):
        name, equals, size = text.partition("=")
        if name not in FAULTS:
            raise SourceError(f"fault {text!r} is not known; one of {', '.join(FAULTS)} is needed")
        try:
            out[name] = float(size) if equals else FAULTS[name][2]
        except ValueError:
            raise SourceError(
                f"fault {text!r}: {size!r} is no number; write {name}={FAULTS[name][2]:g}"
            ) from None
    return out


def _with_faults(detector: DetectorParameters, faults: Mapping[str, float]) -> DetectorParameters:
    for name, size in faults.items():
        part, field, usual = FAULTS[name]
        value = int(size) if isinstance(usual, int) else size
        changed = replace(getattr(detector, part), **{field: value})
        detector = replace(detector, **{part: changed})
    return detector


def phase_of(
    cell: SimulatedCell,
    scan: int,
    *,
    next_current_mA: float | None = None,  # noqa: N803 - the unit is mA
) -> ScanPhase:
    """Say where in the cycling a scan of a simulated cell stands.

    Parameters
    ----------
    cell
        The simulated cell.
    scan
        Number of the scan.
    next_current_mA
        Current of the next pulse, where it is known.
    """
    point = cell.schedule[scan]
    return ScanPhase(
        experiment_time_s=point.time_s,
        cycle=point.cycle,
        half_cycle=point.half_cycle,
        pulse=point.pulse,
        next_current_mA=next_current_mA,
    )
