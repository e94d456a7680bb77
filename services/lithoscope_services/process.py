"""The entry of every service: ``python -m lithoscope_services.process NAME …``."""

import argparse
import json
import sys
import time
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
#: In the runtime directory: how and when a source failed lately.
SOURCE_FAILURES = "source.failures"
MAX_EQUAL_FAILURES = 3
FAILURE_WINDOW_S = 60.0
SERVICES = ("journal", "ingest", *STAGES, "act", "label", "beamline", "source", "facts")


def main() -> None:
    """Run one service until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SERVICES)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--runtime-dir", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True, help="resolved, as JSON")
    parser.add_argument("--source", type=Path, help="what the beamline does, as JSON")
    parser.add_argument("--only", help="the one experiment that the journal serves")
    parser.add_argument("--lifeline-fd", type=int)
    arguments = parser.parse_args()
    configure_logs(arguments.name)
    try:
        _run(arguments)
    except (ServiceError, StoreError) as error:
        sys.stderr.write(f"lithoscope: error: {arguments.name}: {error}\n")
        if arguments.name in ("beamline", "source") and (
            _is_final(error) or _keeps_failing(arguments.runtime_dir, str(error))
        ):
            write_atomic(arguments.runtime_dir / SOURCE_FAILURE, str(error).encode())
        sys.exit(1)


def _is_final(error: BaseException | None) -> bool:
    """Whether starting a source again would bring the same failure."""
    while error is not None:
        if isinstance(error, SourceError | RefusedError):
            return True
        error = error.__cause__
    return False


def _keeps_failing(runtime_dir: Path, text: str) -> bool:
    """Whether a source has failed in the same way again and again within a short time."""
    path, now_s = runtime_dir / SOURCE_FAILURES, time.time()
    times_s: list[float] = []
    if path.exists():
        before = json.loads(path.read_bytes())
        times_s = before["times_s"] if before["text"] == text else []
    times_s = [each for each in times_s if now_s - each < FAILURE_WINDOW_S] + [now_s]
    write_atomic(path, json.dumps({"text": text, "times_s": times_s}).encode())
    return len(times_s) >= MAX_EQUAL_FAILURES


def _run(arguments: argparse.Namespace) -> None:
    store = Store(arguments.store)
    # JSON knows no tuples and no paths: the strict tree is read from the text itself.
    settings = Settings.model_validate_json(arguments.settings.read_text())
    with Loop(arguments.name, arguments.runtime_dir, arguments.lifeline_fd) as loop:
        if arguments.name == "journal":
            from lithoscope_services.journal import JournalService

            service = JournalService(loop, store, only=arguments.only)
            try:
                loop.run()
            finally:
                service.close()
        elif arguments.name == "ingest":
            from lithoscope_services.ingest import IngestService

            IngestService(loop, store, settings).run()
        elif arguments.name == "act":
            from lithoscope_services.actuators.service import ActService

            ActService(loop, settings).run()
        elif arguments.name == "label":
            from lithoscope_services.painting.service import LabelService

            LabelService(loop, store).run()
        elif arguments.name == "beamline":
            from lithoscope_services.beamline.source import run_source

            run_source(loop, json.loads(arguments.source.read_text()), settings, store)
        elif arguments.name == "facts":
            from lithoscope_services.replay.facts import FactsService

            FactsService(loop, store, json.loads(arguments.source.read_text()))
            loop.run()
        elif arguments.name == "source":
            from lithoscope_services.sources.run import run_foreign_source

            run_foreign_source(loop, settings, store)
        else:
            from lithoscope_services.runner import Runner
            from lithoscope_services.stages import stage_named

            Runner(loop, stage_named(arguments.name), store.root).run()


if __name__ == "__main__":
    main()
