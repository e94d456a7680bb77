"""An actuator that sends nothing and says what it would have sent."""

import json

from lithoscope_services.actuators.protocol import Actuator, Command, Json, Seen, Sent

NOTHING_SENT = "dry run: nothing left this machine"


class DryRunActuator:
    """Takes every step of acting but the sending.

    Parameters
    ----------
    described_by
        The actuator that would have been used; None describes the bare command.
    """

    name = "dry_run"

    def __init__(self, described_by: Actuator | None = None) -> None:
        self._described_by = described_by

    def describe(self, command: Command) -> Json:
        """Give what would have been sent."""
        if self._described_by is not None:
            return self._described_by.describe(command)
        return {"action": command.action, "parameters": dict(command.parameters)}

    def preflight(self, command: Command) -> str:
        """Find nothing against it."""
        del command
        return ""

    def send(self, command: Command) -> Sent:
        """Send nothing."""
        del command
        return Sent("accepted", NOTHING_SENT)

    def look(self, command: Command) -> Seen:
        """Say that nothing was sent, and what it would have been."""
        text = json.dumps(self.describe(command), sort_keys=True)
        return Seen("done", f"{NOTHING_SENT}; it would have been {text}")

    def close(self) -> None:
        """Close nothing."""
