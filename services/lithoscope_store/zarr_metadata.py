"""The ``zarr.json`` of arrays and groups, written by hand: whole, at once, and on the disk."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import NotStoredError, StoreFormatError

METADATA_FILE = "zarr.json"
Compression = Literal["none", "lz4", "zstd"]
#: JSON as it stands in attributes.
Attributes = dict[str, Any]  # values of JSON have no closed type


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayLayout:
    """How one array lies on disk: Zarr version 3, each chunk with its own CRC-32C.

    ``shard`` is the shape of a file; without it each chunk is a file of its own. What was never
    written reads as ``fill_value``; None is not a number where that can be told, else 0.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chunk: tuple[int, ...]
    shard: tuple[int, ...] | None = None
    compression: Compression = "none"
    separator: Literal[".", "/"] = "/"
    dimension_names: tuple[str, ...] = ()
    attributes: Attributes = field(default_factory=dict)
    fill_value: int | None = None

    def metadata(self) -> Attributes:
        """Content of ``zarr.json``."""
        codecs = self._chunk_codecs()
        if self.shard is not None:
            codecs = [_sharding(self.chunk, codecs)]
        names = {"dimension_names": list(self.dimension_names)} if self.dimension_names else {}
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": list(self.shard or self.chunk)},
            },
            "chunk_key_encoding": {
                "name": "default",
                "configuration": {"separator": self.separator},
            },
            "fill_value": self._fill_value(),
            "codecs": codecs,
            "attributes": self.attributes,
            "storage_transformers": [],
            **names,
        }

    def blosc(self) -> Attributes:
        """Give the settings of the compressor."""
        return {
            "typesize": self.dtype.itemsize,
            "cname": self.compression,
            "clevel": 5 if self.compression == "lz4" else 3,
            "shuffle": "bitshuffle" if self.dtype.itemsize > 1 else "noshuffle",
            "blocksize": 0,
        }

    def _fill_value(self) -> int | str:
        if self.fill_value is not None:
            return self.fill_value
        return "NaN" if self.dtype.kind == "f" and self.shard is None else 0

    def _chunk_codecs(self) -> list[Attributes]:
        codecs = [_little_endian_bytes()]
        if self.compression != "none":
            codecs.append({"name": "blosc", "configuration": self.blosc()})
        return [*codecs, {"name": "crc32c"}]


def create_array(path: Path, layout: ArrayLayout) -> None:
    """Create an array, or give the one that is there another layout; its chunks stay."""
    make_directory(path)
    _write(path, layout.metadata())


def create_group(path: Path, attributes: Attributes) -> None:
    """Create a group, or replace the attributes of the one that is there."""
    make_directory(path)
    _write(path, {"zarr_format": 3, "node_type": "group", "attributes": attributes})


def read_attributes(path: Path) -> Attributes:
    """Read the attributes of a group or an array.

    Raises
    ------
    NotStoredError
        If there is none.
    StoreFormatError
        If they cannot be read.
    """
    try:
        return dict(json.loads((path / METADATA_FILE).read_bytes())["attributes"])
    except FileNotFoundError as error:
        raise NotStoredError(f"there is nothing at {path}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreFormatError(f"{path / METADATA_FILE} cannot be read: {error!r}") from error


def chunk_path(path: Path, position: tuple[int, ...], separator: Literal[".", "/"]) -> Path:
    """File of the chunk (or shard) at a position of the grid."""
    return path / separator.join(["c", *map(str, position)])


def ceiling_multiple(value: int, step: int) -> int:
    """Smallest multiple of ``step`` that is at least ``value``."""
    return math.ceil(value / step) * step


def _write(path: Path, metadata: Attributes) -> None:
    text = json.dumps(metadata, indent=2, allow_nan=False)
    write_atomic(path / METADATA_FILE, f"{text}\n".encode())


def _little_endian_bytes() -> Attributes:
    return {"name": "bytes", "configuration": {"endian": "little"}}


def _sharding(chunk: tuple[int, ...], codecs: list[Attributes]) -> Attributes:
    return {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": list(chunk),
            "codecs": codecs,
            "index_codecs": [_little_endian_bytes(), {"name": "crc32c"}],
            "index_location": "end",
        },
    }
