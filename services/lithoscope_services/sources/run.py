"""Which foreign source the settings ask for; each imports its library when it is needed."""

from functools import partial

from lithoscope_services.errors import SourceError
from lithoscope_services.loop import Loop
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.extra import beamline_extra
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
        case "dectris":
            with beamline_extra("dectris"):
                from lithoscope_services.sources.dectris import STATE, DectrisReceiver

            open_receiver = partial(DectrisReceiver, state=loop.runtime_dir / STATE)
            run_stream_source(loop, settings, store, open_receiver)
        case "pva":
            with beamline_extra("pva"):
                from lithoscope_services.sources.pva import PvaReceiver

            run_stream_source(loop, settings, store, PvaReceiver)
        case "bluesky":
            from lithoscope_services.sources.bluesky import run_bluesky_source

            run_bluesky_source(loop, settings, store)
        case "folder":
            from lithoscope_services.sources.folder import run_folder_source

            run_folder_source(loop, settings, store)
        case kind:
            raise SourceError(f"source: {kind} is not taken; see [source] in the settings")
