"""Verify an experiment: every byte of a sealed one, and by its own checksums one that runs."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lithoscope_messages import Entry, Pruned
from lithoscope_store.chain import verify_chain
from lithoscope_store.deep_check import Damage, check_frames, check_others, check_volumes
from lithoscope_store.errors import CorruptDataError, StoreError, StoreFormatError
from lithoscope_store.journal_reading import read_journal
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.manifest import (
    compare_manifest,
    experiment_size,
    read_manifest,
)
from lithoscope_store.prune import PARTS, pruned_scans
from lithoscope_store.stored_items import describe_item

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was stored.

    Parameters
    ----------
    path
        The file, below the experiment.
    how
        How that shows.
    what
        What the file is, and what its loss means.
    advice
        What to do.
    """

    path: str
    how: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.how}; it is {self.what}; {self.advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was looked at, and what was found; ``pruned`` is gone on purpose."""

    experiment: str
    is_sealed: bool
    n_files: int
    n_bytes: int
    n_entries: int
    findings: tuple[Finding, ...]
    pruned: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all is as it was stored."""
        return not self.findings


def _ignore(_n_bytes: int) -> None:
    """Show nothing."""


def verify_experiment(
    paths: ExperimentPaths,
    *,
    entries: Sequence[Entry] | None = None,
    is_deep: bool = False,
    advance: Advance = _ignore,
) -> Verified:
    """Look at every stored byte of an experiment; nothing is changed, and all is looked at.

    A sealed experiment is compared with its manifest, and the chain of its journal is followed. Of
    one that is not, the index records, the frames, the volumes, the maps and the samples are
    checked by their own checksums and against the facts of the journal.

    Parameters
    ----------
    paths
        The experiment.
    entries
        Its journal, as the running instance gives it; by default the file is read.
    is_deep
        Check a sealed experiment in both ways.
    advance
        Is told the bytes that were looked at.
    """
    found: list[Damage] = list(_check_format(paths))
    known, damages = _check_journal(paths, entries)
    found += damages
    is_sealed = paths.manifest.is_file()
    is_trusted = False
    if is_sealed:
        is_trusted, damages = _check_manifest(paths, known, advance)
        found += damages
    if not is_trusted or is_deep:
        found += _check_deep(paths, known, advance)
    n_files, n_bytes = experiment_size(paths)
    return Verified(
        experiment=paths.name,
        is_sealed=is_sealed,
        n_files=n_files,
        n_bytes=n_bytes,
        n_entries=len(known),
        findings=_findings(found),
        pruned=tuple(_pruned_lines(known)),
    )


def _check_format(paths: ExperimentPaths) -> Iterator[Damage]:
    try:
        paths.check_format()
        text = paths.format_file.read_text()
        if text != f"{json.dumps(json.loads(text))}\n":
            yield Damage(paths.format_file.name, "it is not as it was written")
    except (StoreError, ValueError) as error:
        yield Damage(paths.format_file.name, str(error))


def _check_journal(
    paths: ExperimentPaths, entries: Sequence[Entry] | None
) -> tuple[Sequence[Entry], list[Damage]]:
    name = paths.journal.name
    if entries is not None:
        return entries, [Damage(name, problem) for problem in verify_chain(entries)]
    try:
        return read_journal(paths.journal), []
    except (StoreError, CorruptDataError) as error:
        return (), [Damage(name, str(error).removeprefix(f"{paths.journal}: "))]


def _check_manifest(
    paths: ExperimentPaths, entries: Sequence[Entry], advance: Advance
) -> tuple[bool, list[Damage]]:
    """Compare all files with the manifest; say whether it can be trusted."""
    name = paths.manifest.name
    try:
        expected = read_manifest(paths)
    except StoreFormatError as error:
        return False, [Damage(name, str(error).removeprefix(f"{paths.manifest} "))]
    difference = compare_manifest(paths, expected, progress=advance)
    if (
        entries
        and isinstance(entries[-1].message, Pruned)
        and difference.changed == (paths.journal.name,)
    ):
        text = "a prune was cut short after it was written down; run the same prune again"
        return True, [Damage(name, text)]
    found = [Damage(path, "it is missing") for path in difference.missing]
    found += [
        Damage(path, "it has changed since the experiment was sealed")
        for path in difference.changed
    ]
    found += [
        Damage(path, "it is new: it was not there when the experiment was sealed")
        for path in difference.new
    ]
    return True, found


def _check_deep(
    paths: ExperimentPaths, entries: Sequence[Entry], advance: Advance
) -> Iterator[Damage]:
    pruned = pruned_scans(entries, "frames")
    folders = sorted((paths.root / "frames").glob("[0-9][0-9][0-9][0-9]"))
    for scan in (int(folder.name) for folder in folders):
        yield from check_frames(paths, scan, is_pruned=scan in pruned, advance=advance)
    gone = pruned_scans(entries, "reconstructions")
    yield from check_volumes(paths, entries, pruned=gone, advance=advance)
    yield from check_others(paths, advance=advance)


def _findings(damages: Sequence[Damage]) -> tuple[Finding, ...]:
    """Put together what was found of each file."""
    by_path: dict[str, list[str]] = {}
    for damage in damages:
        hows = by_path.setdefault(damage.path, [])
        if damage.how not in hows:
            hows.append(damage.how)
    return tuple(
        Finding(
            path=path,
            how="; ".join(hows),
            what=describe_item(path).what,
            advice=describe_item(path).advice,
        )
        for path, hows in sorted(by_path.items())
    )


def _pruned_lines(entries: Sequence[Entry]) -> Iterator[str]:
    for part in PARTS:
        if scans := pruned_scans(entries, part):
            yield f"{part} of scan {', '.join(map(str, sorted(scans)))}"
