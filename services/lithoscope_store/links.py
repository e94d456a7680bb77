"""The same files under a second name: nothing is copied, and either name may go."""

import errno
import os
import shutil
from pathlib import Path

from lithoscope_store.durable import fsync_directory, make_directory, naming_full_disk
from lithoscope_store.errors import NotStoredError, UnsafePathError

# Another file system, or one that knows no links.
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


def link_tree(source: Path, target: Path) -> tuple[Path, ...]:
    """Give a file, or all files of a folder, a second name; where that cannot be, copy them.

    Files of the store are written once and replaced as a whole, never changed in place: what is
    done later under one name does not show under the other.

    Parameters
    ----------
    source
        A file or a folder.
    target
        Its second name; files that are there already are left.

    Returns
    -------
    tuple of Path
        All files below ``target`` that stand for one of ``source``.

    Raises
    ------
    NotStoredError
        If there is no ``source``.
    UnsafePathError
        If there is a symlink in it; the text names it.
    StoreFullError
        If copies find no space.
    """
    if source.is_symlink():
        raise UnsafePathError(f"{source} is a symlink; replace it by what it points to")
    if source.is_file():
        make_directory(target.parent)
        _link(source, target)
        fsync_directory(target.parent)
        return (target,)
    if not source.is_dir():
        raise NotStoredError(f"{source} is missing; it may have been pruned")
    made = []
    for folder, folders, files in os.walk(source):
        folders.sort()
        below = target / Path(folder).relative_to(source)
        make_directory(below)
        for name in (*folders, *sorted(files)):
            path = Path(folder, name)
            if path.is_symlink():
                raise UnsafePathError(f"{path} is a symlink; replace it by what it points to")
            if path.is_file():
                _link(path, below / name)
                made.append(below / name)
        fsync_directory(below)
    return tuple(made)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        partial = target.with_name(f"{target.name}.partial")
        with naming_full_disk(target):
            shutil.copy2(source, partial)
            partial.replace(target)
