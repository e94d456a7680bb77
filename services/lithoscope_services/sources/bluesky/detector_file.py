"""Frames in a detector's file, read while the detector may still write it."""

import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.file_scan import MAX_EDGE_PX, wire_dtype
from lithoscope_services.sources.hdf5 import Hdf5Tree

#: Read at a time; some ten frames of a usual detector.
MAX_READ_BYTES = 64 * 2**20


def path_of(uri: str, folder: Path) -> Path:
    """Give the file that a URI names, if it lies below a folder.

    Parameters
    ----------
    uri
        ``file://host/absolute/path``; the host is not looked at, for detectors' computers share
        their disks.
    folder
        Below which files may be read.

    Raises
    ------
    SourceError
        If it names something else; the text begins with ``uri``.
    """
    try:
        parts = urlsplit(uri)
        path = Path(unquote(parts.path, errors="strict"))
        if parts.scheme != "file" or parts.query or parts.fragment or not path.is_absolute():
            raise SourceError(f"uri: {uri[:160]!r}, file://localhost/absolute/path was expected")
        found = path.resolve()
    except (ValueError, OSError, RuntimeError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"uri: {uri[:160]!r} cannot be read: {error}") from error
    if not found.is_relative_to(folder.resolve()):
        raise SourceError(
            f"uri: {str(found)[:160]} lies outside {folder}; set `folder` in [source] to the one "
            "below which detectors write"
        )
    return found


class DetectorFile:
    """One dataset of a file that may not be there yet, and may grow.

    Parameters
    ----------
    path
        From :func:`path_of`.
    dataset
        Its name in the file.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        self.path = path
        self._name = dataset
        self._tree: Hdf5Tree | None = None
        self._dataset: Any = None  # h5py has no types
        self._is_growing = True
        #: Why nothing could be read; empty when something could.
        self.trouble = f"uri: {path} is not there"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._tree is not None:
            self._tree.close()
        self._tree = self._dataset = None

    def look(self) -> int:
        """Open the file or look at it again, and count its rows; 0 if it cannot be read yet."""
        try:
            if self._dataset is not None and not self._is_growing:
                self.close()  # opened as a finished file: what was added later is not seen
            if self._dataset is None:
                self._open()
            else:
                self._dataset.refresh()
            self.trouble = ""
            return int(self._dataset.shape[0])
        except (SourceError, OSError, RuntimeError, ValueError) as error:
            # h5py raises any of them for a file in the middle of being written.
            self.trouble = str(error)
            self.close()
            return 0

    def sees(self, row: int) -> bool:
        """Tell whether a row can be read, after another look at the file if that is needed."""
        if self._dataset is not None and self.has(row):
            return True
        return self.look() > row and self.has(row)

    def __str__(self) -> str:
        shape = () if self._dataset is None else self._dataset.shape[1:]
        return f"{self._name} of {self.path.name} {self._dataset.dtype} {shape}"

    @property
    def has_frames(self) -> bool:
        """Whether its rows are images; only after :meth:`look` has found some."""
        return bool(self._dataset.ndim == 3)

    @property
    def written(self) -> list[int]:
        """Rows that are written; only after :meth:`look` has found some."""
        return [row for row in range(self._dataset.shape[0]) if self.has(row)]

    def rows_in(self, n_bytes: int) -> int:
        """Give how many rows so many bytes hold; one row if that is not known."""
        if self._dataset is None:
            return 1
        n_items = math.prod(self._dataset.shape[1:])
        return int(n_bytes // max(1, n_items * self._dataset.dtype.itemsize))

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Rows and columns of a frame; only after :meth:`look` has found some."""
        return int(self._dataset.shape[1]), int(self._dataset.shape[2])

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Type in which frames are read; only after :meth:`look` has found some."""
        return wire_dtype(self._dataset.dtype)

    def has(self, row: int) -> bool:
        """Tell whether a row is written: a dataset may be longer than what is in it."""
        if not 0 <= row < self._dataset.shape[0]:
            return False
        if self._dataset.chunks is None:
            return True
        ends = [[row, *(0 for _ in self._dataset.shape[1:])]]
        ends.append([row, *(side - 1 for side in self._dataset.shape[1:])])
        find = self._dataset.id.get_chunk_info_by_coord
        return all(find(tuple(end)).byte_offset is not None for end in ends)

    def read(self, first: int, stop: int) -> NDArray[np.generic] | None:
        """Read rows, shape (n, …); None if they cannot be read now, for which see trouble."""
        try:
            found: NDArray[np.generic] = self._dataset[first:stop]
        except (OSError, RuntimeError, ValueError) as error:
            self.trouble = f"pixels: {self.path}: {error}; is its filter installed?"
            return None
        return found.astype(wire_dtype(found.dtype), copy=False) if found.ndim == 3 else found

    def _open(self) -> None:
        if not self.path.is_file():
            raise SourceError(f"uri: {self.path} is not there")
        try:
            self._tree, self._is_growing = Hdf5Tree(self.path, is_growing=True), True
        except SourceError:
            self._tree, self._is_growing = Hdf5Tree(self.path), False
        found = self._tree.dataset(self._name)
        if found is None:
            raise SourceError(f"dataset: {self.path} has no {self._name}")
        if found.ndim not in (1, 3) or found.dtype.kind not in "uif":
            raise SourceError(
                f"dataset: {self._name} in {self.path} has shape {found.shape} and type "
                f"{found.dtype}; numbers of 3 dimensions, or 1 for angles, are taken"
            )
        if found.ndim == 3 and max(found.shape[1:]) > MAX_EDGE_PX:
            raise SourceError(f"dataset: frames of {found.shape[1:]}, at most {MAX_EDGE_PX}")
        self._dataset = found
