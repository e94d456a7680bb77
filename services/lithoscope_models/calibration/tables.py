"""Calibrations on disk: one file beside the network that they belong to."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.model_file import DEFAULT_MODEL, find_model
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.measure.intervals import Calibration

CALIBRATION_FILE: Final = "calibration.json"
_MAX_BYTES: Final = 8 << 20


class MetricScore(BaseModel):
    """How good the intervals of a metric are, on experiments that they were not fitted to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    within: Annotated[float, Field(description="Covered share, experiments held out")]
    of_families: Annotated[
        float | None,
        Field(description="The same without those between two families, None without any"),
    ] = None
    within_family: Annotated[dict[str, float], Field(description="The same for each family")]
    left_out: Annotated[
        dict[str, float], Field(description="Covered share of each family when it is left out")
    ]
    width: Annotated[float, Field(description="Mean width of the intervals")]
    spread: Annotated[float, Field(description="Range of the middle 95 % of the errors")]
    error: Annotated[float, Field(description="Root mean square of the errors")]
    bias: Annotated[float, Field(description="Mean of measured less true")]
    n_experiments: int


class GapResiduals(BaseModel):
    """Measured and true gap of one experiment in its first half-cycle, scan after scan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: str
    pulses: tuple[float, ...]
    measured_um: tuple[float, ...]
    true_um: tuple[float, ...]


class Reliability(BaseModel):
    """Chances that were given to held-out objects, and how many of these were there.

    In tenths of chances, those without an object left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    given: Annotated[tuple[float, ...], Field(description="Mean chance")]
    found: Annotated[tuple[float, ...], Field(description="Share of the objects that exists")]
    n_objects: Annotated[tuple[int, ...], Field(description="How many")]
    error: Annotated[
        float,
        Field(description="Mean distance of both, a fifth of the experiments held out in turn"),
    ]
    error_left_out: Annotated[float, Field(description="The same, each family left out in turn")]


class CalibrationFile(BaseModel):
    """All that a calibration has found out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format_version: Literal[2] = 2
    simulator_version: int
    command: str
    families: tuple[str, ...]
    n_experiments: int
    n_scans: int
    calibrations: tuple[Calibration, ...]
    scores: Annotated[
        dict[str, dict[str, MetricScore]], Field(description="By origin of the labels and metric")
    ]
    gaps: Annotated[
        dict[str, tuple[GapResiduals, ...]], Field(description="By origin of the labels")
    ]
    objects: Annotated[
        dict[str, dict[str, Reliability]],
        Field(default_factory=dict, description="By origin of the labels and kind of object"),
    ]


def write_calibration(path: Path, found: CalibrationFile) -> None:
    """Write a calibration; what was there before stays until it is whole."""
    replace_file(path, found.model_dump_json() + "\n")


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration.

    Raises
    ------
    ModelRefusedError
        If it is a link, too large, or not one.
    """
    if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
        raise ModelRefusedError(f"{path}: a link, or too large; run lithoscope model calibrate")
    try:
        return CalibrationFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelRefusedError(
            f"{path}: {place}: {first['msg']}; run lithoscope model calibrate"
        ) from error


def calibrations_for(model: str | None) -> tuple[Calibration, ...]:
    """Give the calibrations that may hold for the labels of an experiment.

    Parameters
    ----------
    model
        Name or folder of its network; None for labels by thresholds. Those of thresholds come
        with the default network.

    Returns
    -------
    tuple of Calibration
        Empty where there are none: metrics then have no interval.
    """
    found: list[Calibration] = []
    for path in _paths(model):
        found += read_calibration(path).calibrations
    return tuple(found)


def calibration_sha256(model: str | None) -> str:
    """Name the calibrations that `calibrations_for` gives."""
    digest = hashlib.sha256()
    for path in _paths(model):
        digest.update(_file_sha256(path, path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def _paths(model: str | None) -> list[Path]:
    folders = [find_model(DEFAULT_MODEL)]
    if model is not None:
        try:
            folders.insert(0, find_model(model))
        except ModelRefusedError:
            return []  # the segment stage says what is wrong with it
    paths = dict.fromkeys(folder / CALIBRATION_FILE for folder in folders)
    return [path for path in paths if path.is_file()]


@cache
def _file_sha256(path: Path, _changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
