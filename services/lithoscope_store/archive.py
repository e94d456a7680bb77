"""An experiment as one file that leaves and returns whole: a tar with the manifest first.

The manifest says what must be in it. Nothing of an archive is believed: names, sizes and kinds of
its members are checked before a byte is written, and the experiment appears in the store only when
every checksum fits.
"""

import hashlib
import io
import os
import re
import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from lithoscope_store.durable import PARTIAL, fsync_directory, make_directory, naming_full_disk
from lithoscope_store.errors import (
    CorruptDataError,
    NotStoredError,
    StoreFormatError,
    UnsafePathError,
)
from lithoscope_store.journal_reading import journal_owner, read_journal
from lithoscope_store.layout import ExperimentPaths, Store
from lithoscope_store.manifest import manifest_text, parse_manifest, read_manifest
from lithoscope_store.safety import check_tree

ENDING = ".lithoscope.tar"
MANIFEST = "manifest.sha256"
_MAX_MANIFEST_BYTES = 2**30
_COPY_BYTES = 2**20
# As in facts: plain names between slashes, none of which begins with a dot.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
Advance = Callable[[int], None]


def _ignore(_n_bytes: int) -> None:
    """Show nothing."""


def write_archive(paths: ExperimentPaths, folder: Path, *, advance: Advance = _ignore) -> Path:
    """Write an experiment that is sealed, or that nobody works on, into one file.

    Parameters
    ----------
    paths
        The experiment.
    folder
        Where the file goes; it is named after the experiment.
    advance
        Is told the bytes that were written.

    Returns
    -------
    Path
        The file; it appears when it is whole and on the disk.

    Raises
    ------
    CorruptDataError
        If a file has not the checksum in the manifest: damage does not travel.
    StoreFullError
        If there is no space left.
    """
    text = paths.manifest.read_bytes() if paths.manifest.is_file() else manifest_text(paths)
    expected = read_manifest(paths) if paths.manifest.is_file() else parse_manifest(text)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{paths.name}{ENDING}"
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}{PARTIAL}")
    with naming_full_disk(target):
        try:
            with partial.open("wb") as file:
                with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                    _add(tar, f"{paths.name}/{MANIFEST}", io.BytesIO(text), len(text))
                    for relative, digest in expected.items():
                        _add_file(tar, paths, relative, digest)
                        advance((paths.root / relative).stat().st_size)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    fsync_directory(folder)
    return target


def read_archive(archive: Path, store: Store, *, advance: Advance = _ignore) -> ExperimentPaths:
    """Take an experiment from a file into a store: all of it, or nothing.

    Parameters
    ----------
    archive
        From :func:`write_archive`.
    store
        Where it goes; it keeps its name.
    advance
        Is told the bytes that were read.

    Raises
    ------
    StoreFormatError
        If it is no such archive, or of a newer version.
    UnsafePathError
        If a member would leave its folder, or is no plain file; nothing of it is written.
    UnsafeArrayError
        If an array in it asks for what is not allowed.
    CorruptDataError
        If a checksum does not fit, a file is missing, or one is there that the manifest lacks.
    NotStoredError
        If there is no such file, or if the store has an experiment of this name.
    StoreFullError
        If there is no space left.
    """
    if not archive.is_file():
        raise NotStoredError(f"there is no archive at {archive}; check the path")
    staging = store.root / ".lithoscope" / f"import-{uuid.uuid4().hex}"
    make_directory(staging)
    try:
        with naming_full_disk(staging), archive.open("rb") as file:
            name = _unpack(file, archive, store, staging, advance)
        made = ExperimentPaths(staging / name)
        check_tree(made.root)
        made.check_format()
        _settle(made, archive)
        final = store.experiment(name)
        made.root.rename(final.root)
        fsync_directory(store.root)
        return final
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _add_file(tar: tarfile.TarFile, paths: ExperimentPaths, relative: str, digest: str) -> None:
    path = paths.root / relative
    try:
        with path.open("rb") as file:
            hashing = _Hashing(file)
            _add(tar, f"{paths.name}/{relative}", hashing, path.stat().st_size)
    except FileNotFoundError as error:
        raise CorruptDataError(
            f"{path} is missing; see `lithoscope verify {paths.name}`, nothing was exported"
        ) from error
    if hashing.digest.hexdigest() != digest:
        raise CorruptDataError(
            f"{path} is damaged; see `lithoscope verify {paths.name}`, nothing was exported"
        )


def _add(tar: tarfile.TarFile, name: str, file: "IO[bytes] | _Hashing", size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, file)


class _Hashing:
    """A file whose bytes are summed up as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _unpack(file: IO[bytes], archive: Path, store: Store, staging: Path, advance: Advance) -> str:
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            members = iter(tar)
            first = next(members, None)
            if first is None:
                raise StoreFormatError(f"{archive} is empty; export the experiment again")
            name, manifest = _begin(tar, first, archive, store)
            root = staging / name
            make_directory(root)
            (root / MANIFEST).write_bytes(manifest)
            expected = parse_manifest(manifest)
            _unpack_files(tar, members, archive, root, dict(expected), advance)
            _fsync_tree(root)
            return name
    except (tarfile.TarError, EOFError) as error:
        raise StoreFormatError(
            f"{archive} is no whole archive of an experiment ({error}); export it again"
        ) from error


def _begin(
    tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path, store: Store
) -> tuple[str, bytes]:
    """Read the manifest, which comes first, and tell the name of the experiment."""
    name, _, rest = member.name.partition("/")
    if rest != MANIFEST or not member.isreg() or member.size > _MAX_MANIFEST_BYTES:
        raise StoreFormatError(
            f"{archive} does not begin with a manifest; it is none that `lithoscope export "
            "--to archive` has written"
        )
    if store.experiment(name).root.exists():
        raise NotStoredError(
            f"{store.root} has an experiment {name} already; import it into another --store"
        )
    file = tar.extractfile(member)
    return name, b"" if file is None else file.read()


def _unpack_files(
    tar: tarfile.TarFile,
    members: Iterator[tarfile.TarInfo],
    archive: Path,
    root: Path,
    expected: dict[str, str],
    advance: Advance,
) -> None:
    for member in members:
        relative = _checked_name(member, archive, root.name)
        if relative not in expected:
            raise CorruptDataError(
                f"{archive} has {member.name}, which its manifest does not name, or has it "
                "twice; nothing was imported"
            )
        digest = expected.pop(relative)
        source = tar.extractfile(member)
        if source is None or _write(source, root / relative) != digest:
            raise CorruptDataError(
                f"{archive}: {member.name} has not its checksum; nothing was imported, get "
                "another copy"
            )
        advance(member.size)
    if expected:
        raise CorruptDataError(
            f"{archive} lacks {next(iter(expected))} and {len(expected) - 1} more; nothing was "
            "imported, get another copy"
        )


def _checked_name(member: tarfile.TarInfo, archive: Path, name: str) -> str:
    """Give the path of a member below the experiment, if it may have it."""
    top, _, relative = member.name.partition("/")
    if not member.isreg() or top != name or not _NAME.fullmatch(relative):
        raise UnsafePathError(
            f"{archive} has {member.name[:200]!r}, which is no plain file below {name}; nothing "
            "was imported, do not trust this file"
        )
    return relative


def _write(source: IO[bytes], path: Path) -> str:
    make_directory(path.parent)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        while data := source.read(_COPY_BYTES):
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _fsync_tree(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        fsync_directory(Path(folder))


def _settle(paths: ExperimentPaths, archive: Path) -> None:
    owner, is_sealed = journal_owner(paths.journal)
    read_journal(paths.journal)
    if owner != paths.name:
        raise StoreFormatError(
            f"{archive} calls itself {paths.name}, its journal is that of {owner}; get another "
            "copy"
        )
    if not is_sealed:
        # It is not over: the manifest was made for the way alone.
        paths.manifest.unlink()
