"""The process that plays the beamline: simulated devices, stored scans, or a replay."""

import threading
import time
from pathlib import Path
from typing import Any

import structlog
import zmq
from bluesky import RunEngine
from bluesky.utils import FailedStatus
from ophyd_async.plan_stubs import ensure_connected

from lithoscope_messages import ExperimentDescription
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.beamline.link_destination import FrameLinkDestination, LinkDocuments
from lithoscope_services.beamline.plans import ExperimentOptions, experiment_plan
from lithoscope_services.beamline.simulated import experiment_steps, make_simulated_beamline
from lithoscope_services.beamline.truth import TruthKeeper
from lithoscope_services.beamline.verdict import JournalAnswers, Verdict
from lithoscope_services.beside import Stopper, run_beside
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.simulation import Simulation
from lithoscope_store import Store

log = structlog.get_logger()


def run_source(loop: Loop, source: dict[str, Any], settings: Settings, store: Store) -> None:
    """Run a source beside the loop, which goes on beating; end with it.

    Parameters
    ----------
    loop
        Of this process.
    source
        ``{"kind": "simulated", …}``, ``{"kind": "files", …}`` or ``{"kind": "replay", …}``.
    settings
        Of the instance.
    store
        Where the truth of a simulated experiment goes.

    Raises
    ------
    ServiceError
        If the source ended with a failure.
    """

    def work(stopper: Stopper) -> None:
        try:
            _feed(source, settings, store, loop.runtime_dir, stopper)
        except FailedStatus as error:
            raise _reason(error) from error

    run_beside(loop, source["kind"], work)


def _reason(error: BaseException) -> BaseException:
    """Give what made a device fail, where the engine says only that it did."""
    while isinstance(error, FailedStatus) and error.__cause__ is not None:
        error = error.__cause__
    return error


def feed_running(
    source: dict[str, Any],
    settings: Settings,
    store: Store,
    runtime_dir: Path,
    stop: threading.Event,
) -> None:
    """Run a source in this process, into an instance that runs already."""
    _feed(source, settings, store, runtime_dir, Stopper(stop))


def _feed(
    source: dict[str, Any],
    settings: Settings,
    store: Store,
    runtime_dir: Path,
    stopper: Stopper,
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    experiment = settings.experiment.name
    address = settings.instance.frames_endpoint or endpoint(runtime_dir, "frames")
    try:
        with (
            JournalClient(
                context, endpoint(runtime_dir, "journal"), "command_line", idle=stopper.check
            ) as journal,
            FrameLink(address, experiment, idle=stopper.check) as link,
        ):
            history = History(experiment)
            history.extend(journal.read_all(experiment))
            if history.ended is not None:
                return
            if source["kind"] == "simulated":
                cell = Simulation.of_source(source).cell()
                truth = TruthKeeper(cell, store.experiment(experiment))
                _run_experiment(source, cell, truth, settings, journal, link, history, stopper)
                truth.finish()
            elif source["kind"] == "replay":
                from lithoscope_services.replay.source import feed_replay

                keep_alive_s = settings.ingest.scan_timeout_s / 4
                feed_replay(
                    source, store, link, journal, history, stopper, keep_alive_s=keep_alive_s
                )
            else:
                from lithoscope_services.sources.feed import feed_files

                feed_files([Path(each) for each in source["paths"]], settings, link, history)
            link.end_experiment()
    finally:
        context.term()


def _run_experiment(
    source: dict[str, Any],
    cell: SimulatedCell,
    truth: TruthKeeper,
    settings: Settings,
    journal: JournalClient,
    link: FrameLink,
    history: History,
    stopper: Stopper,
) -> None:
    link.begin_experiment(
        ExperimentDescription(
            source="simulated",
            n_scans=source["n_scans"],
            sample=settings.experiment.sample or "simulated Li / polymer / Li cell",
            active_area_cm2=cell.cell.active_area_cm2,
            seed=source["seed"],
            size=source["size"],
        )
    )
    done = frozenset(s.scan for s in history.in_order() if s.completed is not None)
    documents = LinkDocuments(link)
    first_scan = next((n for n in range(len(cell.schedule)) if n not in done), 0)
    beamline = make_simulated_beamline(
        cell,
        FrameLinkDestination(link, documents),
        first_scan=first_scan,
        check=stopper.check,
    )
    # In a thread that is not the main one the engine must leave signals alone.
    engine = RunEngine({}, context_managers=[])
    engine.subscribe(documents)
    options = ExperimentOptions(
        experiment=settings.experiment.name,
        verdict_timeout_s=settings.plan.verdict_timeout_s,
        on_timeout=settings.plan.on_timeout,
        done=done,
    )
    verdict = Verdict(JournalAnswers(journal, link, history, stopper))
    started_s = time.monotonic()
    beamline.hutch.expose_ahead(first_scan)
    engine(ensure_connected(*beamline.devices))
    engine(
        experiment_plan(
            experiment_steps(cell, scan_s=source["scan_s"]),
            beamline.cycler,
            beamline.tomograph,
            verdict,
            options,
            on_decided=truth.keep,
        )
    )
    log.info(
        "plan_done", duration_s=round(time.monotonic() - started_s, 1), taken_before=len(done)
    )
