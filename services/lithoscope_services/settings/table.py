"""What every table of the settings has in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of the settings file: frozen, no unknown key, no silent change of type."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        serialize_by_alias=True,
    )
