"""Checksums of all files of an experiment that is over, in the format of ``sha256sum``."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lithoscope_store.durable import PARTIAL, write_atomic
from lithoscope_store.errors import NotStoredError, StoreFormatError, UnsafePathError
from lithoscope_store.layout import ExperimentPaths

Progress = Callable[[int], None]


def write_manifest(paths: ExperimentPaths, *, progress: Progress | None = None) -> int:
    """Write the checksums of all files of an experiment.

    Parameters
    ----------
    paths
        The experiment; its journal must be sealed.
    progress
        Is told the bytes of each file that is done.

    Returns
    -------
    int
        Number of files.

    Raises
    ------
    UnsafePathError
        If there is a symlink; the text names it.
    """
    lines = [
        f"{_sha256(paths.root / relative, progress)}  {relative}\n" for relative in _files(paths)
    ]
    write_atomic(paths.manifest, "".join(lines).encode())
    return len(lines)


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
    expected = _read(paths.manifest)
    present = set(_files(paths))
    problems = [f"{relative} is missing" for relative in expected.keys() - present]
    problems += [f"{relative} is new" for relative in present - expected.keys()]
    problems += [
        f"{relative} has changed"
        for relative in expected.keys() & present
        if _sha256(paths.root / relative, progress) != expected[relative]
    ]
    return sorted(problems)


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


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise NotStoredError(f"there is no manifest at {path}; the experiment was not sealed")
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        digest, separator, relative = line.partition("  ")
        if len(digest) != 64 or not separator or not relative:
            raise StoreFormatError(f"{path}, line {number} is no checksum; restore a copy")
        found[relative] = digest
    return found
