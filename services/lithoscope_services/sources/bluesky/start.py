"""What a RunStart says of a scan, beside what the settings say."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lithoscope_messages import ExpectedCount, ScanPhase
from lithoscope_services.beamline.metadata import parse_expected
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.bluesky.decoder import Document

_OURS = "lithoscope_"


class _Said(BaseModel):
    """The keys of ``beamline.metadata``, without their prefix; a site may leave out any."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    experiment: str | None = None
    scan: int | None = Field(default=None, ge=0, le=9999)
    tile: int = Field(default=0, ge=0, lt=100)
    expected: tuple[ExpectedCount, ...] | None = Field(default=None, strict=False)
    voxel_size_um: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    energy_keV: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # noqa: N815 - unit
    distance_mm: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    next_current_mA: float | None = Field(  # noqa: N815 - unit
        default=None, allow_inf_nan=False
    )
    time_s: float | None = Field(default=None, allow_inf_nan=False)
    cycle: int = Field(default=0, ge=0)
    half_cycle: int = Field(default=0, ge=0)
    pulse: int = Field(default=0, ge=0)

    @field_validator("expected", mode="before")
    @classmethod
    def _without_tiles(cls, expected: object) -> object:
        """Take counts of this tile by name as well as a list that names the tiles."""
        return (
            expected
            if expected is None or isinstance(expected, list)
            else parse_expected(expected)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """The beginning of a run.

    Parameters
    ----------
    uid
        Of the run.
    unix_s
        When it began, since 1970.
    experiment, scan, tile, expected
        Which scan it is, and how many frames it will have; None where it does not say.
    voxel_size_um, energy_keV, distance_mm
        None where it does not say.
    time_s
        Time of the experiment at which it began; None where it does not say.
    cycle, half_cycle, pulse, next_current_mA
        Where in the cycling it stands.
    thetas_deg
        Angles of the projections in their order; empty where it does not say.
    """

    uid: str
    unix_s: float
    experiment: str | None
    scan: int | None
    tile: int
    expected: tuple[ExpectedCount, ...] | None
    voxel_size_um: float | None
    energy_keV: float | None  # noqa: N815 - the unit is keV
    distance_mm: float | None
    time_s: float | None
    cycle: int
    half_cycle: int
    pulse: int
    next_current_mA: float | None  # noqa: N815 - the unit is mA
    thetas_deg: tuple[float, ...]

    def phase(self, time_s: float) -> ScanPhase:
        """Say where in the cycling a scan stands that begins at a time of the experiment, s."""
        return ScanPhase(
            experiment_time_s=time_s,
            cycle=self.cycle,
            half_cycle=self.half_cycle,
            pulse=self.pulse,
            next_current_mA=self.next_current_mA,
        )


def read_start(document: Document) -> RunStart:
    """Read a RunStart.

    Raises
    ------
    SourceError
        If one of our keys in it has another meaning; the text begins with its name.
    """
    body = document.body
    ours = {key.removeprefix(_OURS): value for key, value in body.items() if key.startswith(_OURS)}
    try:
        said = _Said.model_validate(ours)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"start.{_OURS}{where}: {first['msg']}") from error
    if not math.isfinite(body["time"]):
        raise SourceError("start.time: no number")
    parts = {name: getattr(said, name) for name in _Said.model_fields}
    if said.expected is not None and not isinstance(ours["expected"], list):
        parts["expected"] = tuple(
            each.model_copy(update={"tile": said.tile}) for each in said.expected
        )
    return RunStart(
        uid=document.uid, unix_s=float(body["time"]), thetas_deg=_thetas_deg(body), **parts
    )


def _thetas_deg(body: Mapping[str, Any]) -> tuple[float, ...]:
    """Give the list whose name says that it holds angles in degrees, if there is one."""
    for key, value in body.items():
        if not key.endswith(("theta_deg", "thetas_deg")) or not isinstance(value, list):
            continue
        try:
            thetas_deg = tuple(float(each) for each in value)
        except (TypeError, ValueError) as error:
            raise SourceError(f"start.{key}: a list of numbers was expected") from error
        if not all(map(math.isfinite, thetas_deg)):
            raise SourceError(f"start.{key}: an angle is not finite")
        return thetas_deg
    return ()
