"""Put the checklist of a scan together from journal and store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lithoscope_messages import Entry
from lithoscope_pipeline.errors import PipelineError
from lithoscope_services.checklist.budget_rows import disk_rows, time_row
from lithoscope_services.checklist.cycling_rows import cycling_rows
from lithoscope_services.checklist.frame_rows import account_row, frame_rows
from lithoscope_services.checklist.row import CheckRow
from lithoscope_services.checklist.volume_rows import label_rows, transform_row, volume_rows
from lithoscope_services.errors import ServiceError
from lithoscope_services.hindsight.filmstrip import scan_picture, volume_picture
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.reading import read_entries
from lithoscope_services.report import JsonObject, make_report
from lithoscope_services.settings import Settings
from lithoscope_services.stages.inputs import edge_on_deg
from lithoscope_services.stages.validated import is_validated
from lithoscope_store import ExperimentPaths, Store
from lithoscope_store.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """What was looked at in one scan.

    Parameters
    ----------
    experiment, scan
        Which.
    rows
        In the order in which a person goes through them.
    pictures
        PNG files with what they show.
    """

    experiment: str
    scan: int
    rows: tuple[CheckRow, ...]
    pictures: tuple[tuple[str, bytes], ...]

    @property
    def n_problems(self) -> int:
        """Rows that must be mended first."""
        return sum(row.state == "problem" for row in self.rows)

    def as_json(self) -> JsonObject:
        """Give all but the pictures."""
        return {
            "experiment": self.experiment,
            "scan": self.scan,
            "rows": [row.as_json() for row in self.rows],
            "n_problems": self.n_problems,
        }


def make_checklist(
    store: Store, experiment: str, scan: int | None = None, settings: Settings | None = None
) -> Checklist:
    """Look at one scan of an experiment, live or stored.

    Parameters
    ----------
    store, experiment
        Where.
    scan
        Its number; by default the last one that is complete.
    settings
        Instead of those that the experiment was started with.

    Raises
    ------
    ServiceError
        If there is no such experiment or scan.
    """
    entries = read_entries(store, experiment)
    history = History(experiment)
    history.extend(entries)
    chosen = _choose(history, scan)
    paths = store.experiment(experiment)
    rows = tuple(_rows(history, chosen, paths, entries, settings or history.settings))
    return Checklist(
        experiment=experiment,
        scan=chosen.scan,
        rows=rows,
        pictures=tuple(_pictures(paths, chosen)),
    )


def _choose(history: History, scan: int | None) -> ScanHistory:
    complete = [each for each in history.in_order() if each.completed is not None]
    if scan is None and complete:
        return complete[-1]
    for each in complete:
        if each.scan == scan:
            return each
    known = f"0 to {complete[-1].scan}" if complete else "none"
    what = "no scan" if scan is None else f"no scan {scan}"
    raise ServiceError(
        f"{history.experiment}: {what} is complete yet (complete: {known}); take a test scan first"
    )


def _rows(
    history: History,
    scan: ScanHistory,
    paths: ExperimentPaths,
    entries: list[Entry],
    settings: Settings,
) -> Iterator[CheckRow]:
    for failure in scan.failures.values():
        name = f"{failure.stage} failed"
        yield CheckRow(name=name, state="problem", found=failure.error)
    if scan.completed is not None:
        yield account_row(scan.completed.account)
    angle_deg, n_tiles = edge_on_deg(history), settings.scan.n_tiles
    yield from _guarded("frames", lambda: frame_rows(paths, scan.scan, angle_deg, n_tiles))
    volume = scan.volume
    if volume is not None:
        yield from _guarded("volume", lambda: volume_rows(paths, volume, settings))
    if scan.transform is not None:
        yield transform_row(scan.transform)
    if scan.labels is not None:
        yield from label_rows(scan.labels, is_validated=is_validated(history, scan.labels))
    sign = None if history.started is None else history.started.description.first_current_sign
    yield from cycling_rows(history, paths, scan.scan, sign or 1)
    (report,) = (
        each
        for each in make_report(history.experiment, entries)["scans"]
        if each["scan"] == scan.scan
    )
    yield time_row(report["latency_s"], settings.plan.verdict_timeout_s)
    yield from disk_rows(paths, scan.scan, settings)


def _guarded(name: str, make: Callable[[], Iterator[CheckRow]]) -> Iterator[CheckRow]:
    """Make a row of what cannot be read: the others still say something."""
    try:
        yield from make()
    except (StoreError, PipelineError) as error:
        yield CheckRow(name=name, state="problem", found=str(error))


def _pictures(paths: ExperimentPaths, scan: ScanHistory) -> Iterator[tuple[str, bytes]]:
    if scan.labels is not None:
        yield "middle slice with labels, y up", scan_picture(paths, scan.labels)
    elif scan.volume is not None:
        yield "middle slice, y up", volume_picture(paths, scan.volume.path)
    if scan.transform is not None and scan.transform.overview_path is not None:
        text = "where the cell lies: planes, region and outer faces"
        yield text, paths.resolve(scan.transform.overview_path).read_bytes()
