"""Checksums of all files of an experiment that is over, in the format of ``sha256sum``.

The last line, which ``sha256sum`` takes for a comment, is the checksum of the lines above.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lithoscope_store.durable import PARTIAL, write_atomic
from lithoscope_store.errors import NotStoredError, StoreFormatError, UnsafePathError
from lithoscope_store.layout import ExperimentPaths

Progress = Callable[[int], None]
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OWN = "# sha256 of the lines above: "


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDifference:
    """Files that are missing, changed or new since the manifest was written, by their paths."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    new: tuple[str, ...]


def write_manifest(
    paths: ExperimentPaths,
    *,
    progress: Progress | None = None,
    known: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Write the checksums of all files of an experiment.

    Parameters
    ----------
    paths
        The experiment; its journal must be sealed.
    progress
        Is told the bytes of each file that is done.
    known
        Checksums that need not be made: those of files that another experiment has too.

    Returns
    -------
    int
        Number of files.

    Raises
    ------
    UnsafePathError
        If there is a symlink; the text names it.
    """
    digests = {
        relative: known.get(relative) or _sha256(paths.root / relative, progress)
        for relative in _files(paths)
    }
    _write(paths, digests)
    return len(digests)


def update_manifest(paths: ExperimentPaths, *, changed: Iterable[str]) -> None:
    """Write a manifest anew after a permitted change: without what is gone, and with what changed.

    Parameters
    ----------
    paths
        The experiment.
    changed
        Paths below it whose checksums are made anew.

    Raises
    ------
    StoreFormatError
        If the old manifest is damaged.
    """
    digests = read_manifest(paths)
    present = set(_files(paths))
    renewed = {relative: _sha256(paths.root / relative, None) for relative in changed}
    _write(
        paths, {name: digest for name, digest in (digests | renewed).items() if name in present}
    )


def renew_manifest(paths: ExperimentPaths, changed: Iterable[str]) -> None:
    """Have the manifest of a sealed experiment agree with files that were permitted to change.

    Nothing is written if it does already, or if there is none.
    """
    if not paths.manifest.is_file():
        return
    digests = read_manifest(paths)
    differing = [each for each in changed if digests.get(each) != _sha256(paths.root / each, None)]
    if differing:
        update_manifest(paths, changed=differing)


def verify_manifest(paths: ExperimentPaths, *, progress: Progress | None = None) -> list[str]:
    """List what is no longer as it was when the experiment was sealed.

    Returns
    -------
    list[str]
        One line a file that is missing, changed or new; empty if all is well.

    Raises
    ------
    NotStoredError
        If there is no manifest.
    StoreFormatError
        If the manifest is damaged.
    """
    found = compare_manifest(paths, read_manifest(paths), progress=progress)
    problems = [f"{relative} is missing" for relative in found.missing]
    problems += [f"{relative} is new" for relative in found.new]
    problems += [f"{relative} has changed" for relative in found.changed]
    return sorted(problems)


def compare_manifest(
    paths: ExperimentPaths, expected: Mapping[str, str], *, progress: Progress | None = None
) -> ManifestDifference:
    """Compare all files of an experiment with the checksums of :func:`read_manifest`."""
    present = set(_files(paths))
    return ManifestDifference(
        missing=tuple(sorted(expected.keys() - present)),
        new=tuple(sorted(present - expected.keys())),
        changed=tuple(
            relative
            for relative in sorted(expected.keys() & present)
            if _sha256(paths.root / relative, progress) != expected[relative]
        ),
    )


def experiment_size(paths: ExperimentPaths) -> tuple[int, int]:
    """Count the files of an experiment and their bytes."""
    sizes = [(paths.root / relative).stat().st_size for relative in _files(paths)]
    return len(sizes), sum(sizes)


def _files(paths: ExperimentPaths) -> Iterator[str]:
    left_out = {paths.lock, paths.manifest}
    for folder, folders, files in os.walk(paths.root):
        folders.sort()
        for name in (*folders, *sorted(files)):
            path = Path(folder, name)
            if path.is_symlink():
                raise UnsafePathError(f"{path} is a symlink; replace it by what it points to")
            if path in left_out or name.endswith(PARTIAL) or path.is_dir():
                continue
            yield path.relative_to(paths.root).as_posix()


def _sha256(path: Path, progress: Progress | None) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if progress is not None:
            progress(file.tell())
    return digest


def read_manifest(paths: ExperimentPaths) -> dict[str, str]:
    """Read the checksums of a sealed experiment, by the path below it.

    Raises
    ------
    NotStoredError
        If there is no manifest.
    StoreFormatError
        If it is damaged.
    """
    path = paths.manifest
    if not path.is_file():
        raise NotStoredError(f"there is no manifest at {path}; the experiment was not sealed")
    return parse_manifest(path.read_bytes(), str(path))


def parse_manifest(data: bytes, name: str = "the manifest") -> dict[str, str]:
    """Read the text of a manifest, after a look at its own checksum.

    Parameters
    ----------
    data
        The text.
    name
        What to call it in messages.

    Raises
    ------
    StoreFormatError
        If it is damaged.
    """
    body, own, digest = data.rpartition(_OWN.encode())
    # Those that an earlier version wrote have no checksum of their own.
    if own and digest != f"{hashlib.sha256(body).hexdigest()}\n".encode():
        raise StoreFormatError(
            f"{name} is damaged: it has not the checksum in its last line; restore a copy"
        )
    return _parse(body if own else data, name)


def _parse(data: bytes, name: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
        digest, separator, relative = line.partition("  ")
        if not _DIGEST.fullmatch(digest) or not separator or not relative:
            raise StoreFormatError(f"{name}, line {number} is no checksum; restore a copy")
        found[relative] = digest
    return found


def manifest_text(paths: ExperimentPaths) -> bytes:
    """Give the manifest of an experiment as it is now, whether it is sealed or not."""
    return _render({relative: _sha256(paths.root / relative, None) for relative in _files(paths)})


def _write(paths: ExperimentPaths, digests: Mapping[str, str]) -> None:
    write_atomic(paths.manifest, _render(digests))


def _render(digests: Mapping[str, str]) -> bytes:
    text = "".join(f"{digest}  {relative}\n" for relative, digest in digests.items())
    own = hashlib.sha256(text.encode()).hexdigest()
    return f"{text}{_OWN}{own}\n".encode()
