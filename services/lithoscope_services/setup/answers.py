"""Answers of a preset, of a stream and of a person, put together into settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lithoscope_services.errors import SourceError
from lithoscope_services.settings import Settings, replace_values

_TURN_DEG = 360.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Values by dotted key, the later ones stronger; ``Any`` because keys have different types.

    Parameters
    ----------
    preset, heard, given
        Of a preset, of the stream, of a person. None of a person leaves it to the others.
    stationary_side
        The electrode that does not move against the stage.
    first_plating_side
        Where in a slice the side lies that receives lithium first: at high or at low y.
    """

    preset: Mapping[str, Any] = field(default_factory=dict)
    heard: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    stationary_side: str | None = None
    first_plating_side: str | None = None


def put_together(answers: Answers) -> Settings:
    """Make the settings of all answers.

    Raises
    ------
    SourceError
        If the stationary side is one that cannot be taken.
    SettingsError
        If an answer does not fit.
    """
    if answers.stationary_side == "plating":
        raise SourceError(
            "--stationary-side plating: scans are laid over each other by the stripping side, at "
            "low y; fix that electrode to the stage"
        )
    given = {key: value for key, value in answers.given.items() if value is not None}
    values = {**answers.preset, **answers.heard, **given}
    if answers.first_plating_side == "low":
        # The stage half a turn on shows the cell from its other side.
        angle_deg = float(values.get("experiment.edge_on_deg", Settings().experiment.edge_on_deg))
        values["experiment.edge_on_deg"] = (angle_deg + _TURN_DEG / 2) % _TURN_DEG
    return replace_values(Settings(), values)
