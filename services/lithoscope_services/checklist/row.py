"""A line of the checklist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lithoscope_pipeline.setup_checks import SetupFinding
from lithoscope_services.report import JsonObject

RowState = Literal["ok", "note", "warning", "problem"]
_STATES: Mapping[str, RowState] = {"right": "ok", "wrong": "problem", "unknown": "note"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What was looked at.
    state
        ``problem``: mend it before the first pulse. ``warning``: it will work, but badly.
        ``note``: good to know, or not known yet.
    found
        What was found.
    advice
        What to do; empty if nothing.
    numbers
        What it rests on, by name with unit.
    """

    name: str
    state: RowState
    found: str
    advice: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, finding: SetupFinding) -> "CheckRow":
        """Make a row of a check of the set-up."""
        return cls(
            name=finding.check,
            state=_STATES[finding.verdict],
            found=finding.text,
            advice=finding.advice,
            numbers=finding.evidence,
        )

    def as_json(self) -> JsonObject:
        """Give all of it as JSON has it."""
        return {
            "name": self.name,
            "state": self.state,
            "found": self.found,
            "advice": self.advice,
            "numbers": dict(self.numbers),
        }
