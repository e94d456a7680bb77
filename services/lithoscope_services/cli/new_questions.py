"""What ``lithoscope new`` asks at a terminal, and the marker that tells the clock."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lithoscope_services.listen import SourceFinding
    from lithoscope_services.setup import Preset, SetupValue

#: Asked only where frames come from a stream or from files.
_OF_SOURCE = frozenset({"darks", "flats", "projections", "flats-after", "folder"})


def find_clock_offset_s(
    given_s: float | None, marker: Path | None, marker_at_s: float | None
) -> float | None:
    """Give the offset as it was said, or by the marker in the cycler's record."""
    if (marker is None) != (marker_at_s is None):
        raise typer.BadParameter("give --marker and --marker-at-s together")
    if marker is None or marker_at_s is None:
        return given_s
    if given_s is not None:
        raise typer.BadParameter("give either --clock-offset-s or --marker")
    from lithoscope_pipeline.setup_checks import find_marker
    from lithoscope_services.electrochemistry import read_cycler
    from lithoscope_services.errors import SourceError

    record = read_cycler(marker)
    found_s = find_marker(record.time_s, record.current_mA)
    if found_s is None:
        raise SourceError(f"{marker}: no marker in it: a run of current of under a minute")
    return marker_at_s - found_s


def ask(
    name: str | None,
    said: dict[str, Any],
    chosen: "Preset | None",
    finding: "SourceFinding | None",
) -> str | None:
    """Ask for what nothing has answered; Enter leaves the default."""
    from lithoscope_services.setup import SETUP_VALUES

    known = {**({} if chosen is None else chosen.values)}
    known |= {} if finding is None else finding.settings
    if name is None:
        name = typer.prompt("Name of the experiment (letters, digits, . _ -)", err=True)
    for value in SETUP_VALUES:
        is_answered = said[value.name] is not None or value.key in known
        is_elsewhere = value.name in _OF_SOURCE and "source.kind" not in known
        if not is_elsewhere and (not is_answered or value.name.endswith("-side")):
            said[value.name] = said[value.name] or _answer(value)
    return name


def _answer(value: "SetupValue") -> Any:  # as the settings have it
    default = "none" if value.default in (None, "") else value.default
    unit = f", {value.unit}" if value.unit else ""
    while True:
        text = typer.prompt(
            f"{value.question}{unit} [{default}]", default="", show_default=False, err=True
        )
        if not text:
            return None
        try:
            answer = value.parse(text)
        except ValueError as error:
            typer.echo(f"  {error}; write one, or press Enter", err=True)
            continue
        return int(answer) if value.name == "current-sign" else answer
