"""Do a stored experiment again: set it up beside the others, work, seal it, let it be seen."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lithoscope_messages import Entry, ExperimentStarted
from lithoscope_services.chain.executor import Executor, InProcess
from lithoscope_services.chain.reuse import KnownResults, paths_of
from lithoscope_services.chain.runner import STAGES, Chain
from lithoscope_services.history import History
from lithoscope_services.reading import read_entries
from lithoscope_services.reprocess.plan import (
    ReprocessError,
    ReprocessPlan,
    first_facts,
    parse_given,
    parse_stages,
    resolve_settings,
)
from lithoscope_services.unfinished import publish, unfinished_experiment
from lithoscope_store import ExperimentPaths, JournalDatabase, Store
from lithoscope_store.links import link_tree

#: Makes the executor for an experiment that lies in this store; called when work is to begin.
MakeExecutor = Callable[[str, str], Executor]
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def _silent(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    return nullcontext(lambda _steps: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprocessOptions:
    """What a person asks for; see ``lithoscope reprocess --help``."""

    store: Path
    source: str
    name: str
    given: Sequence[str] = ()
    stages: str | None = None
    config: Path | None = None
    n_beside: int = 1


@dataclass(slots=True)
class ReprocessResult:
    """What came of it.

    Parameters
    ----------
    history
        Of the new experiment.
    n_reused, n_done
        Tasks whose result was taken over, and that were done.
    failures
        One line for each scan that came to nothing.
    """

    history: History
    n_reused: int = 0
    n_done: int = 0
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give what ``--json`` prints."""
        return {
            "experiment": self.history.experiment,
            "scans": len(self.history.scans),
            "results_made": self.n_done,
            "results_taken_over": self.n_reused,
            "failures": self.failures,
        }


def run_reprocess(
    options: ReprocessOptions,
    make_executor: MakeExecutor = InProcess,
    *,
    look: Callable[[], None] = lambda: None,
    progress: Progress = _silent,
) -> ReprocessResult:
    """Do a stored experiment again under another name; goes on where it was if it was ended.

    The new experiment is made where no instance sees it, and stands in the store when it is whole
    and sealed.

    Parameters
    ----------
    options
        What is done again.
    make_executor
        Gives who does the work, from the folder of the store and the name of the experiment.
    look
        Called again and again; may raise to stop.
    progress
        Entered with the number of steps; gives what is called with the steps just done.

    Raises
    ------
    ReprocessError
        If there is nothing to do again, or if it was begun with other settings.
    LockedError
        If another process works on it.
    """
    store = Store(options.store)
    entries = read_entries(store, options.source)
    plan = _plan(options, entries)
    if plan.source == plan.name:
        raise ReprocessError(f"{plan.name} cannot replace itself; choose another name with --as")
    with unfinished_experiment(store, plan.name) as paths, ExitStack() as stack:
        database = stack.enter_context(closing(JournalDatabase(paths.journal, paths.name)))
        if not database.is_sealed:
            _begin(plan, entries, store.experiment(plan.source), paths, database)
            known = KnownResults(str(store.root), plan.source)
            known.extend(entries)
            executor = stack.enter_context(closing(make_executor(*_where(paths))))
            n_steps = len(plan.stages) * len(
                {s.scan for s in _history(database, paths).in_order()}
            )
            chain = Chain(
                paths,
                database,
                executor,
                stages=plan.stages,
                known=known,
                n_beside=options.n_beside,
                look=look,
                on_step=stack.enter_context(progress(n_steps)),
            )
            chain.run()
            chain.end()
        result = _result(_history(database, paths), plan, entries)
        publish(store, paths, database, twin=store.experiment(plan.source))
    return result


def _where(paths: ExperimentPaths) -> tuple[str, str]:
    return str(paths.root.parent), paths.name


def _plan(options: ReprocessOptions, entries: Sequence[Entry]) -> ReprocessPlan:
    started = next((e.message for e in entries if isinstance(e.message, ExperimentStarted)), None)
    if started is None:
        raise ReprocessError(f"{options.source} has not begun; there is nothing to do again")
    stages = parse_stages(options.stages)
    if started.description.source == "volumes" and stages[0] == STAGES[0]:
        # There are no frames: the volumes were made elsewhere.
        stages = stages[1:]
        if not stages:
            raise ReprocessError(f"{options.source} has no frames to be reconstructed")
    given = parse_given(options.given)
    return ReprocessPlan(
        source=options.source,
        name=options.name,
        settings=resolve_settings(started, given, options.config, options.name),
        given=given,
        stages=stages,
    )


def _history(database: JournalDatabase, paths: ExperimentPaths) -> History:
    history = History(paths.name)
    history.catch_up(database.read_since)
    return history


def _begin(
    plan: ReprocessPlan,
    entries: Sequence[Entry],
    source: ExperimentPaths,
    paths: ExperimentPaths,
    database: JournalDatabase,
) -> None:
    """Link what is taken over, then write the first facts at once; or check that they fit."""
    facts = first_facts(plan, entries)
    begun = _history(database, paths).started
    if begun is not None:
        wanted = next(fact for fact in facts if isinstance(fact, ExperimentStarted))
        if (begun.settings, begun.description) != (
            _as_json(wanted.settings),
            wanted.description,
        ):
            raise ReprocessError(
                f"{plan.name} was begun with other settings; give the same again, or choose "
                "another name with --as"
            )
        return
    _link_frames(source, paths)
    for relative in sorted({each for fact in facts for each in paths_of(fact)}):
        link_tree(source.resolve(relative), paths.resolve(relative))
    database.append(facts)


def _as_json(value: Any) -> Any:  # JSON
    from json import dumps, loads

    return loads(dumps(value))


def _link_frames(source: ExperimentPaths, paths: ExperimentPaths) -> None:
    """Give frames and truth a second name; copy what grows in place while an experiment runs."""
    for there, here in (
        (source.root / "frames", paths.root / "frames"),
        (source.truth, paths.truth),
    ):
        if there.is_dir():
            link_tree(there, here)
    if source.electrochemistry.is_dir():
        shutil.copytree(source.electrochemistry, paths.electrochemistry, dirs_exist_ok=True)


def _result(history: History, plan: ReprocessPlan, entries: Sequence[Entry]) -> ReprocessResult:
    result = ReprocessResult(history)
    known = KnownResults("", plan.source)
    known.extend(entries)
    for scan in history.in_order():
        for stage, fact in (
            ("reconstruct", scan.volume),
            ("register", scan.transform),
            ("segment", scan.labels),
            ("measure", scan.metrics),
        ):
            if fact is not None and stage in plan.stages:
                if known.has(fact.work_key):
                    result.n_reused += 1
                else:
                    result.n_done += 1
        if scan.failure is not None:
            failure = scan.failure
            result.failures.append(f"scan {failure.scan}, {failure.stage}: {failure.error}")
    return result
