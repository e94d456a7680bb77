"""Looking at an array before Zarr opens it.

Metadata are written by anybody and may ask for any registered codec; *pickle* is one of them and
runs what it is given. Only what stands here is opened.
"""

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import numpy as np

from lithoscope_store.errors import NotStoredError, UnsafeArrayError, UnsafePathError
from lithoscope_store.zarr_metadata import METADATA_FILE

if TYPE_CHECKING:
    import zarr

ALLOWED_CODECS = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "crc32c", "sharding_indexed", "transpose"}
)
_INTEGERS = frozenset({f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)})
ALLOWED_DTYPES = _INTEGERS | {"bool", "float16", "float32", "float64"}
#: A chunk is held in memory whole: a small file must not ask for more than a machine has.
MAX_CHUNK_BYTES = 4 * 2**30
_MAX_METADATA_BYTES = 16 * 2**20
_VERSION_2_FILE = ".zarray"
_MAX_NESTING = 4


def open_array(path: Path) -> "zarr.Array[Any]":
    """Open an array for reading after looking at it.

    Raises
    ------
    NotStoredError
        If there is none.
    UnsafeArrayError, UnsafePathError
        If it is none that may be opened; the text says why.
    """
    import zarr  # half a second that a command which opens no array need not wait

    zarr_format = check_array(path)
    check_no_symlinks(path)
    return zarr.open_array(path, mode="r", zarr_format=zarr_format)


def check_array(path: Path) -> Literal[2, 3]:
    """Refuse an array whose metadata are not on the allow-list; give its Zarr version.

    Raises
    ------
    NotStoredError
        If there is none.
    UnsafeArrayError
        If it has a codec, a dtype or a size that is not allowed; the text names it.
    """
    if (path / METADATA_FILE).exists():
        _check_version_3(_load(path / METADATA_FILE), path)
        return 3
    if (path / _VERSION_2_FILE).exists():
        _check_version_2(_load(path / _VERSION_2_FILE), path)
        return 2
    raise NotStoredError(f"there is no array at {path}")


def check_no_symlinks(path: Path) -> None:
    """Refuse a folder that is, or that anywhere contains, a symlink.

    Raises
    ------
    UnsafePathError
        If there is one; the text names it.
    """
    if path.is_symlink():
        raise UnsafePathError(f"{path} is a symlink; replace it by what it points to")
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            if os.path.islink(os.path.join(folder, name)):
                raise UnsafePathError(
                    f"{os.path.join(folder, name)} is a symlink; replace it by what it points to"
                )


def check_tree(path: Path) -> None:
    """Refuse a folder of arrays, such as one to be imported, if any part of it is not safe.

    Raises
    ------
    UnsafeArrayError, UnsafePathError
        If an array or a link in it may not be opened; the text names it.
    """
    check_no_symlinks(path)
    for found in sorted((*path.rglob(METADATA_FILE), *path.rglob(_VERSION_2_FILE))):
        if found.name == METADATA_FILE and _load(found).get("node_type") == "group":
            continue
        check_array(found.parent)


def _load(path: Path) -> dict[str, Any]:
    if path.is_symlink():
        raise UnsafePathError(f"{path} is a symlink; replace it by what it points to")
    if path.stat().st_size > _MAX_METADATA_BYTES:
        raise UnsafeArrayError(f"{path} has over {_MAX_METADATA_BYTES} bytes, no metadata have")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnsafeArrayError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnsafeArrayError(f"{path} holds no metadata")
    return found


def _check_version_3(metadata: dict[str, Any], path: Path) -> None:
    if metadata.get("node_type") != "array":
        raise NotStoredError(f"there is no array at {path}")
    if metadata.get("storage_transformers"):
        raise UnsafeArrayError(f"{path} uses storage transformers; none are allowed")
    dtype = metadata.get("data_type")
    if not isinstance(dtype, str) or dtype not in ALLOWED_DTYPES:
        raise UnsafeArrayError(f"{path} has data type {dtype!r}; numbers only are allowed")
    try:
        grid = metadata["chunk_grid"]
        shape, chunk = metadata["shape"], grid["configuration"]["chunk_shape"]
        is_regular = grid["name"] == "regular"
    except (KeyError, TypeError) as error:
        raise UnsafeArrayError(f"{path} lacks a regular grid of chunks") from error
    if not is_regular:
        raise UnsafeArrayError(f"{path} lacks a regular grid of chunks")
    _check_size(shape, chunk, np.dtype(dtype), path)
    _check_codecs(metadata.get("codecs"), path)


def _check_codecs(codecs: object, path: Path, depth: int = 0) -> None:
    if not isinstance(codecs, list) or depth > _MAX_NESTING:
        raise UnsafeArrayError(f"{path} has no list of codecs")
    for codec in codecs:
        name = codec.get("name") if isinstance(codec, dict) else codec
        if not isinstance(name, str) or name not in ALLOWED_CODECS:
            raise UnsafeArrayError(_refused(name, path))
        if name == "sharding_indexed":
            inner = codec.get("configuration") if isinstance(codec, dict) else None
            if not isinstance(inner, dict):
                raise UnsafeArrayError(f"{path} has shards without a description")
            _check_codecs(inner.get("codecs"), path, depth + 1)
            _check_codecs(inner.get("index_codecs"), path, depth + 1)


def _check_version_2(metadata: dict[str, Any], path: Path) -> None:
    dtype = metadata.get("dtype")
    try:
        parsed = np.dtype(dtype) if isinstance(dtype, str) else None
    except TypeError:
        parsed = None
    if parsed is None or parsed.name not in ALLOWED_DTYPES:
        raise UnsafeArrayError(f"{path} has data type {dtype!r}; numbers only are allowed")
    filters = metadata.get("filters") or []
    if not isinstance(filters, list):
        raise UnsafeArrayError(f"{path} has no list of filters")
    for codec in (*filters, metadata.get("compressor")):
        name = codec.get("id") if isinstance(codec, dict) else codec
        if name is not None and (not isinstance(name, str) or name not in ALLOWED_CODECS):
            raise UnsafeArrayError(_refused(name, path))
    _check_size(metadata.get("shape"), metadata.get("chunks"), parsed, path)


def _check_size(shape: object, chunk: object, dtype: np.dtype[Any], path: Path) -> None:
    if not (_are_lengths(shape) and _are_lengths(chunk)) or len(shape) != len(chunk):
        raise UnsafeArrayError(f"{path} has shape {shape!r} in chunks of {chunk!r}")
    if math.prod(chunk) * dtype.itemsize > MAX_CHUNK_BYTES:
        raise UnsafeArrayError(f"{path} has chunks of {chunk}: over {MAX_CHUNK_BYTES} bytes")


def _are_lengths(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _refused(codec: object, path: Path) -> str:
    return (
        f"{path} asks for codec {codec!r}, which may run code or is not known; allowed are "
        f"{', '.join(sorted(ALLOWED_CODECS))}; write it again with one of these"
    )
