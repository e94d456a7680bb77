"""A stored experiment as those see it who take something out of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from lithoscope_messages import Entry
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.scans import choose_scans
from lithoscope_services.reading import read_entries
from lithoscope_store import ExperimentPaths, Store, pruned_scans


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """Paths, journal and the scans that are wanted."""

    paths: ExperimentPaths
    entries: tuple[Entry, ...]
    history: History
    scans: tuple[int, ...]

    def wanted(self) -> Iterator[ScanHistory]:
        """Give the scans that are wanted."""
        return (self.history.scans[scan] for scan in self.scans)

    def check_frames(self) -> None:
        """Refuse if frames of a scan that is wanted were pruned.

        Raises
        ------
        KeepError
            If they were; the text names the scans.
        """
        gone = sorted(pruned_scans(self.entries, "frames") & set(self.scans))
        if gone:
            raise KeepError(
                f"the frames of scan {', '.join(map(str, gone))} of {self.paths.name} were "
                "pruned; choose other scans with --scans"
            )


def open_stored(store: Store, experiment: str, scans: str = "all") -> StoredExperiment:
    """Open a stored experiment for reading.

    Raises
    ------
    ReportError
        If there is no such experiment.
    KeepError
        If it has no such scans.
    """
    entries = read_entries(store, experiment)
    history = History(experiment)
    history.extend(entries)
    return StoredExperiment(
        paths=store.experiment(experiment),
        entries=tuple(entries),
        history=history,
        scans=choose_scans(scans, history.scans),
    )
