"""Reading the frames of one tile by what its index says, while others may still come."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameKey, FrameKind
from lithoscope_store.checksums import crc32c
from lithoscope_store.errors import CorruptDataError, NotStoredError
from lithoscope_store.frame_index import FrameRecord, read_index
from lithoscope_store.frame_shard import (
    FrameLayout,
    array_path,
    name_of,
    read_layout,
    read_rows,
    shard_path,
)
from lithoscope_store.layout import ExperimentPaths


class FrameReader:
    """Reads the frames of one tile that the index names, while others may still come.

    Raises
    ------
    NotStoredError
        If there is no such tile.
    """

    def __init__(self, paths: ExperimentPaths, scan: int, tile: int) -> None:
        self.scan, self.tile = scan, tile
        self._folder = paths.frames(scan, tile)
        self._index = paths.index(scan, tile)
        if not self._index.is_file():
            raise NotStoredError(
                f"no frames of scan {scan}, tile {tile}: {self._index} is missing"
            )
        self.damaged_records = 0
        self._end = 0
        self._records: dict[FrameKey, FrameRecord] = {}
        self._layouts: dict[tuple[FrameKind, int], FrameLayout] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what was committed since."""
        part = read_index(self._index, start=self._end)
        self._end = part.end
        self.damaged_records += part.damaged
        self._records |= {record.key: record for record in part.records}

    @property
    def keys(self) -> tuple[FrameKey, ...]:
        """Frames on disk, by kind, set and index."""
        return tuple(sorted(self._records, key=_order))

    def record(self, key: FrameKey) -> FrameRecord:
        """Look up what the index says of a frame.

        Raises
        ------
        NotStoredError
            If it is not on disk.
        """
        if key not in self._records:
            raise NotStoredError(f"{name_of(key)} is not on disk")
        return self._records[key]

    def indices(self, kind: FrameKind, set: int = 0) -> NDArray[np.int64]:
        """Numbers of the frames of a set that are on disk, rising."""
        found = (key.index for key in self._records if (key.kind, key.set) == (kind, set))
        return np.array(sorted(found), np.int64)

    def sets(self, kind: FrameKind) -> tuple[int, ...]:
        """List the sets of a kind that have a frame on disk."""
        return tuple(sorted({key.set for key in self._records if key.kind == kind}))

    def thetas_deg(self, kind: FrameKind = "projection", set: int = 0) -> NDArray[np.float64]:
        """Angles of the frames of a set, in the order of :meth:`indices`; NaN where unknown."""
        records = [self._records[key] for key in self._keys(kind, set)]
        return np.array([np.nan if r.theta_deg is None else r.theta_deg for r in records])

    def layout(self, kind: FrameKind, set: int = 0) -> FrameLayout:
        """Dtype, rows, columns and chunk of the frames of a set."""
        if (kind, set) not in self._layouts:
            self._layouts[kind, set], _ = read_layout(array_path(self._folder, kind, set))
        return self._layouts[kind, set]

    def read(
        self,
        kind: FrameKind,
        set: int = 0,
        rows: slice | None = None,
        *,
        indices: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> NDArray[Any]:  # of the dtype of the set
        """Read a set, or some rows of it, checking every chunk.

        Parameters
        ----------
        kind, set
            Which set.
        rows
            Rows to read, step 1; all by default.
        indices
            Frames to read; by default all that are on disk, in the order of :meth:`indices`.

        Returns
        -------
        ndarray
            Shape (n_frames, n_rows, columns).

        Raises
        ------
        NotStoredError
            If a frame is not on disk, or if the set is empty.
        CorruptDataError
            If a frame is damaged; the text names it.
        """
        wanted = self.indices(kind, set) if indices is None else indices
        keys = [self._key(kind, set, int(index)) for index in wanted]
        if not keys:
            raise NotStoredError(f"no {kind} of set {set} in scan {self.scan} is on disk")
        for key in keys:
            self.record(key)
        layout = self.layout(kind, set)
        first, last, _ = (rows or slice(None)).indices(layout.rows)
        out = np.empty((len(keys), max(last - first, 0), layout.columns), layout.dtype)
        array = array_path(self._folder, kind, set)
        for frame, key in zip(out, keys, strict=True):
            read_rows(array, key.index, layout, first, frame)
        return out

    def read_frame(self, key: FrameKey) -> NDArray[Any]:  # of the dtype of the set
        """Read one frame and check it against the checksum in the index.

        Raises
        ------
        NotStoredError
            If it is not on disk.
        CorruptDataError
            If it is not what was stored.
        """
        record = self.record(key)
        frame: NDArray[Any] = self.read(key.kind, key.set, indices=[key.index])[0]
        if crc32c(frame.reshape(-1).view(np.uint8).data) != record.crc32c:
            raise CorruptDataError(
                f"{shard_path(array_path(self._folder, key.kind, key.set), key.index)} is another "
                "frame than the index says; restore this file from a copy"
            )
        return frame

    def frames_sha256(self) -> str:
        """Hash of keys, angles and checksums of all frames of this tile, in order."""
        return frames_sha256([self])

    def _keys(self, kind: FrameKind, set: int) -> list[FrameKey]:
        return [self._key(kind, set, int(index)) for index in self.indices(kind, set)]

    def _key(self, kind: FrameKind, set: int, index: int) -> FrameKey:
        return FrameKey(scan=self.scan, tile=self.tile, kind=kind, set=set, index=index)


def frames_sha256(readers: Iterable[FrameReader]) -> str:
    """Hash of keys, angles and checksums of all frames of a scan, tile by tile."""
    digest = hashlib.sha256()
    for reader in sorted(readers, key=lambda reader: reader.tile):
        for key in reader.keys:
            record = reader.record(key)
            theta = "-" if record.theta_deg is None else record.theta_deg.hex()
            digest.update(
                f"{key.scan} {key.tile} {key.kind} {key.set} {key.index} {theta} "
                f"{record.crc32c}\n".encode()
            )
    return digest.hexdigest()


def _order(key: FrameKey) -> tuple[str, int, int]:
    return key.kind, key.set, key.index
