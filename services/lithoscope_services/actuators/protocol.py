"""What an actuator has to do: say what it would send, send it once, and look for the effect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lithoscope_messages import ActionName

#: What is sent, or was answered, as JSON.
Json = Mapping[str, Any]

#: Actions that act on the cell; the others act on the scanning.
ON_THE_CELL: frozenset[ActionName] = frozenset({"hold", "pause", "lower_current"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One action that is to be done once.

    Parameters
    ----------
    correlation_id
        Stands in whatever is sent, so that the effect can be found again; new for each attempt.
    experiment, scan, proposal, rule
        What it comes from.
    action, parameters
        What is to be done.
    reason
        For people.
    is_automatic
        Whether a lease stands behind it and no person's yes to this very proposal.
    sent_ns
        Unix time of the durable intent, ns; 0 before there is one.
    """

    correlation_id: str
    experiment: str
    scan: int
    proposal: str
    rule: str
    action: ActionName
    parameters: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    is_automatic: bool = False
    sent_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending.

    ``accepted``: the other side has taken it. ``refused``: it has said that it will not do it.
    ``unclear``: no answer came, so it may have been done or not.
    """

    state: Literal["accepted", "refused", "unclear"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of looking for the effect.

    ``done`` and ``failed`` are certain. ``underway``: it was taken and has no end yet. ``absent``:
    the other side answered, and knows nothing of it. ``unreachable``: nobody could tell.
    """

    state: Literal["done", "failed", "underway", "absent", "unreachable"]
    text: str = ""


class Actuator(Protocol):
    """One way to the beamline. All methods are called from one thread, one after the other."""

    @property
    def name(self) -> str:
        """Stands in the journal."""

    def describe(self, command: Command) -> Json:
        """Give what would be sent, without keys; pure.

        Raises
        ------
        NotAllowedError
            If the settings do not allow it.
        """

    def preflight(self, command: Command) -> str:
        """Say why it must not be sent just now, or nothing; changes nothing anywhere."""

    def send(self, command: Command) -> Sent:
        """Send it, once; never raises for what the other side does."""

    def look(self, command: Command) -> Seen:
        """Look for the effect by the correlation id; changes nothing anywhere."""

    def close(self) -> None:
        """Close what is open."""
