"""What a check of the set-up says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SetupVerdict = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFinding:
    """Whether one value of the set-up agrees with the data.

    Parameters
    ----------
    check
        What was checked, such as ``pixel size``.
    verdict
        ``unknown`` where the data say nothing of it yet.
    text
        What was found, and what it was compared with.
    advice
        What to do; empty for what is right.
    evidence
        The numbers behind it, by name with unit.
    """

    check: str
    verdict: SetupVerdict
    text: str
    advice: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
