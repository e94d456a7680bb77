"""Which foreign source the settings ask for; each imports its library when it is needed."""

from lithoscope_services.errors import SourceError
from lithoscope_services.loop import Loop
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.stream.source import run_stream_source
from lithoscope_store import Store


def run_foreign_source(loop: Loop, settings: Settings, store: Store) -> None:
    """Feed ingest from the source of the settings until told to stop.

    Raises
    ------
    ServiceError
        If it cannot go on.
    """
    match settings.source.kind:
        case "array-1.0":
            from lithoscope_services.sources.array_1_0 import ArrayReceiver

            run_stream_source(loop, settings, store, ArrayReceiver)
        case kind:
            raise SourceError(f"source: {kind} is not taken; see [source] in the settings")
