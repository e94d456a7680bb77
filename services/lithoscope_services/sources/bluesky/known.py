"""What is known of an experiment when a source of documents begins or goes on."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lithoscope_services.errors import SourceError
from lithoscope_services.history import History
from lithoscope_services.sources.bluesky.decoder import Document, check_document
from lithoscope_services.sources.stream.places import Slot
from lithoscope_store import ExperimentPaths, FrameReader


def _nothing_stored(_scan: int, _tile: int) -> frozenset[Slot]:
    """Know of no frame."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the journal and the store know.

    Parameters
    ----------
    next_scan
        Number of the next scan.
    completed, running
        Scans that are closed, and those that are open.
    n_samples, last_sample_s
        Samples of the cycler, and the time of the last one.
    stored
        Gives the frames of a tile of a scan that are on disk.
    """

    next_scan: int = 0
    completed: frozenset[int] = frozenset()
    running: frozenset[int] = frozenset()
    n_samples: int = 0
    last_sample_s: float = float("-inf")
    stored: Callable[[int, int], frozenset[Slot]] = field(default=_nothing_stored)


def known_of(history: History, paths: ExperimentPaths) -> Known:
    """Read what is known of an experiment."""
    samples = history.electrochemistry

    def stored(scan: int, tile: int) -> frozenset[Slot]:
        if not paths.index(scan, tile).exists():
            return frozenset()
        keys = FrameReader(paths, scan, tile).keys
        return frozenset((key.kind, key.set, key.index) for key in keys)

    scans = list(history.in_order())
    return Known(
        next_scan=max(history.scans, default=-1) + 1,
        completed=frozenset(each.scan for each in scans if each.completed is not None),
        running=frozenset(
            each.scan for each in scans if each.started is not None and each.completed is None
        ),
        n_samples=samples[-1].first + samples[-1].count if samples else 0,
        last_sample_s=samples[-1].time_s if samples else float("-inf"),
        stored=stored,
    )


def stored_documents(path: Path) -> Iterator[Document]:
    """Read the documents of an experiment; a line that was cut short is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                found = json.loads(line)
                yield check_document(found["name"], found["doc"])
            except (ValueError, KeyError, TypeError, SourceError):
                continue
