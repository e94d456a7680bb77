"""The table of a rule."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lithoscope_messages import ActionName, Mode, Severity
from lithoscope_services.settings.table import Table


class RuleSettings(Table):
    """When something should happen: one rule; it fires once, and again only after its reset."""

    id: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Name of the rule")
    ] = "remaining_gap"
    metric: Annotated[
        str, Field(pattern=r"^[a-z][A-Za-z0-9_]{0,63}$", description="Metric that it watches")
    ] = "remaining_gap_um"
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
    k: Annotated[int, Field(ge=1, le=100, description="Scans of the last n that must agree")] = 1
    n: Annotated[int, Field(ge=1, le=100, description="Scans that are looked back at")] = 1
    bound: Annotated[
        Literal["value", "low95", "high95"],
        Field(description="Which number is compared; a bound that is not known yields the value"),
    ] = "low95"
    action: Annotated[ActionName, Field(description="What is proposed")] = "hold"
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
        Mode, Field(description="off, dry_run, propose (a person decides) or auto (when armed)")
    ] = "propose"

    @model_validator(mode="after")
    def _has_hysteresis(self) -> Self:
        is_right = (
            self.reset_value >= self.set_value
            if self.comparison == "below"
            else self.reset_value <= self.set_value
        )
        if not is_right:
            side = "at or above" if self.comparison == "below" else "at or below"
            raise ValueError(
                f"reset_value {self.reset_value:g} must lie {side} set_value {self.set_value:g} "
                f"for a rule that fires {self.comparison} it"
            )
        if self.k > self.n:
            raise ValueError(f"k = {self.k} scans cannot agree among the last n = {self.n}")
        return self
