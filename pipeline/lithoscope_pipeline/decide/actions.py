"""What a decision may ask for: a closed list of actions, each parameter within bounds.

Nothing here can drive a cell harder: no action raises a current, resumes a hold or opens a
shutter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from lithoscope_pipeline.errors import ParameterError

ActionName = Literal[
    "hold",
    "pause",
    "lower_current",
    "finer_scan",
    "repeat_flats",
    "scan_more",
    "scan_less",
    "note",
]
RuleClass = Literal["reduces_risk", "neutral", "raises_risk"]

#: Actions that protect the cell: no failed gate, no limit and no missing number mutes them.
PROTECTIVE: Final[frozenset[ActionName]] = frozenset({"hold", "pause", "lower_current"})
#: What may be done without a person while the lease of somebody runs.
MAY_BE_AUTO: Final[frozenset[ActionName]] = PROTECTIVE | {"repeat_flats"}
#: What costs dose; a person decides, but for the one finer scan of a cell that is held.
_MORE_DOSE: Final[frozenset[ActionName]] = frozenset({"finer_scan", "scan_more"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterBounds:
    """What one parameter of an action may be.

    Parameters
    ----------
    low, high
        Smallest and largest value.
    default
        Taken when a rule does not say.
    unit
        Of all three.
    meaning
        For a person.
    is_whole
        Whether only whole numbers will do.
    """

    low: float
    high: float
    default: float
    unit: str
    meaning: str
    is_whole: bool = False


#: The parameters of each action; an action that is not named here has none.
PARAMETERS: Final[Mapping[ActionName, Mapping[str, ParameterBounds]]] = MappingProxyType(
    {
        "lower_current": {
            "current_share": ParameterBounds(
                low=0.1, high=0.9, default=0.5, unit="1", meaning="of the present current"
            )
        },
        "finer_scan": {
            "projections_factor": ParameterBounds(
                low=1.25, high=4.0, default=2.0, unit="1", meaning="of the projections of a scan"
            )
        },
        "repeat_flats": {
            "n_flats": ParameterBounds(
                low=5, high=200, default=20, unit="1", meaning="flats after a scan", is_whole=True
            )
        },
        "scan_more": {
            "scans_per_pulse": ParameterBounds(
                low=2, high=4, default=2, unit="1", meaning="scans a pulse", is_whole=True
            )
        },
        "scan_less": {
            "pulses_per_scan": ParameterBounds(
                low=2, high=8, default=2, unit="1", meaning="pulses a scan", is_whole=True
            )
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action with its parameters.

    Parameters
    ----------
    name
        What is asked for.
    parameters
        Name and value of each, sorted by name.

    Raises
    ------
    ParameterError
        If a parameter is unknown to the action, missing, or outside its bounds.
    """

    name: ActionName
    parameters: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        problems = parameter_problems(self.name, dict(self.parameters), needs_all=True)
        if problems:
            raise ParameterError("; ".join(problems))

    @property
    def rule_class(self) -> RuleClass:
        """Whether it lowers the risk for the cell, leaves it, or costs dose."""
        if self.name in PROTECTIVE:
            return "reduces_risk"
        return "raises_risk" if self.name in _MORE_DOSE else "neutral"

    @property
    def as_dict(self) -> dict[str, float]:
        """The parameters by name."""
        return dict(self.parameters)


def make_action(name: ActionName, parameters: Mapping[str, float] | None = None) -> Action:
    """Make an action; what is not given takes its default.

    Raises
    ------
    ParameterError
        If a parameter is unknown to the action or outside its bounds.
    """
    given = dict(parameters or {})
    defaults = {key: bounds.default for key, bounds in PARAMETERS.get(name, {}).items()}
    return Action(name=name, parameters=tuple(sorted((defaults | given).items())))


def parameter_problems(
    name: ActionName, parameters: Mapping[str, float], *, needs_all: bool = False
) -> tuple[str, ...]:
    """Say what is wrong with the parameters of an action, each with its cure; all at once.

    Parameters
    ----------
    name, parameters
        The action and what it is given.
    needs_all
        Whether one that is missing is wrong too.
    """
    known = PARAMETERS.get(name, {})
    problems = []
    for key, value in parameters.items():
        bounds = known.get(key)
        if bounds is None:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            problems.append(f"{name} has no parameter {key}; {allowed}")
        elif not bounds.low <= value <= bounds.high:
            problems.append(
                f"{name}: {key} is {value:g}; give {bounds.low:g} to {bounds.high:g} "
                f"({bounds.meaning})"
            )
        elif bounds.is_whole and value != int(value):
            problems.append(f"{name}: {key} is {value:g}; give a whole number")
    if needs_all:
        problems += [f"{name}: {key} is missing; give it" for key in set(known) - set(parameters)]
    return tuple(problems)
