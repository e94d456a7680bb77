"""Run a replay from the command line: an embedded instance, fed from the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lithoscope_messages import Entry
from lithoscope_services.errors import InstanceError
from lithoscope_services.follow import Follower, StopOnSignal
from lithoscope_services.history import History
from lithoscope_services.instance import SERVICES, Instance, is_free
from lithoscope_services.reading import read_entries
from lithoscope_services.replay.outcome import Outcome, compare_outcomes
from lithoscope_services.replay.recorded import Recorded, ReplayError, open_recorded
from lithoscope_services.settings.tree import Settings
from lithoscope_store import ExperimentPaths, Store, find_instance, read_journal

_MAX_NAME = 64
_MAX_TRIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is replayed, and how.

    Parameters
    ----------
    store, experiment
        Where it lies.
    name
        Of the replay; None makes one.
    speed
        Recorded seconds in a second; None for as fast as possible.
    first, last
        First and last scan; all by default.
    facts_only
        The journal alone, onto the feed: nothing is computed and nothing written.
    has_page
        Whether the live page is served.
    waits
        Stay after the last scan.
    settings
        Say where the page is; all else is that of the experiment.
    """

    store: Path
    experiment: str
    name: str | None = None
    speed: float | None = 1.0
    first: int | None = None
    last: int | None = None
    facts_only: bool = False
    has_page: bool = True
    waits: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What came of a replay; ``outcome`` is None if it was ended early or was of facts only."""

    name: str
    is_over: bool
    outcome: Outcome | None


def run_replay(options: ReplayOptions) -> ReplayResult:
    """Replay a stored experiment to the end.

    Raises
    ------
    ReplayError
        If it cannot be replayed; before anything is started.
    InstanceError
        If an instance runs on the store.
    """
    store = Store(options.store)
    _check_free(store)
    entries = read_entries(store, options.experiment)
    paths = store.experiment(options.experiment)
    recorded = open_recorded(
        paths,
        entries,
        first=options.first,
        last=options.last,
        needs_frames=not options.facts_only,
    )
    if options.facts_only:
        return _replay_facts(options, store, recorded)
    return _replay_frames(options, store, recorded)


def _replay_frames(options: ReplayOptions, store: Store, recorded: Recorded) -> ReplayResult:
    name = options.name or free_name(store, options.experiment)
    if name == options.experiment:
        raise ReplayError(f"{name} cannot be replayed into itself; give another name with --as")
    _check_unended(store.experiment(name), recorded)
    source = {
        "kind": "replay",
        "experiment": options.experiment,
        "first": options.first,
        "last": options.last,
        "speed": options.speed,
    }
    settings = recorded.settings(name, _with_free_port(options.settings))
    instance = _instance(options, store, settings, source, SERVICES)
    with StopOnSignal() as stop, instance:
        is_over = _follow(options, instance, name, len(recorded.scans), stop)
    if not is_over:
        return ReplayResult(name=name, is_over=False, outcome=None)
    replayed = read_journal(store.experiment(name).journal)
    outcome = compare_outcomes(recorded.entries, replayed, recorded.scans)
    return ReplayResult(name=name, is_over=True, outcome=outcome)


def _replay_facts(options: ReplayOptions, store: Store, recorded: Recorded) -> ReplayResult:
    if options.name is not None:
        raise ReplayError("--as has no meaning with --facts-only: nothing is written")
    name = options.experiment
    source = {
        "experiment": name,
        "first": options.first,
        "last": options.last,
        "speed": options.speed,
    }
    ours = _with_free_port(options.settings)
    settings = ours.model_copy(
        update={"experiment": ours.experiment.model_copy(update={"name": name})}
    )
    instance = _instance(options, store, settings, source, (), source_service="facts")
    with StopOnSignal() as stop, instance:
        is_over = _follow(
            options, instance, name, len(recorded.scans), stop, last=_last_number(recorded)
        )
    return ReplayResult(name=name, is_over=is_over, outcome=None)


def _follow(
    options: ReplayOptions,
    instance: Instance,
    name: str,
    n_scans: int,
    stop: StopOnSignal,
    *,
    last: int | None = None,
) -> bool:
    from lithoscope_services.launch import say_where

    if options.has_page:
        say_where(instance, stop)
    follower = Follower(instance, name, n_scans, stop, last_number=last)
    is_over = follower.follow()
    if is_over and options.waits:
        follower.linger()
    return is_over


def _instance(
    options: ReplayOptions,
    store: Store,
    settings: Settings,
    source: Mapping[str, object],
    services: Sequence[str],
    *,
    source_service: str = "beamline",
) -> Instance:
    log_dir = store.root / ".lithoscope"
    log_dir.mkdir(exist_ok=True)
    return Instance(
        store,
        settings,
        source_json=json.dumps(source),
        source_service=source_service,
        has_dashboard=options.has_page,
        log_path=log_dir / "services.log",
        only=settings.experiment.name,
        services=services,
    )


def free_name(store: Store, experiment: str) -> str:
    """Make a name for a replay: the first that is free, or whose replay was ended early."""
    taken = set(store.experiments())
    for number in range(1, _MAX_TRIES):
        ending = "-replay" if number == 1 else f"-replay-{number}"
        name = experiment[: _MAX_NAME - len(ending)] + ending
        if name not in taken or not _has_ended(store.experiment(name)):
            return name
    raise ReplayError(f"{experiment} was replayed {_MAX_TRIES} times; give a name with --as")


def _check_free(store: Store) -> None:
    running = find_instance(store)
    if running is not None:
        raise InstanceError(
            f"an instance runs on {store.root} (pid {running.pid}); stop it first, or replay a "
            "copy of the experiment in another store (export --to archive, import)"
        )


def _check_unended(paths: ExperimentPaths, recorded: Recorded) -> None:
    """Let a replay go on that was ended early, and nothing else."""
    if not paths.root.exists():
        return
    paths.check_format()
    history = History(paths.name)
    if paths.journal.is_file():
        history.extend(read_journal(paths.journal))
    if history.ended is not None:
        raise ReplayError(f"{paths.name} is there and has ended; give another name with --as")
    made_from = None if history.started is None else history.started.description.made_from
    if history.started is not None and made_from != recorded.paths.name:
        raise ReplayError(
            f"{paths.name} is there and is no replay of {recorded.paths.name}; give another name "
            "with --as"
        )


def _has_ended(paths: ExperimentPaths) -> bool:
    if not paths.journal.is_file():
        return False
    history = History(paths.name)
    history.extend(read_journal(paths.journal))
    return history.ended is not None


def _last_number(recorded: Recorded) -> int:
    from lithoscope_services.replay.facts import wanted_entries

    entries: list[Entry] = wanted_entries(recorded)
    return entries[-1].number if entries else 0


def _with_free_port(settings: Settings) -> Settings:
    page = settings.dashboard
    if page != Settings().dashboard or is_free(page.host, page.port):
        return settings
    # Nobody asked for the default port: any other is as good.
    return settings.model_copy(update={"dashboard": page.model_copy(update={"port": 0})})
