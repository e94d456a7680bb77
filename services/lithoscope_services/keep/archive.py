"""Send a stored experiment away as one file, and take one in."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lithoscope_services.reading import read_entries
from lithoscope_store import ExperimentPaths, Store, experiment_lock
from lithoscope_store.archive import read_archive, write_archive


def export_archive(
    store: Store, experiment: str, folder: Path, advance: Callable[[int], None]
) -> Path:
    """Write an experiment whole into one file.

    Raises
    ------
    ReportError
        If there is no such experiment, or its journal is damaged.
    LockedError
        If it is not over and somebody works on it.
    CorruptDataError
        If a file is damaged: damage does not travel.
    """
    paths = store.experiment(experiment)
    read_entries(store, experiment)  # refuses a journal that is damaged
    with ExitStack() as stack:
        if not paths.manifest.is_file():
            stack.enter_context(experiment_lock(paths))
        return write_archive(paths, folder, advance=advance)


def import_archive(archive: Path, store: Store, advance: Callable[[int], None]) -> ExperimentPaths:
    """Take an experiment into a store, whole or not at all, and follow the chain of its journal.

    Raises
    ------
    StoreError
        If the archive is damaged, unsafe, or its name is taken.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    return read_archive(archive, store, advance=advance)
