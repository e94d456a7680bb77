"""The list of stored experiments, looked through every few seconds in a thread."""

import threading
from dataclasses import dataclass

from lithoscope_store.errors import StoreError
from lithoscope_store.journal_summary import JournalSummary, journal_summary
from lithoscope_store.layout import Store
from lithoscope_store.manifest import experiment_size

LOOK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """One stored experiment; ``n_bytes`` is None until it was counted."""

    name: str
    journal: JournalSummary | None
    n_bytes: int | None = None
    problem: str = ""


class ShelfWatch:
    """Looks through the store until it is stopped.

    Files are counted once an experiment is sealed: before, they change under the eyes.

    Parameters
    ----------
    store
        Where the experiments lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="shelf", daemon=True)
        #: The newest list, by name.
        self.newest: tuple[StoredLine, ...] = ()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._is_over.set()
        self._thread.join(LOOK_S)

    def _watch(self) -> None:
        while True:
            found = tuple(self._line(name) for name in self._store.experiments())
            if found != self.newest:
                self.newest = found
            if self._is_over.wait(LOOK_S):
                return

    def _line(self, name: str) -> StoredLine:
        paths = self._store.experiment(name)
        try:
            journal = journal_summary(paths.journal)
            if journal.is_sealed and name not in self._sizes and not self._is_over.is_set():
                self._sizes[name] = experiment_size(paths)[1]
        except (StoreError, OSError) as error:
            return StoredLine(name=name, journal=None, problem=str(error))
        return StoredLine(name=name, journal=journal, n_bytes=self._sizes.get(name))
