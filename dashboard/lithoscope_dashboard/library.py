"""Experiments of the store that are not the one that runs: folded once, kept while looked at."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from lithoscope_dashboard.errors import ViewError
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.read_model import fold_all
from lithoscope_store.errors import StoreError
from lithoscope_store.journal_reading import read_journal
from lithoscope_store.layout import Store

#: A state is some megabytes; few people compare more than two.
KEPT = 8
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: Stamp
    state: ExperimentState


class Library:
    """Reads the journals of experiments that do not run.

    Parameters
    ----------
    store
        Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def state_of(self, name: str) -> ExperimentState:
        """Give what is known of an experiment; read again only if its journal has changed.

        Raises
        ------
        ViewError
            If there is no such experiment, or its journal cannot be read.
        """
        try:
            path = self.store.experiment(name).journal
            stamp = _stamp(path.stat()), _stamp_of_wal(self.store, name)
        except (StoreError, OSError) as error:
            raise ViewError(f"there is no experiment {name!r} in this store") from error
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.stamp != stamp:
                try:
                    state = fold_all(ExperimentState(name=name), read_journal(path))
                except StoreError as error:
                    raise ViewError(str(error)) from error
                kept = self._kept[name] = _Kept(stamp, state)
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept.state


def _stamp(about: os.stat_result) -> tuple[int, int]:
    return about.st_mtime_ns, about.st_size


def _stamp_of_wal(store: Store, name: str) -> tuple[int, int]:
    path = store.experiment(name).journal
    wal = path.with_name(f"{path.name}-wal")
    try:
        return _stamp(wal.stat())
    except FileNotFoundError:
        return 0, 0
