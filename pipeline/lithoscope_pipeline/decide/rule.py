"""A rule: what it watches, when it fires, what it asks for and what holds it back.

The parts are those of alarm practice: set and reset value, k of n, on and off delays, latching,
guidance [1]_; and of automation that may act: bounds, cool-down, limits, an end [2]_.

References
----------
.. [1] ANSI/ISA-18.2-2016, Management of Alarm Systems for the Process Industries.
.. [2] ``docs/decisions/0015-rules.md``.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from lithoscope_pipeline.decide.actions import PROTECTIVE, Action, RuleClass
from lithoscope_pipeline.errors import ParameterError

Comparison = Literal["below", "above"]
Bound = Literal["low95", "high95"]
Severity = Literal["info", "minor", "major", "critical"]
Mode = Literal["off", "dry_run", "propose", "auto"]
Region = Literal["view", "cell", "machine"]
Prediction = Literal["none", "next_pulse"]
GateName = Literal[
    "completeness", "registration", "model", "distribution", "faraday", "age", "charge"
]

#: From least to most.
MODES: Final[tuple[Mode, ...]] = ("off", "dry_run", "propose", "auto")
#: What numbers of an image are worth nothing without; those of a potential need none but age.
IMAGE_GATES: Final[tuple[GateName, ...]] = (
    "completeness",
    "registration",
    "model",
    "distribution",
    "faraday",
    "age",
    "charge",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """What is wrong with one key of a rule, and what to do."""

    key: str
    text: str


class RuleError(ParameterError):
    """A rule contradicts itself.

    Parameters
    ----------
    problems
        All of it.
    """

    def __init__(self, problems: tuple[RuleProblem, ...]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a metric calls for an action.

    Parameters
    ----------
    id
        Name of the rule, unique among the rules in use.
    metric
        Name of the metric that it watches.
    region
        What the metric speaks for: ``view``, the part of the cell that is imaged; ``cell``, all
        of it, as a potential does; ``machine``, disk, dose and time.
    comparison
        ``below`` fires when the metric falls under ``set_value``, ``above`` when it rises over.
    set_value, reset_value
        The rule fires when the set value is passed and is ready again only after the reset
        value was passed back, in the unit of the metric.
    prediction
        ``next_pulse``: not the metric now is compared, but what it will be after the pulses
        until the next scan, at their current.
    k, n
        ``k`` of the last ``n`` scans must pass the set value.
    on_delay_s, off_delay_s
        How long the metric must have been beyond its set value to fire, and beyond its reset
        value to be ready again, recorded time.
    bound
        What is compared: an end of the 95 % interval, never the bare value.
    allowance
        How far the end of an interval that is not modelled is taken to be from the value, in
        the unit of the metric.
    gates
        What must hold for the number to be believed.
    action, then
        What it asks for; and what follows once that was done.
    cooldown_s
        Least time between two firings that ask for something.
    max_per_hour, max_per_experiment
        How often it may ask.
    time_to_live_s
        How long a proposal waits for an approval.
    severity, guidance
        How urgent it is, and what a person should look at.
    mode
        ``off``, ``dry_run`` (says what it would ask for), ``propose`` (a person decides) or
        ``auto`` (is done while a lease runs).
    """

    id: str
    metric: str
    region: Region = "view"
    comparison: Comparison
    set_value: float
    reset_value: float
    prediction: Prediction = "none"
    k: int = 1
    n: int = 1
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    bound: Bound = "low95"
    allowance: float = 0.0
    gates: tuple[GateName, ...] = ()
    action: Action
    then: Action | None = None
    cooldown_s: float = 0.0
    max_per_hour: int = 1000
    max_per_experiment: int = 1000
    time_to_live_s: float = 1200.0
    severity: Severity = "major"
    guidance: str = ""
    mode: Mode = "dry_run"

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise RuleError(problems)

    @property
    def is_protective(self) -> bool:
        """Whether it protects the cell, and so must not be muted."""
        return self.action.name in PROTECTIVE

    @property
    def rule_class(self) -> RuleClass:
        """Class of what it asks for."""
        return self.action.rule_class

    @property
    def key(self) -> str:
        """Hash of everything that the rule says."""
        return _sha256(asdict(self))


def rules_sha256(rules: Sequence[Rule]) -> str:
    """Hash a set of rules; their order does not matter."""
    return _sha256(sorted(rule.key for rule in rules))


def least_mode(*modes: Mode) -> Mode:
    """Give the mode that allows least."""
    return min(modes, key=MODES.index)


def _problems(rule: Rule) -> tuple[RuleProblem, ...]:
    """Say what contradicts itself in a rule, each with its cure; all at once."""
    found: list[RuleProblem] = []

    def wrong(key: str, text: str) -> None:
        found.append(RuleProblem(key=key, text=text))

    slack = rule.reset_value - rule.set_value
    if (slack if rule.comparison == "below" else -slack) < 0:
        side = "at or above" if rule.comparison == "below" else "at or below"
        wrong(
            "reset_value",
            f"reset_value {rule.reset_value:g} must lie {side} set_value {rule.set_value:g} for "
            f"a rule that fires {rule.comparison} it",
        )
    if not 1 <= rule.k <= rule.n:
        wrong("k", f"k = {rule.k} scans cannot agree among the last n = {rule.n}; set 1 <= k <= n")
    if rule.prediction != "none" and rule.comparison != "below":
        wrong("prediction", "prediction is for a metric that falls; set it to none")
    if rule.mode == "auto" and rule.rule_class == "raises_risk":
        wrong("mode", f"{rule.action.name} is never automatic, it costs dose; use propose")
    if rule.is_protective:
        _check_protection(rule, wrong)
    return tuple(found)


def _check_protection(rule: Rule, wrong: Callable[[str, str], None]) -> None:
    """Say what would make a protective rule fire late."""
    name = rule.action.name
    if rule.n > 1:
        wrong("n", f"{name} would wait for more scans, a short does not; set k = 1 and n = 1")
    if rule.on_delay_s > 0:
        wrong("on_delay_s", f"{name} would wait, a short does not; set on_delay_s = 0")
    safe: Bound = "low95" if rule.comparison == "below" else "high95"
    if rule.bound != safe:
        wrong(
            "bound",
            f"bound {rule.bound} would fire last where the metric is least certain; a rule that "
            f"protects and fires {rule.comparison} its set value needs {safe}",
        )


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
