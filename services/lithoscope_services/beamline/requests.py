"""What plans are asked for: pulses and scans, with the bounds of a finer scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ophyd_async.core import FlyMotorInfo
from pydantic import Field

from lithoscope_messages import ExpectedCount, FrameKind, ScanPhase
from lithoscope_services.beamline import metadata as md
from lithoscope_services.beamline.cycler_backend import CyclerStep
from lithoscope_services.beamline.errors import PlanError

HALF_TURN_DEG = 180.0
OnTimeout = Literal["continue", "hold"]


class Flight(FlyMotorInfo):
    """A rotation with one exposure at each angle.

    It is what ophyd-async's motors are prepared with, so that any of them can fly the angles if
    these are evenly spaced; :class:`~lithoscope_services.beamline.rotation.RotationStage` takes
    them in any order.
    """

    thetas_deg: tuple[float, ...] = Field(min_length=1, frozen=True)

    @classmethod
    def through(cls, thetas_deg: Sequence[float], *, exposure_s: float) -> "Flight":
        """Plan a flight whose exposures have the given angles in their middles.

        Parameters
        ----------
        thetas_deg
            In the order of acquisition.
        exposure_s
            From one exposure to the next.
        """
        step_deg = thetas_deg[1] - thetas_deg[0] if len(thetas_deg) > 1 else 0.0
        return cls(
            start_position=thetas_deg[0] - step_deg / 2,
            end_position=thetas_deg[-1] + step_deg / 2,
            time_for_move=max(exposure_s, 1e-6) * len(thetas_deg),
            thetas_deg=tuple(map(float, thetas_deg)),
        )

    @property
    def is_even(self) -> bool:
        """Whether the angles have even steps, so that a motor at constant speed passes them."""
        span_deg = self.end_position - self.start_position
        step_deg = span_deg / len(self.thetas_deg)
        return all(
            abs(theta_deg - (self.start_position + (number + 0.5) * step_deg)) < 1e-6
            for number, theta_deg in enumerate(self.thetas_deg)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """What a scan is looked at with.

    Parameters
    ----------
    voxel_size_um
        Pixel in the sample plane.
    energy_keV, distance_mm
        Of the photons, and from the sample to the detector; None if not known.
    """

    voxel_size_um: float
    energy_keV: float | None = None  # noqa: N815 - the unit is keV
    distance_mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """One scan.

    Parameters
    ----------
    scan
        Its number, from 0.
    thetas_deg
        Angle of each projection, in the order of acquisition.
    n_darks, n_flats
        Before the projections.
    n_flats_after, n_darks_after
        After the projections; they become set 1.
    exposure_s
        From one frame to the next.
    optics
        What it is looked at with.
    phase
        Where in the cycling it stands.
    tile, n_tiles
        Which vertical field of view this is, the lowest rows first, and of how many.
    """

    scan: int
    thetas_deg: tuple[float, ...]
    n_darks: int
    n_flats: int
    n_flats_after: int = 0
    n_darks_after: int = 0
    exposure_s: float = 0.0
    optics: Optics
    phase: ScanPhase = field(default_factory=ScanPhase)
    tile: int = 0
    n_tiles: int = 1

    def __post_init__(self) -> None:
        if not self.thetas_deg:
            raise PlanError(f"scan {self.scan}: thetas_deg is empty; give an angle a projection")
        if not 0 <= self.tile < self.n_tiles:
            raise PlanError(f"scan {self.scan}: no tile {self.tile} among {self.n_tiles}")

    @property
    def tiles(self) -> tuple["ScanRequest", ...]:
        """The same for each tile, in the order in which they are taken: a run each."""
        return tuple(replace(self, tile=tile) for tile in range(self.n_tiles))

    @property
    def sets(self) -> tuple[tuple[FrameKind, int, int], ...]:
        """Kind, set and count of the frames, in the order in which they are taken."""
        wanted: tuple[tuple[FrameKind, int, int], ...] = (
            ("dark", 0, self.n_darks),
            ("flat", 0, self.n_flats),
            ("projection", 0, len(self.thetas_deg)),
            ("flat", 1, self.n_flats_after),
            ("dark", 1, self.n_darks_after),
        )
        return tuple(each for each in wanted if each[2])

    @property
    def expected(self) -> tuple[ExpectedCount, ...]:
        """Frames of each set of all tiles."""
        return tuple(
            ExpectedCount(tile=tile, kind=kind, set=set_, count=n)
            for tile in range(self.n_tiles)
            for kind, set_, n in self.sets
        )

    @property
    def start(self) -> dict[str, Any]:
        """What the run start says of it."""
        found = {
            md.PHASE: "scan",
            md.SCAN: self.scan,
            md.TILE: self.tile,
            md.EXPECTED: md.expected_value(self.expected),
            md.VOXEL_SIZE_UM: self.optics.voxel_size_um,
            md.ENERGY_KEV: self.optics.energy_keV,
            md.DISTANCE_MM: self.optics.distance_mm,
            md.TIME_S: self.phase.experiment_time_s,
            md.CYCLE: self.phase.cycle,
            md.HALF_CYCLE: self.phase.half_cycle,
            md.PULSE: self.phase.pulse,
            md.NEXT_CURRENT_MA: self.phase.next_current_mA,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanBounds:
    """How fine a finer scan may be.

    Parameters
    ----------
    max_projections
        Dose and time allow no more.
    min_step_deg
        The stage and the detector allow no smaller.
    """

    max_projections: int
    min_step_deg: float = 0.01


def finer(
    request: ScanRequest,
    bounds: ScanBounds,
    *,
    n_projections: int | None = None,
    step_deg: float | None = None,
) -> ScanRequest:
    """Ask for a scan with more angles over the same half-turn.

    Parameters
    ----------
    request
        The scan as it would be taken.
    bounds
        What may be asked for.
    n_projections, step_deg
        One of them.

    Raises
    ------
    PlanError
        If it is outside the bounds, not finer, or both or none are given.
    """
    if (n_projections is None) == (step_deg is None):
        raise PlanError("a finer scan: give n_projections or step_deg, one of them")
    if step_deg is not None:
        if not bounds.min_step_deg <= step_deg <= HALF_TURN_DEG:
            raise PlanError(
                f"step_deg: {step_deg} was asked for, at least {bounds.min_step_deg} is allowed"
            )
        n_projections = round(HALF_TURN_DEG / step_deg)
    n_projections = n_projections or 0
    if not len(request.thetas_deg) < n_projections <= bounds.max_projections:
        raise PlanError(
            f"n_projections: {n_projections} was asked for; more than {len(request.thetas_deg)} "
            f"and at most {bounds.max_projections} are allowed"
        )
    if HALF_TURN_DEG / n_projections < bounds.min_step_deg:
        raise PlanError(
            f"n_projections: {n_projections} makes a step of {HALF_TURN_DEG / n_projections:.4f} "
            f"degrees, at least {bounds.min_step_deg} is allowed"
        )
    even_deg = HALF_TURN_DEG / n_projections
    return replace(request, thetas_deg=tuple(i * even_deg for i in range(n_projections)))


def with_flats_repeated(request: ScanRequest, n_flats: int | None = None) -> ScanRequest:
    """Ask for a scan whose flats are taken again after the projections, as set 1.

    Parameters
    ----------
    request
        The scan as it would be taken.
    n_flats
        How many; as many as before if left out.

    Raises
    ------
    PlanError
        If it is none.
    """
    n_flats_after = request.n_flats if n_flats is None else n_flats
    if n_flats_after < 1:
        raise PlanError(f"n_flats: {n_flats_after} was asked for; at least 1 is needed")
    return replace(request, n_flats_after=n_flats_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One pulse, with the rests around it.

    Parameters
    ----------
    pulse
        Its number, from 0; that of the next one for a rest without a pulse.
    cycle, half_cycle
        Where in the cycling it stands.
    start_s
        Of its first step, seconds since the experiment began.
    steps
        For the cycler.
    """

    pulse: int
    cycle: int
    half_cycle: int
    start_s: float
    steps: tuple[CyclerStep, ...]

    @property
    def start(self) -> dict[str, Any]:
        """What the run start says of it."""
        return {
            md.PHASE: "pulse",
            md.PULSE: self.pulse,
            md.CYCLE: self.cycle,
            md.HALF_CYCLE: self.half_cycle,
            md.TIME_S: self.start_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStep:
    """A scan, and the pulses that are passed before it."""

    pulses: tuple[Pulse, ...]
    request: ScanRequest
