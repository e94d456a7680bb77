"""The file of a recorded stream: its messages as they came, each with the time it came at.

All numbers are little-endian::

    file     "LITHOTAP", version (u16), 0 (u16), n (u32), n bytes of JSON: where it came from
    message  crc32c of the rest (u32), number of parts (u32), time received in ns since 1970 (u64),
             length of each part (u64), the parts

A writer that was killed leaves a torn message at the end; it is cut when the file is read. Large
recordings are several files: ``NAME``, ``NAME.001``, ``NAME.002`` …
"""

import json
import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Literal, Self

import google_crc32c

from lithoscope_messages import MAX_FRAME_BYTES
from lithoscope_services.errors import SourceError
from lithoscope_store.durable import fsync_directory

MAGIC, VERSION = b"LITHOTAP", 1
MAX_PARTS = 64
#: As the socket that receives them.
MAX_PART_BYTES = MAX_FRAME_BYTES + 2**16
MAX_HEADER_BYTES = 2**16
#: Bytes and seconds after which what was written is put on the disk.
SYNC_BYTES, SYNC_S = 64 * 2**20, 1.0
_FILE = struct.Struct("<8sHHI")
_CRC = struct.Struct("<I")
_MESSAGE = struct.Struct("<IQ")
_LENGTH = struct.Struct("<Q")
#: A writev takes no more pieces than this on any system.
_MAX_PIECES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingHeader:
    """Where a recording came from.

    Parameters
    ----------
    source
        Address that was listened to.
    pattern
        ``pull`` from a PUSH sender or ``sub`` from a PUB sender.
    begun_ns
        When, since 1970.
    """

    source: str
    pattern: Literal["pull", "sub"]
    begun_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMessage:
    """A message as it came."""

    received_ns: int
    parts: tuple[bytes, ...]


class RecordingWriter:
    """Writes a recording; a context manager.

    Parameters
    ----------
    path
        First file; it must not exist.
    header
        Where the stream comes from.
    max_bytes
        A file that is longer is followed by another; None for one file.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(
        self, path: Path, header: RecordingHeader, *, max_bytes: int | None = None
    ) -> None:
        self._path, self._header, self._max_bytes = path, header, max_bytes
        self._n_files = 0
        self._fd = -1
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def write(self, parts: Sequence[bytes], received_ns: int) -> None:
        """Append a message."""
        if self._max_bytes is not None and self._n_bytes >= self._max_bytes:
            self.close()
            self._open()
        lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
        head = _MESSAGE.pack(len(parts), received_ns) + lengths
        crc32c = google_crc32c.value(head)
        for part in parts:
            crc32c = google_crc32c.extend(crc32c, part)
        self._append([_CRC.pack(crc32c) + head, *parts])

    def sync_if_due(self) -> None:
        """Put what was written on the disk, once in :data:`SYNC_BYTES` or :data:`SYNC_S`."""
        waited_s = time.monotonic() - self._synced_s
        if self._n_unsynced >= SYNC_BYTES or (self._n_unsynced and waited_s >= SYNC_S):
            self._sync()

    def close(self) -> None:
        """Put all on the disk and close; harmless when repeated."""
        if self._fd >= 0:
            self._sync()
            os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """Close after a failure to write: what is whole can be read."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        path = part_path(self._path, self._n_files)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._n_files += 1
        self._n_bytes = self._n_unsynced = 0
        self._synced_s = time.monotonic()
        about = json.dumps(asdict(self._header)).encode()
        self._append([_FILE.pack(MAGIC, VERSION, 0, len(about)) + about])
        self._sync()
        fsync_directory(path.parent)

    def _append(self, pieces: list[bytes]) -> None:
        left = [memoryview(piece) for piece in pieces]
        while left:
            n_written = os.writev(self._fd, left[:_MAX_PIECES])
            self._n_bytes += n_written
            self._n_unsynced += n_written
            while left and n_written >= len(left[0]):
                n_written -= len(left.pop(0))
            if n_written:
                left[0] = left[0][n_written:]

    def _sync(self) -> None:
        os.fdatasync(self._fd)
        self._n_unsynced = 0
        self._synced_s = time.monotonic()


class RecordingReader:
    """Reads one file of a recording; a context manager.

    Parameters
    ----------
    path
        Of the file.

    Attributes
    ----------
    header
        Where it came from.
    n_torn_bytes
        What a killed writer left behind the last whole message; known at the end.

    Raises
    ------
    SourceError
        If it is no recording; the text begins with the field that is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._size = os.fstat(self._file.fileno()).st_size
        self.n_torn_bytes = 0
        try:
            self.header = self._read_header()
        except SourceError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self._file.close()

    def messages(self) -> Iterator[RecordedMessage]:
        """Give the messages in order.

        Raises
        ------
        SourceError
            If one is damaged; the text begins with the field that is wrong.
        """
        for number in count():
            begin = self._file.tell()
            if begin == self._size:
                return
            message = self._read_message(number, begin)
            if message is None:
                self.n_torn_bytes = self._size - begin
                return
            yield message

    def _read_header(self) -> RecordingHeader:
        data = self._file.read(_FILE.size)
        if len(data) < _FILE.size or not data.startswith(MAGIC):
            raise SourceError(f"magic: {self._path} is no recording of lithoscope tap")
        _, version, _, n_bytes = _FILE.unpack(data)
        if version != VERSION:
            raise SourceError(f"version: {version} came, this program reads {VERSION}")
        if n_bytes > min(MAX_HEADER_BYTES, self._size - _FILE.size):
            raise SourceError(f"header: {n_bytes} bytes of {self._size}; the file is damaged")
        try:
            found = json.loads(self._file.read(n_bytes))
            header = RecordingHeader(**found)
        except (ValueError, TypeError, RecursionError) as error:
            raise SourceError(f"header: cannot be read ({str(error)[:80]})") from error
        if header.pattern not in ("pull", "sub"):
            raise SourceError(f"pattern: {str(header.pattern)[:20]!r} came, pull or sub is known")
        if not isinstance(header.source, str):
            raise SourceError("source: an address was expected")
        return header

    def _read_message(self, number: int, begin: int) -> RecordedMessage | None:
        """Read a message; None if it is the torn end of the file."""
        head = self._file.read(_CRC.size + _MESSAGE.size)
        if len(head) < _CRC.size + _MESSAGE.size:
            return None
        n_parts, received_ns = _MESSAGE.unpack_from(head, _CRC.size)
        where = f"message {number} at byte {begin} of {self._path.name}"
        if not 1 <= n_parts <= MAX_PARTS:
            if not any(head) and self._is_empty_from(begin):
                return None
            raise SourceError(f"parts: {n_parts} of {where}, 1 to {MAX_PARTS} are known")
        lengths_data = self._file.read(n_parts * _LENGTH.size)
        if len(lengths_data) < n_parts * _LENGTH.size:
            return None
        lengths = [length for (length,) in _LENGTH.iter_unpack(lengths_data)]
        if max(lengths) > MAX_PART_BYTES:
            raise SourceError(f"length: {max(lengths)} bytes in {where}, at most {MAX_PART_BYTES}")
        if sum(lengths) > self._size - self._file.tell():
            return None
        parts = tuple(self._file.read(length) for length in lengths)
        crc32c = google_crc32c.value(head[_CRC.size :] + lengths_data)
        for part in parts:
            crc32c = google_crc32c.extend(crc32c, part)
        if crc32c != _CRC.unpack_from(head)[0]:
            if self._file.tell() == self._size:
                return None
            raise SourceError(f"crc32c: of {where}; it is damaged, copy the recording again")
        return RecordedMessage(received_ns=received_ns, parts=parts)

    def _is_empty_from(self, begin: int) -> bool:
        """Whether the file has only zeros from there on, as after a power cut."""
        self._file.seek(begin)
        return all(not any(piece) for piece in iter(lambda: self._file.read(2**20), b""))


def part_path(path: Path, number: int) -> Path:
    """Give the name of a file of a recording, counted from 0."""
    return path if number == 0 else path.with_name(f"{path.name}.{number:03d}")


def parts_of(path: Path) -> list[Path]:
    """Give the files of a recording that are there, in order."""
    found = [path]
    while (following := part_path(path, len(found))).exists():
        found.append(following)
    return found
