"""What may go wrong with a task, and the line in which it is told."""

from lithoscope_services.errors import ServiceError
from lithoscope_store import StoreError

#: What may go wrong with data, disks and memory; anything else is a bug and ends the process.
TROUBLES = (ServiceError, StoreError, ValueError, OSError, MemoryError, ArithmeticError)


def name_of(error: Exception) -> str:
    """Say what went wrong, with its kind if the text is not ours."""
    is_named = type(error).__module__.startswith("lithoscope_")
    return str(error) if is_named else f"{type(error).__name__}: {error}"
