"""Surfaces of a scan: one glTF file a class, and an index that is written last."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import NotStoredError, StoreFormatError, UnsafePathError
from lithoscope_store.layout import is_plain_name

INDEX_FILE = "surfaces.json"
Json = dict[str, Any]  # whatever JSON can say


def write_surfaces(
    folder: Path, files: Mapping[str, bytes], described: Mapping[str, Any]
) -> Sequence[Json]:
    """Write the surfaces of a scan; they are on the disk when this returns.

    Parameters
    ----------
    folder
        ``ExperimentPaths.meshes``; what it has under these names is replaced.
    files
        Class to the bytes of its glTF file.
    described
        What the index says; ``surfaces`` in it holds one entry for each of ``files``, by
        ``class``, to which name, size and checksum of the file are added.

    Returns
    -------
    list
        The entries as they stand in the index.

    Raises
    ------
    UnsafePathError
        If a class cannot name a file.
    StoreFullError
        If there is no space left.
    """
    make_directory(folder)
    entries = []
    for entry in described["surfaces"]:
        key = entry["class"]
        if not is_plain_name(key):
            raise UnsafePathError(f"{key!r} cannot name a surface; take letters, digits and '_'")
        data = files[key]
        write_atomic(folder / f"{key}.glb", data)
        digest = hashlib.sha256(data).hexdigest()
        entries.append({**entry, "file": f"{key}.glb", "bytes": len(data), "sha256": digest})
    text = json.dumps({**described, "surfaces": entries}, indent=1, allow_nan=False)
    write_atomic(folder / INDEX_FILE, f"{text}\n".encode())
    return entries


def read_surfaces(folder: Path) -> Json:
    """Read the index of the surfaces of a scan.

    Raises
    ------
    NotStoredError
        If there are none, or not all of them yet.
    StoreFormatError
        If it cannot be read.
    """
    path = folder / INDEX_FILE
    try:
        described: Json = json.loads(path.read_bytes())
        names = [(each["class"], each["file"]) for each in described["surfaces"]]
    except FileNotFoundError as error:
        raise NotStoredError(f"there are no surfaces at {folder}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise StoreFormatError(f"{path} cannot be read: {error!r}; make it again") from error
    for key, file in names:
        if file != f"{key}.glb" or not is_plain_name(file):
            raise StoreFormatError(f"{path}: {file!r} is no file of {key!r}; make it again")
    return described
