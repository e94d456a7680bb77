"""A label volume as runs of equal labels along y: what counts, maps and objects are made from.

Layers are thick, so a column has few runs, and the runs of a volume are a small part of it. They
are found slice by slice: how the volume is cut into slabs, and by how many threads, changes
nothing.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label

_MAX_ROWS = np.iinfo(np.uint16).max


class LabelSource(Protocol):
    """Labels (z, y, x) that are read box by box: an array, or a volume that lies in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[Any]:  # integers
        """Read a box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRuns:
    """Runs of equal labels along y, column after column; column ``z * n_x + x``.

    Parameters
    ----------
    shape
        Voxels along (z, y, x).
    begins
        First run of each column, and one past the last run, shape (n_columns + 1,).
    rows
        First row of each run; it ends where the next one of its column begins.
    labels
        `Label` of each run.
    """

    shape: tuple[int, int, int]
    begins: NDArray[np.int64]
    rows: NDArray[np.uint16]
    labels: NDArray[np.uint8]

    @property
    def n_columns(self) -> int:
        """Number of in-plane pixels."""
        return self.shape[0] * self.shape[2]

    @property
    def plane(self) -> tuple[int, int]:
        """Shape of the in-plane maps, (n_z, n_x)."""
        return self.shape[0], self.shape[2]

    def turned_over(self) -> "LabelRuns":
        """Give the same volume with y reversed."""
        rows, labels = np.empty_like(self.rows), np.empty_like(self.labels)
        _turn(self.begins, self.rows, self.labels, self.shape[1], rows, labels)
        return LabelRuns(shape=self.shape, begins=self.begins, rows=rows, labels=labels)


def encode_runs(
    labels: LabelSource, *, slab_slices: int = 64, n_workers: int = 1, most: int = max(Label)
) -> LabelRuns:
    """Read a label volume slab by slab and keep its runs.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x), integers of `Label`.
    slab_slices
        Slices that are read together; memory goes with it, the result does not.
    n_workers
        Threads; each has a slab of its own.
    most
        Largest number that may stand in a voxel.

    Returns
    -------
    LabelRuns
        Of the whole volume.

    Raises
    ------
    ShapeError
        If this is no volume of known classes.
    ParameterError
        If ``slab_slices`` or ``n_workers`` is not positive.
    """
    if slab_slices < 1 or n_workers < 1:
        msg = f"slab_slices {slab_slices} and n_workers {n_workers} must be at least 1"
        raise ParameterError(msg)
    shape = labels.shape
    if len(shape) != 3 or 0 in shape:
        msg = f"labels have shape {shape}, a volume (z, y, x) is needed"
        raise ShapeError(msg)
    if shape[1] > _MAX_ROWS:
        msg = f"labels have {shape[1]} rows along y, at most {_MAX_ROWS} are possible; cut them"
        raise ShapeError(msg)
    starts = range(0, shape[0], slab_slices)
    if n_workers == 1:
        slabs = [_encode_slab(labels, z0, slab_slices, most) for z0 in starts]
    else:
        with ThreadPoolExecutor(n_workers) as pool:
            slabs = list(pool.map(lambda z0: _encode_slab(labels, z0, slab_slices, most), starts))
    counts = np.concatenate([slab.counts for slab in slabs])
    begins = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=begins[1:])
    return LabelRuns(
        shape=(shape[0], shape[1], shape[2]),
        begins=begins,
        rows=np.concatenate([slab.rows for slab in slabs]),
        labels=np.concatenate([slab.labels for slab in slabs]),
    )


@dataclass(frozen=True, slots=True)
class _Slab:
    counts: NDArray[np.int64]
    rows: NDArray[np.uint16]
    labels: NDArray[np.uint8]


def _encode_slab(source: LabelSource, z0: int, slab_slices: int, most: int) -> _Slab:
    parts = [_encode_slice(image, most) for image in _slices(source, z0, slab_slices, most)]
    return _Slab(
        counts=np.concatenate([part.counts for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )


def _slices(source: LabelSource, z0: int, slab_slices: int, most: int) -> Iterator[LabelVolume]:
    stop = min(z0 + slab_slices, source.shape[0])
    slab = source[slice(z0, stop), slice(None), slice(None)]
    for image in slab:
        if slab.dtype != np.uint8 and (image.min() < 0 or image.max() > most):
            msg = f"labels reach {image.min()}..{image.max()}, classes are 0 to {most}"
            raise ShapeError(msg)
        yield np.ascontiguousarray(image, np.uint8)


def _encode_slice(image: LabelVolume, most: int) -> _Slab:
    counts = np.empty(image.shape[1], np.int64)
    largest = _count(image, counts)
    if largest > most:
        msg = f"labels reach {largest}, classes are 0 to {most}"
        raise ShapeError(msg)
    n_runs = int(counts.sum())
    rows, labels = np.empty(n_runs, np.uint16), np.empty(n_runs, np.uint8)
    _fill(image, counts, rows, labels)
    return _Slab(counts, rows, labels)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _count(image, counts):  # type: ignore[no-untyped-def]  # for numba
    n_y, n_x = image.shape
    largest = np.uint8(0)
    for x in range(n_x):
        counts[x] = 1
        largest = max(largest, image[0, x])
    for y in range(1, n_y):
        for x in range(n_x):
            label = image[y, x]
            counts[x] += label != image[y - 1, x]
            largest = max(largest, label)
    return largest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _fill(image, counts, rows, labels):  # type: ignore[no-untyped-def]  # for numba
    n_y, n_x = image.shape
    places = np.empty(n_x, np.int64)
    place = 0
    for x in range(n_x):
        places[x] = place
        rows[place] = 0
        labels[place] = image[0, x]
        place += counts[x]
    for y in range(1, n_y):
        for x in range(n_x):
            if image[y, x] != image[y - 1, x]:
                places[x] += 1
                rows[places[x]] = y
                labels[places[x]] = image[y, x]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _turn(begins, rows, labels, n_y, out_rows, out_labels):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        first, stop = begins[column], begins[column + 1]
        end = n_y
        for run in range(stop - 1, first - 1, -1):
            place = first + stop - 1 - run
            out_rows[place] = n_y - end
            out_labels[place] = labels[run]
            end = rows[run]
