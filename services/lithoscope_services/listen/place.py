"""Where to listen, as a person writes it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import sender_address

_PVA = re.compile(
    r"pva://(?:(?P<host>[A-Za-z0-9.\-]{1,253})(?P<port>:[0-9]{1,5})?/)?(?P<channel>[^\s/]{1,128})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A sender, a channel, or a file.

    Parameters
    ----------
    text
        As it was given.
    kind
        What it is.
    address
        Of a 0MQ sender.
    channel, host
        EPICS PV, and the server that is asked for it (``HOST`` by UDP, ``HOST:PORT`` by TCP);
        empty asks all on this machine's networks.
    path
        File or folder.
    """

    text: str
    kind: Literal["zmq", "pva", "file"]
    address: str = ""
    channel: str = ""
    host: str = ""
    path: Path = Path()


def parse_place(text: str) -> Place:
    """Read what follows ``--from``.

    Raises
    ------
    SourceError
        If it is no place that can be listened to.
    """
    if text.startswith(("tcp://", "ipc://")):
        try:
            return Place(text=text, kind="zmq", address=sender_address(text))
        except ValueError as error:
            raise SourceError(str(error)) from error
    if text.startswith("pva://"):
        match = _PVA.fullmatch(text)
        if match is None:
            raise SourceError(
                f"{text!r} is no pva://CHANNEL, pva://HOST/CHANNEL or pva://HOST:PORT/CHANNEL"
            )
        host = (match["host"] or "") + (match["port"] or "")
        return Place(text=text, kind="pva", channel=match["channel"], host=host)
    if "://" in text:
        raise SourceError(
            f"{text!r}: tcp://HOST:PORT, ipc:///path, pva://HOST/CHANNEL or a file can be "
            "listened to; anything else needs an adapter, see services/README.md"
        )
    path = Path(text)
    if not path.exists():
        raise SourceError(f"{text}: no such file or folder; check the path")
    return Place(text=text, kind="file", path=path)
