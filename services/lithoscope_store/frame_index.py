"""The index of a tile: which frames are on disk, one record of fixed size each.

Zarr cannot tell a chunk that was never written from zeros; therefore the index is the truth. A
record stands in it only after its frame is on the disk, and each record has its own checksum.
"""

import fcntl
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

import numpy as np

from lithoscope_messages import FrameDtype, FrameHeader, FrameKey, FrameKind, ThetaSource
from lithoscope_store.checksums import crc32c
from lithoscope_store.durable import fsync_directory, naming_full_disk
from lithoscope_store.errors import LockedError, StoreFormatError

_MAGIC = b"lithoscope-index"
_VERSION = 1
_FILE_HEADER = struct.Struct("<16sII40x")
# scan, tile, kind, set, dtype, theta source, index, sequence, session, theta, time, crc32c,
# rows, columns, and the CRC-32C of all before it
_BODY = struct.Struct("<HHBBBBIQ16sdQIHH")
_CRC = struct.Struct("<I")
RECORD_BYTES = _BODY.size + _CRC.size
# The order of these is part of the format.
_KINDS: tuple[FrameKind, ...] = ("projection", "dark", "flat")
_DTYPES: tuple[FrameDtype, ...] = ("uint8", "uint16", "uint32", "float32")
_THETA_SOURCES: tuple[ThetaSource, ...] = ("frame", "table", "formula", "encoder")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """One frame that is on disk; ``crc32c`` is that of its pixels."""

    key: FrameKey
    sequence: int
    session: str
    theta_deg: float | None
    theta_source: ThetaSource
    time_ns: int
    crc32c: int
    dtype: FrameDtype
    shape: tuple[int, int]

    @classmethod
    def of(cls, header: FrameHeader, pixels_crc32c: int) -> "FrameRecord":
        """Make the record of a frame that has arrived."""
        return cls(
            key=header.frame_key,
            sequence=header.sequence,
            session=header.session,
            theta_deg=header.theta_deg,
            theta_source=header.theta_source,
            time_ns=header.time_ns,
            crc32c=pixels_crc32c,
            dtype=header.dtype,
            shape=header.shape,
        )

    def pack(self) -> bytes:
        """Write the record as it stands in the index."""
        body = _BODY.pack(
            self.key.scan,
            self.key.tile,
            _KINDS.index(self.key.kind),
            self.key.set,
            _DTYPES.index(self.dtype),
            _THETA_SOURCES.index(self.theta_source),
            self.key.index,
            self.sequence,
            bytes.fromhex(self.session),
            np.nan if self.theta_deg is None else self.theta_deg,
            self.time_ns,
            self.crc32c,
            *self.shape,
        )
        return body + _CRC.pack(crc32c(body))

    @classmethod
    def unpack(cls, data: bytes) -> "FrameRecord | None":
        """Read a record; None if its checksum does not fit."""
        body = data[: _BODY.size]
        if len(data) != RECORD_BYTES or _CRC.unpack(data[_BODY.size :])[0] != crc32c(body):
            return None
        (scan, tile, kind, set_, dtype, source, index, sequence, session, theta_deg, *rest) = (
            _BODY.unpack(body)
        )
        time_ns, pixels_crc32c, rows, columns = rest
        key = FrameKey(scan=scan, tile=tile, kind=_KINDS[kind], set=set_, index=index)
        return cls(
            key=key,
            sequence=sequence,
            session=session.hex(),
            theta_deg=None if np.isnan(theta_deg) else theta_deg,
            theta_source=_THETA_SOURCES[source],
            time_ns=time_ns,
            crc32c=pixels_crc32c,
            dtype=_DTYPES[dtype],
            shape=(rows, columns),
        )


@dataclass(frozen=True, slots=True)
class IndexPart:
    """Records read from an index, where the reading ended, and how many were damaged."""

    records: tuple[FrameRecord, ...]
    end: int
    damaged: int


def read_index(path: Path, *, start: int = 0) -> IndexPart:
    """Read the records of an index from a position on; a torn tail is left out.

    A damaged record before a sound one is skipped and counted: the frame is as good as lost, but
    only this one.

    Raises
    ------
    StoreFormatError
        If the file is no index, or one of a newer version.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return _read(descriptor, path, start)
    finally:
        os.close(descriptor)


class IndexFile:
    """An index open for writing, by one process at a time.

    Raises
    ------
    LockedError
        If another process writes it.
    StoreFormatError
        If the file is no index, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            self._lock()
            part = _read(self._descriptor, path, 0)
            self.records, self._end = part.records, part.end
            if self._end == 0:
                self._begin()
            # A torn tail was never acknowledged.
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        except (OSError, ValueError):
            os.close(self._descriptor)
            raise

    def append(self, records: Sequence[FrameRecord]) -> None:
        """Add records, all or none; they are on the disk when this returns.

        Raises
        ------
        StoreFullError
            If there is no space left; the index is as before.
        """
        data = b"".join(record.pack() for record in records)
        with naming_full_disk(self.path):
            try:
                self._write(data, self._end)
            except OSError:
                os.ftruncate(self._descriptor, self._end)
                raise
        self._end += len(data)

    def close(self) -> None:
        """Close the file and give it free."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"{self.path} is being written by another process") from error

    def _begin(self) -> None:
        with naming_full_disk(self.path):
            self._write(_FILE_HEADER.pack(_MAGIC, _VERSION, RECORD_BYTES), 0)
            fsync_directory(self.path.parent)
        self._end = _FILE_HEADER.size

    def _write(self, data: bytes, position: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, position)
            rest, position = rest[written:], position + written
        os.fsync(self._descriptor)


def _read(descriptor: int, path: Path, start: int) -> IndexPart:
    size = os.fstat(descriptor).st_size
    if size < _FILE_HEADER.size:
        return IndexPart((), 0, 0)
    magic, version, record_bytes = _FILE_HEADER.unpack(os.pread(descriptor, _FILE_HEADER.size, 0))
    if magic != _MAGIC:
        raise StoreFormatError(f"{path} is no index of frames; restore it from a copy")
    if version > _VERSION or record_bytes != RECORD_BYTES:
        raise StoreFormatError(f"{path} is of a newer version; install a newer lithoscope")
    begin = max(start, _FILE_HEADER.size)
    data = os.pread(descriptor, max(size - begin, 0), begin)
    found = [
        FrameRecord.unpack(data[i : i + RECORD_BYTES]) for i in range(0, len(data), RECORD_BYTES)
    ]
    while found and found[-1] is None:
        found.pop()
    records = tuple(record for record in found if record is not None)
    return IndexPart(records, begin + len(found) * RECORD_BYTES, len(found) - len(records))


def _check_tables() -> None:
    """Fail at import if a message learns a word that the index has no number for."""
    for table, words in (
        (_KINDS, FrameKind),
        (_DTYPES, FrameDtype),
        (_THETA_SOURCES, ThetaSource),
    ):
        if set(table) != set(get_args(words)):
            raise TypeError(f"the index knows {table}, the messages {get_args(words)}")


_check_tables()
