"""The tables of actuators: who obeys, where, and what may be asked of it."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from lithoscope_messages.hosts import is_loopback
from lithoscope_services.settings.table import Table

PlanAction = Literal["finer_scan", "repeat_flats", "scan_more", "scan_less"]
Bound = tuple[str, float, float]


class ActuatorSettings(Table):
    """Who obeys decisions; docs/acting.md says what has to stand on the other side."""

    kind: Annotated[
        Literal["off", "dry_run", "queueserver", "webhook"],
        Field(
            description="off sends nothing and cannot be armed; dry_run takes every step but the "
            "sending; queueserver is Bluesky's; webhook posts signed JSON"
        ),
    ] = "dry_run"
    address: Annotated[
        str | None,
        Field(
            description="tcp://HOST:PORT of the RE Manager, or the https address of the webhook; "
            "http and a manager without a public key on this machine alone"
        ),
    ] = None
    keys_file: Annotated[
        str | None,
        Field(
            description="TOML file that only you can read (0600): queue_public_key, lock_key, "
            "webhook_secret"
        ),
    ] = None
    user: Annotated[
        str, Field(min_length=1, max_length=64, description="Name under which is queued")
    ] = "lithoscope"
    user_group: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Group of the RE Manager's permissions; one of its own, that may do "
            "nothing else",
        ),
    ] = "lithoscope"
    cycler_function: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z][a-z0-9_]{0,63}$",
            description="Function of the manager's startup code that holds the cycler and lowers "
            "its current; left out, neither is sent",
        ),
    ] = None
    timeout_s: Annotated[
        float, Field(gt=0, le=5, description="Wait for one answer of the other side, s")
    ] = 1.0
    confirm_s: Annotated[
        float,
        Field(
            ge=1,
            le=300,
            description="How long an effect is looked for, s; longer than a request can lie "
            "somewhere and be done after all",
        ),
    ] = 10.0
    max_data_age_s: Annotated[
        float,
        Field(
            gt=0,
            description="From the end of a scan to an automatic action that rests on it, s; the "
            "rest after a pulse of the reference experiment is 20 min",
        ),
    ] = 1200.0
    max_per_hour: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Automatic actions within an hour, but for those that protect the cell",
        ),
    ] = 12

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind in ("off", "dry_run"):
            return self
        if self.address is None:
            raise ValueError(f'address is missing for kind = "{self.kind}"')
        if self.kind == "webhook" and self.keys_file is None:
            raise ValueError("keys_file is missing; a webhook is signed with webhook_secret in it")
        if self.kind == "queueserver" and self.keys_file is None and not self.is_on_this_machine:
            raise ValueError(
                "keys_file is missing; a manager on another machine is reached with its "
                "queue_public_key only"
            )
        return self

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{address!r} is no address: {error}") from error
        if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
            raise ValueError(f"{address!r} is no tcp://HOST:PORT and no https address")
        if parts.username or parts.password:
            raise ValueError("an address holds no password; put it into keys_file")
        if parts.scheme == "tcp" and (port is None or parts.path):
            raise ValueError(f"{address!r} is no tcp://HOST:PORT")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError(f"{address!r} goes over a network; use https")
        return address

    @model_validator(mode="after")
    def _fits_its_address(self) -> Self:
        wanted = {"queueserver": ("tcp",), "webhook": ("http", "https")}.get(self.kind)
        if wanted and self.address and urlsplit(self.address).scheme not in wanted:
            raise ValueError(f'address of kind = "{self.kind}" begins with {" or ".join(wanted)}')
        return self

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the address is of this machine alone."""
        return self.address is not None and is_loopback(urlsplit(self.address).hostname or "")


class ActuatorPlanSettings(Table):
    """A plan that may be queued for an action; what stands in no such table is never queued."""

    action: Annotated[PlanAction, Field(description="What a rule asks for")] = "finer_scan"
    plan: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9_]{0,63}$",
            description="Name of the plan in the manager's startup code",
        ),
    ] = "lithoscope_finer_scan"
    bounds: Annotated[
        tuple[Bound, ...],
        Field(
            description="Parameters that may be given: name, lowest and highest value; any other "
            "name or value is refused here, before the manager sees it"
        ),
    ] = ()

    @field_validator("bounds")
    @classmethod
    def _are_bounds(cls, bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
        for name, low, high in bounds:
            if not name.isidentifier():
                raise ValueError(f"{name!r} is no name of a parameter")
            if low > high:
                raise ValueError(f"{name}: the lowest value {low:g} is above the highest {high:g}")
        return bounds
