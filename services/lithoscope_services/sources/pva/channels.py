"""Follow EPICS channels: what changed since last time, over losses of the connection too."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import structlog
from p4p.client.raw import Context, Subscription

from lithoscope_services.settings.source_table import SourceSettings

#: A channel that stays away this long is looked for anew; the library's own search slows down.
SEARCH_S = 3.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Update:
    """A new value of a channel.

    Parameters
    ----------
    type_id
        Of its structure, such as ``epics:nt/NTNDArray:1.0``.
    fields
        The structure as nested mappings.
    is_standing
        Whether it stood there when the channel was connected: it may be old.
    """

    type_id: str
    fields: dict[str, Any]  # of any structure
    is_standing: bool


class Channels:
    """Channels that are followed together; a context manager.

    What one server changes in several of them arrives in its order: they share a connection.

    Parameters
    ----------
    names
        Of the channels; the first is the one that must not stay away.
    settings
        With the servers and the length of the queue.
    wake
        Set whenever there may be something to take.
    """

    def __init__(
        self, names: Sequence[str], settings: SourceSettings, wake: threading.Event
    ) -> None:
        self._names = names
        self._conf = client_conf(settings)
        self._request = f"record[queueSize={settings.queue_frames}]field()"
        self._wake = wake
        self._connected: set[str] = set()
        self._is_first_lost = False
        self._searched_s = 0.0
        self._subscriptions: dict[str, Subscription] = {}

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *about: object) -> None:
        self._close()

    def take(self, name: str) -> Update | None:
        """Give the oldest value of a channel that was not taken; None if there is none."""
        while (found := self._subscriptions[name].pop()) is not None:
            if isinstance(found, Exception):
                self._lose(name, found)
                continue
            is_standing = name not in self._connected
            if is_standing:
                log.info("channel_connected", channel=name)
                self._connected.add(name)
                self._is_first_lost = self._is_first_lost and name != self._names[0]
            return Update(type_id=found.getID(), fields=found.todict(), is_standing=is_standing)
        is_lost = self._is_first_lost or not self._connected
        if is_lost and time.monotonic() - self._searched_s > SEARCH_S:
            self._close()
            self._open()
        return None

    def _lose(self, name: str, error: Exception) -> None:
        if name in self._connected:
            log.warning("channel_lost", channel=name, error=str(error)[:200])
            self._connected.remove(name)
        if name == self._names[0] and not self._is_first_lost:
            self._is_first_lost, self._searched_s = True, time.monotonic()

    def _open(self) -> None:
        self._connected.clear()
        self._is_first_lost, self._searched_s = False, time.monotonic()
        # Settings alone say where is searched: no variable of the environment does.
        self._context = Context("pva", conf=self._conf, useenv=False, nt=False)
        # The first one last: when its first value comes those of the others are there.
        for name in reversed(self._names):
            self._subscriptions[name] = self._context.monitor(
                name, self._wake.set, request=self._request
            )

    def _close(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.close()
        self._context.close()


def client_conf(settings: SourceSettings) -> dict[str, str]:
    """Say where the client library searches."""
    is_given = bool(settings.pva_addresses or settings.pva_servers)
    return {
        "EPICS_PVA_ADDR_LIST": " ".join(settings.pva_addresses),
        "EPICS_PVA_NAME_SERVERS": " ".join(settings.pva_servers),
        "EPICS_PVA_AUTO_ADDR_LIST": "NO" if is_given else "YES",
    }
