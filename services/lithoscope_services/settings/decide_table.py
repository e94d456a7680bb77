"""The table of what holds for all rules: gates, budgets, and what was never commissioned."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lithoscope_services.settings.table import Table


class DecideSettings(Table):
    """What holds for all rules: when numbers are believed, budgets, what was commissioned."""

    unvalidated_images: Annotated[
        Literal["dry_run", "propose"],
        Field(
            description="Most that a rule on images may do while what made the labels was not "
            "commissioned: dry_run says what it would propose. Rules on the potential are not "
            "bound by it"
        ),
    ] = "dry_run"
    commissioned_models: Annotated[
        tuple[str, ...],
        Field(description="What made the labels, by name, where it was tried out here"),
    ] = ()
    min_completeness: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Least share of the projections; under it thin lithium is lost in streaks",
        ),
    ] = 0.8
    faraday_band: Annotated[
        tuple[float, float],
        Field(
            description="Plausible lithium in the image over lithium of the charge; porous "
            "lithium gives about 2"
        ),
    ] = (0.7, 3.0)
    max_age_s: Annotated[
        float,
        Field(
            gt=0,
            description="Longest time from a scan to the decision on it, experiment time, s; a "
            "pulse and its rest last 1800",
        ),
    ] = 1800.0
    dose_budget_kGy: Annotated[  # noqa: N815 - the unit is kGy
        float | None,
        Field(gt=0, description="Dose that the polymer may get, kGy; left out, none is counted"),
    ] = None
    beam_time_s: Annotated[
        float | None,
        Field(gt=0, description="Beam time of the experiment, s; left out, none is counted"),
    ] = None

    @model_validator(mode="after")
    def _has_a_band(self) -> Self:
        low, high = self.faraday_band
        if not 0 <= low < high:
            raise ValueError(f"faraday_band is {low:g} to {high:g}; give the lower number first")
        return self
