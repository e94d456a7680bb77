"""The objects of a scan, dendrites and pits, as one small file of columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import CorruptDataError, NotStoredError, StoreFormatError

#: Raised when a column goes or changes its meaning; new ones may come.
OBJECTS_VERSION: Final = 1
_MAX_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObjects:
    """A table of objects.

    Parameters
    ----------
    columns
        Name to values, all equally long; ``services/README.md`` lists them.
    n_found, gone
        How many were found of each kind, and which tracks of the scan before are gone.
    next_track
        First number that no track has had.
    """

    columns: Mapping[str, Sequence[Any]]  # numbers, words, lists of them, or null
    n_found: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, Sequence[int]] = field(default_factory=dict)
    next_track: int = 1


def write_objects(path: Path, objects: StoredObjects) -> None:
    """Write a table of objects; it is on the disk when this returns.

    Raises
    ------
    ValueError
        If a column is longer than another, or holds what JSON cannot.
    StoreFullError
        If there is no space left.
    """
    if len({len(column) for column in objects.columns.values()}) > 1:
        lengths = {name: len(column) for name, column in objects.columns.items()}
        raise ValueError(f"columns of objects must be equally long, these are: {lengths}")
    text = json.dumps(
        {
            "version": OBJECTS_VERSION,
            "n_found": dict(objects.n_found),
            "gone": {kind: list(tracks) for kind, tracks in objects.gone.items()},
            "next_track": objects.next_track,
            "columns": {name: list(column) for name, column in objects.columns.items()},
        },
        separators=(",", ":"),
        allow_nan=False,
    )
    make_directory(path.parent)
    write_atomic(path, f"{text}\n".encode())


def read_objects(path: Path) -> StoredObjects:
    """Read a table of objects.

    Raises
    ------
    NotStoredError
        If there is none.
    StoreFormatError
        If a newer version has written it.
    CorruptDataError
        If it is damaged.
    """
    if not path.is_file():
        raise NotStoredError(f"there are no objects at {path}")
    if path.stat().st_size > _MAX_BYTES:
        raise CorruptDataError(f"{path} is larger than {_MAX_BYTES} bytes; make it again")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version = found["version"]
        objects = StoredObjects(
            columns=dict(found["columns"]),
            n_found=dict(found["n_found"]),
            gone=dict(found["gone"]),
            next_track=int(found["next_track"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(f"{path} is damaged ({error!r}); make it again") from error
    if version != OBJECTS_VERSION:
        raise StoreFormatError(
            f"{path} has version {version}, this program knows {OBJECTS_VERSION}; install a newer "
            "lithoscope"
        )
    return objects
