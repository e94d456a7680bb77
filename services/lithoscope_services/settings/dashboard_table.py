"""Where the page is reached, and by whom."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from lithoscope_messages.hosts import is_loopback
from lithoscope_services.settings.table import Table

_HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class DashboardSettings(Table):
    """Where the page is reached; from other machines only over TLS and with a login."""

    host: Annotated[
        str,
        Field(
            description="Address it listens on; this machine alone needs no login. For others "
            "give another, with certificate, private_key and names, and add people with "
            "lithoscope dashboard user add"
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, description="Port of the page; 0 takes any that is free")
    ] = 8050
    names: Annotated[
        tuple[_HostName, ...],
        Field(
            max_length=16,
            description="Host names by which other machines reach the page, or a proxy before it "
            "that has TLS of its own; with any, people must log in",
        ),
    ] = ()
    certificate: Annotated[
        Path | None, Field(description="TLS certificate with its chain, PEM; left out, none")
    ] = None
    private_key: Annotated[
        Path | None, Field(description="Its key, PEM, for the account alone that runs Lithoscope")
    ] = None

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        if host == "localhost":
            return host
        try:
            ipaddress.ip_address(host)
        except ValueError as error:
            raise ValueError(f"{host!r} is no address; give 127.0.0.1 or one of yours") from error
        return host

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _hides_passwords(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key belong together; give both or none")
        if self.is_local:
            return self
        if self.certificate is None:
            raise ValueError(
                f"host {self.host!r} can be reached from other machines, and passwords would go "
                "there in the clear; give certificate and private_key, or take 127.0.0.1 and "
                "reach it from elsewhere with ssh -L"
            )
        if not self.names and ipaddress.ip_address(self.host).is_unspecified:
            raise ValueError(
                f"host {self.host!r} is every address of this machine; say with names by which "
                "the page is reached"
            )
        return self
