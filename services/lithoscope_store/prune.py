"""Thin out an experiment: what would go, and how it goes. The journal never does.

What is to go is said in the journal first, so that nobody takes it for a loss; then it goes, and
the manifest forgets it. Done twice, it ends what a crash has cut short.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lithoscope_messages import Entry, Pruned
from lithoscope_store.durable import fsync_directory
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.manifest import update_manifest

Part = Literal["frames", "reconstructions", "probabilities"]
PARTS: tuple[Part, ...] = ("frames", "reconstructions", "probabilities")
# Indices stay: they are small, and prove what the frames were.
_PATTERNS: Mapping[Part, str] = {
    "frames": "frames/{scan:04d}/*.zarr",
    "reconstructions": "reconstructions/{scan:04d}-*.zarr",
    "probabilities": "probabilities/{scan:04d}-*.zarr",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """A part of a scan that can go: folders below the experiment, files and bytes in them."""

    scan: int
    part: Part
    paths: tuple[str, ...]
    n_files: int
    n_bytes: int


def find_prunable(
    paths: ExperimentPaths, scans: Mapping[Part, Collection[int]]
) -> tuple[Prunable, ...]:
    """List what is there of the parts that were asked for; nothing is changed.

    Parameters
    ----------
    paths
        The experiment.
    scans
        Scans to be thinned out, by part.
    """
    found = []
    for part in PARTS:
        for scan in sorted(scans.get(part, ())):
            folders = sorted(paths.root.glob(_PATTERNS[part].format(scan=scan)))
            sizes = [_size(folder) for folder in folders]
            if folders:
                found.append(
                    Prunable(
                        scan=scan,
                        part=part,
                        paths=tuple(paths.relative(folder) for folder in folders),
                        n_files=sum(n_files for n_files, _ in sizes),
                        n_bytes=sum(n_bytes for _, n_bytes in sizes),
                    )
                )
    return tuple(found)


def remove_pruned(paths: ExperimentPaths, entries: Sequence[Entry]) -> None:
    """Remove all that the journal says was pruned, and have the manifest forget it.

    Parameters
    ----------
    paths
        The experiment.
    entries
        Its journal, with the facts of what is to go.

    Raises
    ------
    UnsafePathError
        If a fact names what does not lie in the experiment, or is a symlink.
    """
    for entry in entries:
        if isinstance(entry.message, Pruned):
            for relative in entry.message.paths:
                folder = paths.resolve(relative)
                if folder.is_dir():
                    shutil.rmtree(folder)
                    fsync_directory(folder.parent)
    if paths.manifest.is_file():
        update_manifest(paths, changed=[paths.journal.name])


def pruned_scans(entries: Iterable[Entry], part: Part) -> frozenset[int]:
    """Give the scans of which a part was pruned."""
    facts = (entry.message for entry in entries)
    return frozenset(f.scan for f in facts if isinstance(f, Pruned) and f.part == part)


def _size(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files)
