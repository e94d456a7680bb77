"""The entry of every service: ``python -m lithoscope_services.process NAME …``."""

import argparse
import json
import sys
from pathlib import Path

from lithoscope_services.errors import RefusedError, ServiceError, SourceError
from lithoscope_services.logs import configure_logs
from lithoscope_services.loop import Loop
from lithoscope_services.settings.tree import Settings
from lithoscope_store import Store, StoreError
from lithoscope_store.durable import write_atomic

STAGES = ("reconstruct", "register", "segment", "measure", "decide")
#: In the runtime directory: why a source can never go on, for whoever waits for its scans.
SOURCE_FAILURE = "source.failure"
SERVICES = ("journal", "ingest", *STAGES, "beamline", "source")


def main() -> None:
    """Run one service until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SERVICES)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--runtime-dir", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True, help="resolved, as JSON")
    parser.add_argument("--source", type=Path, help="what the beamline does, as JSON")
    parser.add_argument("--lifeline-fd", type=int)
    arguments = parser.parse_args()
    configure_logs(arguments.name)
    try:
        _run(arguments)
    except (ServiceError, StoreError) as error:
        sys.stderr.write(f"lithoscope: error: {arguments.name}: {error}\n")
        if arguments.name in ("beamline", "source") and _is_final(error):
            write_atomic(arguments.runtime_dir / SOURCE_FAILURE, str(error).encode())
        sys.exit(1)


def _is_final(error: BaseException | None) -> bool:
    """Whether starting a source again would bring the same failure."""
    while error is not None:
        if isinstance(error, SourceError | RefusedError):
            return True
        error = error.__cause__
    return False


def _run(arguments: argparse.Namespace) -> None:
    store = Store(arguments.store)
    # JSON knows no tuples and no paths: the strict tree is read from the text itself.
    settings = Settings.model_validate_json(arguments.settings.read_text())
    with Loop(arguments.name, arguments.runtime_dir, arguments.lifeline_fd) as loop:
        if arguments.name == "journal":
            from lithoscope_services.journal import JournalService

            service = JournalService(loop, store)
            try:
                loop.run()
            finally:
                service.close()
        elif arguments.name == "ingest":
            from lithoscope_services.ingest import IngestService

            IngestService(loop, store, settings).run()
        elif arguments.name == "beamline":
            from lithoscope_services.beamline.source import run_source

            run_source(loop, json.loads(arguments.source.read_text()), settings, store)
        elif arguments.name == "source":
            from lithoscope_services.sources.array_1_0.adapter import run_array_source

            run_array_source(loop, settings, store)
        else:
            from lithoscope_services.runner import Runner
            from lithoscope_services.stages import stage_named

            Runner(loop, stage_named(arguments.name), store.root).run()


if __name__ == "__main__":
    main()
