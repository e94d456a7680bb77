"""Run an instance from the command line, and follow it for a person."""

import json
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lithoscope_services.errors import InstanceError, ServiceError, StopRequested
from lithoscope_services.follow import Follower, StopOnSignal
from lithoscope_services.history import History
from lithoscope_services.instance import (
    ACTING_SERVICES,
    SERVICES,
    Instance,
    is_free,
    wait_for_file,
)
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.settings.tree import Settings
from lithoscope_store import Store, find_instance, read_journal

if TYPE_CHECKING:
    from lithoscope_services.sources.simulation import Simulation

DASHBOARD_WAIT_S = 30.0
#: The nearest tip of the demo's cell stops pulses before it would bridge: a wide margin sees it.
DEMO_MARGIN_UM = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a demo does.

    Parameters
    ----------
    store, name
        Where it goes.
    size, n_scans, seed
        The simulated cell.
    is_headless
        Open no page in a browser.
    waits
        Stay after the last scan.
    settings
        Resolved.
    scan_s
        How long a scan takes; 0 as fast as this machine can.
    family
        Respect in which the cell differs from the reference.
    """

    store: Path
    name: str
    size: str
    n_scans: int
    seed: int
    is_headless: bool
    waits: bool
    settings: Settings = field(default_factory=Settings)
    scan_s: float = 0.0
    family: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What a simulated beamline sends into a running instance."""

    store: Path
    name: str
    simulation: "Simulation"
    settings: Settings = field(default_factory=Settings)


def run_demo(options: DemoOptions) -> int:
    """Run a simulated experiment through everything on this machine.

    Returns
    -------
    int
        Exit code: 0 when the last scan was decided, or when a person ended it.

    Raises
    ------
    ServiceError
        If the experiment is over already, or the services cannot run.
    """
    store = Store(options.store)
    settings = _named(options.settings, options.name, n_scans=options.n_scans)
    settings = _with_proposals(settings)
    _check_not_over(store, options.name)
    page = settings.dashboard
    if page == Settings().dashboard and not is_free(page.host, page.port):
        # Nobody asked for the default port: any other is as good for a demo.
        settings = _with_port(settings, 0)
    source = {
        "kind": "simulated",
        "size": options.size,
        "seed": options.seed,
        "n_scans": options.n_scans,
        "family": options.family,
        "scan_s": options.scan_s,
    }
    with (
        StopOnSignal() as stop,
        _instance(store, settings, source, services=ACTING_SERVICES) as instance,
    ):
        url = say_where(instance, stop)
        if url and not options.is_headless and sys.stdout.isatty():
            webbrowser.open(url)
        follower = Follower(instance, options.name, options.n_scans, stop)
        is_over = follower.follow()
        if is_over and options.waits:
            _say(f"All scans are decided. The page stays at {url} until Ctrl-C.")
            follower.linger()
    if is_over:
        _say_next(options)
    return 0


def run_up(settings: Settings, store_root: Path) -> int:
    """Run all services for an experiment and wait for frames until told to stop."""
    from lithoscope_services.actuators.choose import check_actuator

    store = Store(store_root)
    name = settings.experiment.name
    _check_not_over(store, name)
    check_actuator(settings)
    with (
        StopOnSignal() as stop,
        _instance(store, settings, None, services=ACTING_SERVICES) as instance,
    ):
        say_where(instance, stop)
        frames = settings.instance.frames_endpoint or f"ipc://{instance.runtime_dir}/frames"
        source = settings.source
        place = source.address or source.channel or source.folder
        where = frames if source.kind == "frame_link" else f"{source.kind} {place}"
        _say(f"Experiment {name}: frames are taken at {where}. Ctrl-C ends everything.")
        Follower(instance, name, settings.experiment.n_scans, stop).follow()
    return 0


def run_simulate(options: SimulateOptions) -> int:
    """Send a simulated experiment into the running instance of a store.

    Raises
    ------
    InstanceError
        If none runs.
    """
    from lithoscope_services.beamline.source import feed_running

    store = Store(options.store)
    instance = find_instance(store)
    if instance is None:
        raise InstanceError(
            f"no instance runs on {store.root}; start one with `lithoscope up --store "
            f"{options.store}`, or write files with --out DIR"
        )
    simulation = options.simulation
    source = {"kind": "simulated", "scan_s": 0.0, **simulation.model_dump(mode="json")}
    with StopOnSignal() as stop:
        feed_running(
            source,
            _named(options.settings, options.name, n_scans=simulation.n_scans),
            store,
            Path(instance.runtime_dir),
            stop.event,
        )
    return 0


def run_ingest(
    files: Sequence[Path], name: str, settings: Settings, store_root: Path, until_stage: str
) -> int:
    """Take stored scans through the services of an embedded instance.

    Parameters
    ----------
    files
        One a scan, in order of time.
    name
        Of the experiment.
    settings
        Resolved.
    store_root
        Folder of the store.
    until_stage
        Last stage that is run.

    Raises
    ------
    ServiceError
        If a scan failed; the text is that of its fact.
    """
    store = Store(store_root)
    # The files are the source: a stream of the settings would bring scans of its own.
    settings = settings.model_copy(update={"source": SourceSettings()})
    settings = _named(settings, name, n_scans=len(files))
    _check_not_over(store, name)
    source = {"kind": "files", "paths": [str(path.resolve()) for path in files]}
    with (
        StopOnSignal() as stop,
        _instance(store, settings, source, has_dashboard=False, only=name) as instance,
    ):
        follower = Follower(instance, name, len(files), stop, until_stage=until_stage)
        follower.follow()
        history = follower.history
    failures = [scan.failure for scan in history.in_order() if scan.failure is not None]
    if failures:
        first = failures[0]
        raise ServiceError(
            f"scan {first.scan} of {name} failed in {first.stage}: {first.error} "
            f"({len(failures)} of {len(files)} scans failed; what was stored before is kept)"
        )
    return 0


def _instance(
    store: Store,
    settings: Settings,
    source: Mapping[str, object] | None,
    *,
    has_dashboard: bool = True,
    only: str | None = None,
    services: Sequence[str] = SERVICES,
) -> Instance:
    store.root.mkdir(parents=True, exist_ok=True)
    log_dir = store.root / ".lithoscope"
    log_dir.mkdir(exist_ok=True)
    return Instance(
        store,
        settings,
        source_json=None if source is None else json.dumps(source),
        has_dashboard=has_dashboard,
        log_path=log_dir / "services.log",
        only=only,
        services=services,
    )


def _named(settings: Settings, name: str, *, n_scans: int | None) -> Settings:
    experiment = settings.experiment.model_copy(update={"name": name, "n_scans": n_scans})
    return settings.model_copy(update={"experiment": experiment})


def _with_proposals(settings: Settings) -> Settings:
    """Let a demo propose something, whatever labels its scans, though its cell does not bridge.

    Rules of somebody's own are left as they are.
    """
    if settings.decide != Settings().decide or settings.rules != Settings().rules:
        return settings
    _say(
        "Rules of this demo propose whatever labels its scans, as with unvalidated_images = "
        f'"propose", and hold at a margin of {DEMO_MARGIN_UM:g} um.'
    )
    decide = settings.decide.model_copy(update={"unvalidated_images": "propose"})
    gap, *others = settings.rules
    wider = {"set_value": DEMO_MARGIN_UM, "reset_value": DEMO_MARGIN_UM + 30.0}
    rules = (gap.model_copy(update=wider), *others)
    return settings.model_copy(update={"decide": decide, "rules": rules})


def _with_port(settings: Settings, port: int) -> Settings:
    dashboard = settings.dashboard.model_copy(update={"port": port})
    return settings.model_copy(update={"dashboard": dashboard})


def _check_not_over(store: Store, name: str) -> None:
    paths = store.experiment(name)
    if not paths.root.exists():
        return
    paths.check_format()
    if paths.journal.is_file() and find_instance(store) is None:
        history = History(name)
        history.extend(read_journal(paths.journal))
        if history.ended is not None:
            raise ServiceError(
                f"experiment {name} in {store.root} has ended; choose another name with --as, "
                f"or look at it with `lithoscope report {name}`"
            )


def say_where(instance: Instance, stop: StopOnSignal) -> str:
    """Wait for the page, and print and announce its address; empty if it does not come."""

    def look() -> None:
        stop.check()
        instance.look()

    path = instance.runtime_dir / "dashboard.json"
    try:
        is_up = wait_for_file(path, DASHBOARD_WAIT_S, look=look)
    except StopRequested:
        return ""
    if not is_up:
        _say(f"The page did not come up; see {instance.log_path}")
        return ""
    url = str(json.loads(path.read_text())["url"])
    instance.announce(url)
    _say(f"Live page: {url}")
    return url


def _say_next(options: DemoOptions) -> None:
    store = "" if options.store == Path("lithoscope-store") else f" --store {options.store}"
    _say(
        "Next:\n"
        f"  lithoscope report {options.name}{store}\n"
        f"  lithoscope ingest YOUR_SCAN.h5 --as my-scan{store}\n"
        "  lithoscope new --help"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
