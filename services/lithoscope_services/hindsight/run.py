"""A folder of volumes through register, segment, measure and decide, in one command."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from lithoscope_services.chain.executor import InProcess
from lithoscope_services.chain.runner import STAGES, Chain
from lithoscope_services.electrochemistry import read_cycler
from lithoscope_services.errors import ServiceError
from lithoscope_services.hindsight.cycling import phases_by_count, phases_by_pulses
from lithoscope_services.hindsight.intake import Series, begin_experiment, take_volume
from lithoscope_services.hindsight.series import Reading, SeriesVolume, find_series
from lithoscope_services.history import History
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.unfinished import publish, unfinished_experiment
from lithoscope_store import ExperimentPaths, JournalDatabase, Store

#: Of the reference experiment: ten minutes of current and twenty of rest.
INTERVAL_S = 1800.0
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumesOptions:
    """What a person says of volumes; see ``lithoscope ingest --help``."""

    store: Path
    name: str
    where: str
    voxel_um: float
    reading: Reading = field(default_factory=Reading)
    echem: Path | None = None
    interval_min: float | None = None
    turns: Sequence[int] = ()
    until_stage: str = "decide"
    settings: Settings = field(default_factory=Settings)


def _silent(_title: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _steps: None)


def run_volumes(
    options: VolumesOptions,
    *,
    look: Callable[[], None] = lambda: None,
    progress: Progress = _silent,
    on_volume: Callable[[SeriesVolume], None] = lambda _volume: None,
) -> History:
    """Take volumes that were reconstructed elsewhere through the stages, and seal the experiment.

    Goes on where it was if it was ended.

    Parameters
    ----------
    options
        What and how.
    look
        Called again and again; may raise to stop.
    progress
        Entered with a title and a number of steps; gives what is called with the steps done.
    on_volume
        Told each volume of the series after all were looked at.

    Returns
    -------
    History
        Of the experiment; scans that failed stand in it with the reason.

    Raises
    ------
    SourceError
        If there are no volumes, or the cycler's record does not fit them.
    NameTakenError
        If the store has an experiment of this name.
    """
    store = Store(options.store)
    settings = replace_values(
        options.settings,
        {"experiment.name": options.name, "scan.voxel_size_um": options.voxel_um},
    )
    with unfinished_experiment(store, options.name) as paths:
        series = look_at_series(options)
        for volume in series.volumes:
            on_volume(volume)
        with closing(JournalDatabase(paths.journal, paths.name)) as database:
            if not database.is_sealed:
                begin_experiment(series, settings, paths, database)
                _take_all(series, settings, paths, database, look, progress)
                history = _through_stages(options, paths, database, look, progress)
            else:
                history = _history(paths, database)
            publish(store, paths, database)
    return history


def look_at_series(options: VolumesOptions) -> Series:
    """Find the volumes and place them in the cycling; nothing is written.

    Raises
    ------
    SourceError
        If there are none, or the cycler's record does not fit them.
    """
    volumes = find_series(options.where, options.reading)
    scans = [volume.scan for volume in volumes]
    interval_s = None if options.interval_min is None else 60 * options.interval_min
    if options.echem is not None and options.turns:
        raise ServiceError("--turns is told by the cycler's record; leave it out with --echem")
    record = None if options.echem is None else read_cycler(options.echem)
    if record is None:
        phases = phases_by_count(scans, options.turns, interval_s or INTERVAL_S)
    else:
        phases = phases_by_pulses(scans, record, interval_s)
    return Series(
        volumes=volumes,
        reading=options.reading,
        voxel_um=options.voxel_um,
        phases=phases,
        record=record,
    )


def _take_all(
    series: Series,
    settings: Settings,
    paths: ExperimentPaths,
    database: JournalDatabase,
    look: Callable[[], None],
    progress: Progress,
) -> None:
    history = _history(paths, database)
    n_slices = sum(volume.shape[0] for volume in series.volumes)
    with progress("reading volumes", n_slices) as advance:
        for volume in series.volumes:
            look()
            facts = take_volume(series, volume, settings, paths, history, advance)
            if facts:
                database.append(facts)


def _through_stages(
    options: VolumesOptions,
    paths: ExperimentPaths,
    database: JournalDatabase,
    look: Callable[[], None],
    progress: Progress,
) -> History:
    stages = STAGES[1 : [*STAGES].index(options.until_stage) + 1]  # type: ignore[arg-type] # a name of a stage
    with (
        closing(InProcess(str(paths.root.parent), paths.name)) as executor,
        progress("measuring", len(stages) * len(_history(paths, database).scans)) as advance,
    ):
        chain = Chain(paths, database, executor, stages=stages, look=look, on_step=advance)
        chain.run()
        chain.end()
        return chain.history


def _history(paths: ExperimentPaths, database: JournalDatabase) -> History:
    history = History(paths.name)
    history.catch_up(database.read_since)
    return history
