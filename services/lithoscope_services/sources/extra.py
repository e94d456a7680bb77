"""What sources need that not everybody installs."""

from collections.abc import Iterator
from contextlib import contextmanager

from lithoscope_services.errors import SourceError


@contextmanager
def beamline_extra(kind: str) -> Iterator[None]:
    """Say what to install if a library of the extra is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SourceError(
            f"source: {kind} needs {error.name}; install lithoscope[beamline]"
        ) from error
