"""Thin out a stored experiment: look first, say it in the journal, then remove."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from lithoscope_messages import Pruned
from lithoscope_services.history import History
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.saying import PRODUCER, person_of_account, say
from lithoscope_services.keep.scans import choose_scans
from lithoscope_services.reading import read_entries
from lithoscope_store import (
    Prunable,
    Store,
    find_prunable,
    remove_pruned,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """What is to go.

    Parameters
    ----------
    store, experiment
        Where it lies.
    frames
        Scans whose raw frames go, as a person writes them; None for none.
    has_reconstructions, has_probabilities
        Whether those of all scans go.
    """

    store: Store
    experiment: str
    frames: str | None = None
    has_reconstructions: bool = False
    has_probabilities: bool = False


def plan_prune(options: PruneOptions) -> tuple[Prunable, ...]:
    """List what would go; nothing is changed.

    Raises
    ------
    KeepError
        If nothing was asked for, or frames of a scan that is not decided yet.
    """
    entries = read_entries(options.store, options.experiment)
    history = History(options.experiment)
    history.extend(entries)
    settled = {
        scan.scan for scan in history.in_order() if scan.is_settled or history.ended is not None
    }
    if options.frames is None and not (options.has_reconstructions or options.has_probabilities):
        raise KeepError(
            "nothing was asked for; give --frames SCANS, --reconstructions or --probabilities"
        )
    frames = () if options.frames is None else choose_scans(options.frames, history.scans)
    early = sorted(set(frames) - settled)
    if early and options.frames != "all":
        raise KeepError(
            f"scan {early[0]} is not decided yet, its frames are needed; leave it out, or wait"
        )
    paths = options.store.experiment(options.experiment)
    return find_prunable(
        paths,
        {
            "frames": settled & set(frames),
            "reconstructions": settled if options.has_reconstructions else (),
            "probabilities": settled if options.has_probabilities else (),
        },
    )


def run_prune(options: PruneOptions, plan: Sequence[Prunable]) -> int:
    """Do what :func:`plan_prune` has listed.

    Returns
    -------
    int
        Bytes that are free now.

    Raises
    ------
    LockedError
        If another process writes the experiment and does not serve its journal.
    """
    paths = options.store.experiment(options.experiment)
    facts = [_fact(paths.name, each) for each in plan]
    with ExitStack() as stack:
        say(options.store, paths, facts, stack)
        remove_pruned(paths, read_entries(options.store, options.experiment))
    return sum(each.n_bytes for each in plan)


def _fact(experiment: str, part: Prunable) -> Pruned:
    # Of other folders it is another fact, so that what was made again can go again.
    what = hashlib.sha256("\n".join(part.paths).encode()).hexdigest()[:16]
    return Pruned(
        experiment=experiment,
        key=f"{part.scan}:{part.part}:{what}:{part.n_bytes}",
        time_ns=time.time_ns(),
        producer=PRODUCER,
        scan=part.scan,
        part=part.part,
        paths=part.paths,
        n_files=part.n_files,
        n_bytes=part.n_bytes,
        person=person_of_account(),
    )
