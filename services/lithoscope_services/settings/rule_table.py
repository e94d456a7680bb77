"""The table of a rule."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lithoscope_messages import ActionName, Mode, Severity
from lithoscope_pipeline.decide import (
    IMAGE_GATES,
    Action,
    GateName,
    Region,
    Rule,
    RuleError,
    RuleProblem,
    make_action,
    parameter_problems,
)
from lithoscope_services.settings.table import Table

#: Metrics that speak for something else than the part of the cell in view.
OF_THE_CELL = frozenset({"voltage_drop_share", "pulse_resistance_ohm"})
OF_THE_MACHINE = frozenset(
    {"free_disk_fraction", "dose_budget_used", "beam_time_used", "late_verdict_share"}
)

#: Gates of a rule that names none.
GATES: Mapping[Region, tuple[GateName, ...]] = MappingProxyType(
    {"view": IMAGE_GATES, "cell": ("age",), "machine": ()}
)


class RuleSettings(Table):
    """When something should happen: one rule; it fires once, and again only after its reset."""

    id: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Name of the rule")
    ] = "remaining_gap"
    metric: Annotated[
        str, Field(pattern=r"^[a-z][A-Za-z0-9_]{0,63}$", description="Metric that it watches")
    ] = "remaining_gap_um"
    region: Annotated[
        Region | None,
        Field(
            description="What the metric speaks for: view (what is imaged), cell (as a potential "
            "does) or machine; left out, the metric says it"
        ),
    ] = None
    comparison: Annotated[
        Literal["below", "above"], Field(description="Side of set_value on which it fires")
    ] = "below"
    set_value: Annotated[
        float, Field(description="Value at which it fires, in the unit of the metric")
    ] = 120.0
    reset_value: Annotated[
        float,
        Field(description="Value beyond which it may fire again; apart from set_value by noise"),
    ] = 160.0
    prediction: Annotated[
        Literal["none", "next_pulse"],
        Field(
            description="next_pulse: what the metric will be after the pulses until the next "
            "scan is compared, as it fell in the last ones"
        ),
    ] = "none"
    k: Annotated[int, Field(ge=1, le=100, description="Scans of the last n that must agree")] = 1
    n: Annotated[int, Field(ge=1, le=100, description="Scans that are looked back at")] = 1
    on_delay_s: Annotated[
        float, Field(ge=0, description="How long it must be beyond set_value first, s")
    ] = 0.0
    off_delay_s: Annotated[
        float, Field(ge=0, description="How long it must be beyond reset_value to be ready, s")
    ] = 0.0
    bound: Annotated[
        Literal["low95", "high95"],
        Field(description="End of the 95 % interval that is compared, never the bare value"),
    ] = "low95"
    allowance: Annotated[
        float,
        Field(
            ge=0,
            description="How far that end is taken to lie from the value where the interval is "
            "not modelled, in the unit of the metric",
        ),
    ] = 0.0
    gates: Annotated[
        tuple[GateName, ...] | None,
        Field(
            description="What must hold for the number to be believed; left out, all that matter "
            "for its region. None of them mutes a rule that protects the cell"
        ),
    ] = None
    action: Annotated[ActionName, Field(description="What is proposed")] = "hold"
    parameters: Annotated[
        dict[str, float], Field(description="Of the action, within its bounds")
    ] = Field(default_factory=dict)
    then: Annotated[
        ActionName | None, Field(description="What is proposed to follow it, once it was done")
    ] = None
    then_parameters: Annotated[dict[str, float], Field(description="Of what follows")] = Field(
        default_factory=dict
    )
    cooldown_s: Annotated[
        float, Field(ge=0, description="Least time between two proposals, experiment time, s")
    ] = 0.0
    max_per_hour: Annotated[
        int, Field(ge=1, le=1000, description="Proposals within an hour of experiment time")
    ] = 1000
    max_per_experiment: Annotated[
        int, Field(ge=1, le=1000, description="Proposals in the whole experiment")
    ] = 1000
    time_to_live_s: Annotated[
        float,
        Field(
            gt=0,
            description="How long a proposal waits for a person, experiment time, s; 4 h are "
            "eight pulses of the reference experiment",
        ),
    ] = 14_400.0
    severity: Annotated[Severity, Field(description="How loudly it is said")] = "critical"
    guidance: Annotated[
        str, Field(max_length=1000, description="What a person should look at and do")
    ] = (
        "Look at the newest slice where the gap is smallest. If lithium bridges the electrolyte, "
        "hold the cycling; if it is a speck of noise, reject."
    )
    mode: Annotated[
        Mode,
        Field(
            description="off, dry_run (says what it would propose), propose (a person decides) or "
            "auto (done while somebody's lease runs: hold, pause, lower_current, repeat_flats)"
        ),
    ] = "dry_run"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = self._action_problems()
        try:
            self._rule(with_parameters=not problems)
        except RuleError as error:
            problems += error.problems
        if problems:
            raise RuleError(problems)
        return self

    def _action_problems(self) -> tuple[RuleProblem, ...]:
        found = [
            RuleProblem(key=key, text=text)
            for key, name, given in (
                ("parameters", self.action, self.parameters),
                ("then_parameters", self.then, self.then_parameters),
            )
            if name is not None
            for text in parameter_problems(name, given)
        ]
        if self.then is None and self.then_parameters:
            found.append(RuleProblem(key="then_parameters", text="then is missing; add it"))
        return tuple(found)

    def to_rule(self) -> Rule:
        """Give the rule as the policy takes it."""
        return self._rule(with_parameters=True)

    def _rule(self, *, with_parameters: bool) -> Rule:
        region = self.region or region_of(self.metric)
        then: Action | None = None
        if self.then is not None:
            then = make_action(self.then, self.then_parameters if with_parameters else {})
        return Rule(
            region=region,
            gates=GATES[region] if self.gates is None else self.gates,
            action=make_action(self.action, self.parameters if with_parameters else {}),
            then=then,
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        )


#: Fields that the policy calls by the same name and takes as they are.
_AS_THEY_ARE = (
    *("id", "metric", "comparison", "set_value", "reset_value", "prediction", "k", "n"),
    *("on_delay_s", "off_delay_s", "bound", "allowance", "cooldown_s", "max_per_hour"),
    *("max_per_experiment", "time_to_live_s", "severity", "guidance", "mode"),
)


def region_of(metric: str) -> Region:
    """Say what a metric speaks for."""
    if metric in OF_THE_CELL:
        return "cell"
    return "machine" if metric in OF_THE_MACHINE else "view"


def rule_settings(rule: Rule) -> RuleSettings:
    """Write a rule of the policy as a table; what goes without saying is left out."""
    region = region_of(rule.metric)
    return RuleSettings(
        region=None if rule.region == region else rule.region,
        gates=None if rule.gates == GATES[rule.region] else rule.gates,
        action=rule.action.name,
        parameters=_chosen(rule.action),
        then=None if rule.then is None else rule.then.name,
        then_parameters={} if rule.then is None else _chosen(rule.then),
        **{name: getattr(rule, name) for name in _AS_THEY_ARE},
    )


def _chosen(action: Action) -> dict[str, float]:
    usual = make_action(action.name).as_dict
    return {key: value for key, value in action.parameters if value != usual[key]}
