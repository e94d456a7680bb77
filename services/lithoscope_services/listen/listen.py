"""Listen to whatever place it is."""

from collections.abc import Callable

from lithoscope_services.errors import SourceError
from lithoscope_services.listen.finding import SourceFinding
from lithoscope_services.listen.place import Place
from lithoscope_services.listen.stored import look_at_file
from lithoscope_services.listen.wire import listen_zmq


def listen_to(
    place: Place, for_s: float = 10.0, look: Callable[[], None] = lambda: None
) -> SourceFinding:
    """Say what is at a place.

    Parameters
    ----------
    place
        Of :func:`~lithoscope_services.listen.parse_place`.
    for_s
        How long to listen to a stream.
    look
        Called again and again while listening; may raise to stop.

    Raises
    ------
    SourceError
        If a library that it needs is not installed.
    """
    match place.kind:
        case "file":
            return look_at_file(place.path)
        case "zmq":
            return listen_zmq(place.address, for_s, look)
        case "pva":
            try:
                from lithoscope_services.listen.channel import listen_pva
            except ModuleNotFoundError as error:
                raise SourceError(
                    f"source: pva needs {error.name}; install lithoscope[beamline]"
                ) from error
            return listen_pva(place, for_s, look)
