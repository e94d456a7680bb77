"""The table of the measure stage."""

from typing import Annotated

from pydantic import Field

from lithoscope_services.settings.table import Table


class MeasureSettings(Table):
    """What metrics need to know that no frame says."""

    flux_per_s_mm2: Annotated[
        float | None,
        Field(
            gt=0,
            description="Photons on the sample per second and mm2, for the dose; left out, the "
            "dose is not measured",
        ),
    ] = None
    exposure_s: Annotated[
        float | None,
        Field(gt=0, le=3600, description="Exposure of one projection, s, for the dose"),
    ] = None
    electrolyte_formula: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            pattern=r"^[A-Za-z0-9.()]+$",
            description="Chemical formula of the electrolyte, for the dose; as it is, "
            "poly(ethylene oxide)",
        ),
    ] = "C2H4O"
    rate_scans: Annotated[
        int,
        Field(
            ge=2,
            le=100,
            description="Scans that rates are taken from, at most, since the current last turned: "
            "five follow a change within a few pulses and forget one bad scan",
        ),
    ] = 5
