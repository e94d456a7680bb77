"""Experiments that a command makes: out of sight until they are whole, then there at once."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from lithoscope_services.errors import ServiceError
from lithoscope_store import (
    ExperimentPaths,
    JournalDatabase,
    Store,
    experiment_lock,
    write_manifest,
)
from lithoscope_store.durable import fsync_directory
from lithoscope_store.manifest import read_manifest


class NameTakenError(ServiceError, ValueError):
    """There is an experiment of this name already."""


@contextmanager
def unfinished_experiment(store: Store, name: str) -> Iterator[ExperimentPaths]:
    """Make, or go on with, an experiment that no instance sees yet; its lock is held meanwhile.

    Raises
    ------
    NameTakenError
        If the store has one of this name.
    LockedError
        If another process works on it.
    """
    if store.experiment(name).root.exists():
        raise NameTakenError(
            f"experiment {name} is in {store.root} already; choose another name with --as"
        )
    paths = store.unfinished.experiment(name)
    paths.create()
    with experiment_lock(paths):
        yield paths


def publish(
    store: Store,
    paths: ExperimentPaths,
    database: JournalDatabase,
    *,
    twin: ExperimentPaths | None = None,
) -> ExperimentPaths:
    """Seal a finished experiment and let it be seen; doing it twice does no harm.

    Parameters
    ----------
    store
        Where it shall be seen.
    paths
        Where it lies.
    database
        Its journal; closed by this.
    twin
        A sealed experiment with which it shares files: their checksums are taken from there.

    Returns
    -------
    ExperimentPaths
        Where it lies now.
    """
    database.seal()
    database.close()
    if not paths.manifest.exists():
        write_manifest(paths, known={} if twin is None else _shared(paths, twin))
    final = store.experiment(paths.name)
    if final.root.exists():
        raise NameTakenError(f"experiment {paths.name} came to {store.root} meanwhile")
    paths.root.rename(final.root)
    fsync_directory(store.root)
    return final


def discard(store: Store, name: str) -> None:
    """Take away an experiment that was never finished."""
    shutil.rmtree(store.unfinished.experiment(name).root, ignore_errors=True)


def _shared(paths: ExperimentPaths, twin: ExperimentPaths) -> dict[str, str]:
    """Give the checksums of files that both have: the same file under two names."""
    if not twin.manifest.is_file():
        return {}
    shared = {}
    for relative, digest in read_manifest(twin).items():
        here, there = paths.root / relative, twin.root / relative
        if here.is_file() and there.is_file() and os.path.samefile(here, there):
            shared[relative] = digest
    return shared
