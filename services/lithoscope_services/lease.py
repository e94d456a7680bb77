"""What the journal says of leases to act and of holds, for the plan of ``decide``."""

from lithoscope_messages import Mode
from lithoscope_services.history import History

#: Sources of frames whose experiments are not over when they are looked at.
MAY_BE_ARMED = frozenset({"live", "simulated"})


def ceiling_of(history: History) -> Mode:
    """Give the highest mode that is in force: ``auto`` while a lease is, else ``propose``.

    The lease itself is in the memory of ``act``, which writes its end into the journal and asks it
    again before anything is sent: this is what proposals say, not what allows them.
    """
    is_live = history.started is not None and history.started.description.source in MAY_BE_ARMED
    return "auto" if history.armed is not None and is_live else "propose"


def hold_in_force(history: History) -> str:
    """Say why the plan must wait, or nothing.

    A hold or pause that was approved or sent stands until a person releases it, whatever became
    of the sending.
    """
    return next(iter(history.holding.values()), "")
