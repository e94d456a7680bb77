"""Frames of one tile on disk, written as they come; :mod:`.frame_reader` reads them."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Self

import numpy as np

from lithoscope_messages import FrameHeader, FrameKey, FrameKind
from lithoscope_store.durable import fsync_directory, naming_full_disk
from lithoscope_store.errors import (
    CorruptDataError,
    StoreFormatError,
    WrongFrameError,
)
from lithoscope_store.frame_files import FrameFiles
from lithoscope_store.frame_index import FrameRecord, IndexFile
from lithoscope_store.frame_reader import FrameReader, frames_sha256
from lithoscope_store.frame_shard import (
    FrameLayout,
    FrameShard,
    array_path,
    name_of,
    read_layout,
    shard_path,
)
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.zarr_metadata import METADATA_FILE, create_array, create_group

__all__ = ["FrameReader", "FrameWriter", "frames_sha256"]

_FIRST_CAPACITY = 1024
# Files kept open until the commit; a process may have 1024 (the usual limit of Linux).
_MAX_OPEN_FILES = 128
_SetName = tuple[FrameKind, int]


class FrameWriter:
    """Writes the frames of one tile; nothing counts before :meth:`commit`.

    Parameters
    ----------
    paths, scan, tile
        Which tile.
    slab_rows
        Rows that are later read together: the height of a chunk.
    executor
        Of one thread that fills files beside; a full disk then shows in :meth:`commit` only.

    Raises
    ------
    LockedError
        If another process writes this tile.
    """

    def __init__(
        self,
        paths: ExperimentPaths,
        scan: int,
        tile: int,
        *,
        slab_rows: int = 64,
        executor: Executor | None = None,
    ) -> None:
        self.scan, self.tile = scan, tile
        self._folder = paths.frames(scan, tile)
        self._slab_rows = slab_rows
        if not (self._folder / METADATA_FILE).exists():
            create_group(self._folder, {})
        self._index = IndexFile(paths.index(scan, tile))
        self._stored = {record.key: record for record in self._index.records}
        self._pending: dict[FrameKey, FrameRecord] = {}
        self._files = FrameFiles(executor)
        self._sets: dict[_SetName, tuple[FrameLayout, int]] = {}
        self._sweep()

    @property
    def keys(self) -> tuple[FrameKey, ...]:
        """Frames that are on disk and in the index, in no order."""
        return tuple(self._stored)

    @property
    def records(self) -> tuple[FrameRecord, ...]:
        """What the index says of all frames, in the order in which they came."""
        return tuple(self._stored.values())

    def has(self, key: FrameKey) -> bool:
        """Whether this frame is on disk and in the index."""
        return key in self._stored

    def find(self, key: FrameKey) -> FrameRecord | None:
        """Give what was written under a key, committed or not; None if nothing was."""
        return self._pending.get(key) or self._stored.get(key)

    def write(self, header: FrameHeader, payload: bytes | bytearray | memoryview) -> bool:
        """Write a frame; it is safe after the next :meth:`commit`.

        Parameters
        ----------
        header
            Its header.
        payload
            Its pixels, C order, little-endian, decoded.

        Returns
        -------
        bool
            False if this frame has been written before (see :meth:`has`): nothing is done.

        Raises
        ------
        WrongFrameError
            If it is of another tile, or of another shape or dtype than the others of its set.
        CorruptDataError
            If the pixels do not have the checksum of the header.
        StoreFullError
            If there is no space left; this frame is not stored, all others stand.
        """
        key = header.frame_key
        if key in self._stored or key in self._pending:
            return False
        pixels = memoryview(payload).cast("B")
        layout = self._check(header, pixels)
        shard = FrameShard.of(layout, pixels)
        if header.codec == "none" and shard.crc32c != header.crc32c:
            raise CorruptDataError(
                f"{name_of(key)} has not the checksum of its header; send it again"
            )
        if len(self._files) >= _MAX_OPEN_FILES:
            self._sync_files()
        self._files.write(shard_path(self._array(key), key.index), shard)
        self._pending[key] = FrameRecord.of(header, shard.crc32c)
        return True

    def commit(self) -> tuple[FrameKey, ...]:
        """Wait until all written frames are on the disk, then enter them in the index.

        Returns
        -------
        tuple[FrameKey, ...]
            The frames that are safe by this call, in the order they were written.

        Raises
        ------
        StoreFullError
            If there is no space left; the frames since the last commit are not stored.
        """
        if not self._pending:
            return ()
        self._sync_files()
        try:
            self._fit_capacities()
            self._index.append(list(self._pending.values()))
        except OSError:
            self.discard()
            raise
        committed = tuple(self._pending)
        self._stored.update(self._pending)
        self._forget_pending()
        return committed

    def discard(self) -> None:
        """Forget the frames since the last commit and remove their files."""
        self._files.close()
        for key in self._pending:
            shard_path(self._array(key), key.index).unlink(missing_ok=True)
        self._forget_pending()

    def close(self) -> None:
        """Commit, give the arrays their true lengths, and close."""
        try:
            self.commit()
            self._trim()
        finally:
            self._forget_pending()
            self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, header: FrameHeader, pixels: memoryview) -> FrameLayout:
        key = header.frame_key
        if (key.scan, key.tile) != (self.scan, self.tile):
            raise WrongFrameError(
                f"{name_of(key)} does not belong into scan {self.scan}, tile {self.tile}"
            )
        layout = self._layout_for(header)
        if (layout.rows, layout.columns) != header.shape or layout.dtype.name != header.dtype:
            raise WrongFrameError(
                f"{name_of(key)} is {header.shape} {header.dtype}, the others of its set are "
                f"{(layout.rows, layout.columns)} {layout.dtype.name}; start a new set"
            )
        if len(pixels) != layout.payload_bytes:
            raise WrongFrameError(
                f"{name_of(key)} has {len(pixels)} bytes, its shape needs {layout.payload_bytes}"
            )
        return layout

    def _layout_for(self, header: FrameHeader) -> FrameLayout:
        name = (header.kind, header.set)
        if name not in self._sets:
            array = self._array(header.frame_key)
            if (array / METADATA_FILE).exists():
                self._sets[name] = read_layout(array)
            else:
                dtype = np.dtype(header.dtype)
                layout = FrameLayout.plan(dtype, header.shape, self._slab_rows)
                create_array(array, layout.array(_FIRST_CAPACITY))
                self._sets[name] = (layout, _FIRST_CAPACITY)
        return self._sets[name][0]

    def _sync_files(self) -> None:
        try:
            with naming_full_disk(self._folder):
                self._files.sync()
        except OSError:
            # After a failed fsync nobody knows what is on the disk: all must come again.
            self.discard()
            raise

    def _fit_capacities(self) -> None:
        highest: dict[_SetName, FrameKey] = {}
        for key in self._pending:
            highest[key.kind, key.set] = max(
                key, highest.get((key.kind, key.set), key), key=lambda one: one.index
            )
        for name, key in highest.items():
            layout, capacity = self._sets[name]
            if key.index >= capacity:
                capacity = max(2 * capacity, key.index + 1)
                create_array(self._array(key), layout.array(capacity))
                self._sets[name] = (layout, capacity)
            else:
                fsync_directory(self._array(key))

    def _trim(self) -> None:
        lengths: dict[_SetName, int] = {}
        for key in self._stored:
            name = (key.kind, key.set)
            lengths[name] = max(lengths.get(name, 0), key.index + 1)
        for name, (layout, capacity) in self._sets.items():
            if name in lengths and capacity != lengths[name]:
                create_array(array_path(self._folder, *name), layout.array(lengths[name]))

    def _sweep(self) -> None:
        """Remove shards that a crash has cut short; whole ones are harmless and stay."""
        for array in self._folder.glob("*-*/"):
            try:
                layout, _ = read_layout(array)
            except StoreFormatError:
                continue  # cut short before its first frame; the next one writes it again
            for path in array.glob("c.*"):
                if path.lstat().st_size != layout.shard_bytes and not self._is_stored(path):
                    path.unlink()

    def _is_stored(self, path: Path) -> bool:
        kind, _, set_ = path.parent.name.partition("-")
        index = int(path.name.split(".")[1])
        return any(
            (key.kind, key.set, key.index) == (kind, int(set_), index) for key in self._stored
        )

    def _forget_pending(self) -> None:
        self._files.close()
        self._pending.clear()

    def _array(self, key: FrameKey) -> Path:
        return array_path(self._folder, key.kind, key.set)
