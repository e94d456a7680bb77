"""A measured number as it is published: never without unit, interval or a reason for none."""

from typing import Annotated

from pydantic import Field

from lithoscope_messages._base import Value

Finite = Annotated[float, Field(allow_inf_nan=False)]


class MetricValue(Value):
    """One metric of one scan; ``null`` with a flag says why it could not be measured."""

    value: Finite | None
    unit: Annotated[str, Field(max_length=32)]
    low95: Finite | None = None
    high95: Finite | None = None
    voxels: Annotated[int | None, Field(ge=0, description="Voxels it rests on")] = None
    flags: tuple[str, ...] = ()
    p_value: Finite | None = None
