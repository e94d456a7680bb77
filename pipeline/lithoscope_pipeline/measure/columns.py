"""Labelled voxels along each axis, and the faces of each column."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import PLATING_SIDE, STRIPPING_SIDE, Label
from lithoscope_pipeline.measure.runs import LabelRuns

N_LABELS = len(Label)
_STRIPPING, _PLATING = int(Label.STRIPPING_ELECTRODE), int(Label.PLATING_ELECTRODE)
_DENDRITE = int(Label.DENDRITE)
_BETWEEN = np.isin(np.arange(N_LABELS), (Label.ELECTROLYTE, Label.BACKGROUND, Label.PIT))
_ON_STRIPPING = np.isin(np.arange(N_LABELS), STRIPPING_SIDE)
_ON_PLATING = np.isin(np.arange(N_LABELS), PLATING_SIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCounts:
    """Labelled voxels along the thickness of the cell.

    Parameters
    ----------
    columns
        Count of each class along y, shape (n_labels, n_z, n_x), int32.
    n_y
        Voxels along y.
    """

    columns: NDArray[np.int32]
    n_y: int

    @property
    def n_pixels(self) -> int:
        """Number of in-plane pixels."""
        return self.columns[0].size

    def total(self, *labels: Label) -> int:
        """Count the voxels of some classes."""
        return int(sum(self.columns[label].sum(dtype=np.int64) for label in labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Where the layers of each column begin and end, rows, shape (n_z, n_x); -1 where none is.

    Parameters
    ----------
    stripping_outer, stripping_inner
        First and last row of the stripping electrode.
    plating_inner, plating_outer
        First and last row of the plating electrode.
    stripping_surface
        Last row of lithium of the stripping side.
    plating_surface
        First row of lithium of the plating side, dendrites included.
    n_electrolyte
        Rows between the facing sides that hold neither lithium nor void.
    """

    stripping_outer: NDArray[np.int32]
    stripping_inner: NDArray[np.int32]
    plating_inner: NDArray[np.int32]
    plating_outer: NDArray[np.int32]
    stripping_surface: NDArray[np.int32]
    plating_surface: NDArray[np.int32]
    n_electrolyte: NDArray[np.int32]


def count_columns(runs: LabelRuns) -> ColumnCounts:
    """Count each class along y."""
    columns = np.zeros((N_LABELS, runs.n_columns), np.int32)
    _count_columns(runs.begins, runs.rows, runs.labels, runs.shape[1], columns)
    return ColumnCounts(columns=columns.reshape(N_LABELS, *runs.plane), n_y=runs.shape[1])


def find_faces(runs: LabelRuns) -> Faces:
    """Find the faces of each column."""
    rows = np.full((7, runs.n_columns), -1, np.int32)
    _find_faces(
        runs.begins,
        runs.rows,
        runs.labels,
        runs.shape[1],
        _ON_STRIPPING,
        _ON_PLATING,
        _BETWEEN,
        rows,
    )
    maps = rows.reshape(7, *runs.plane)
    return Faces(
        stripping_outer=maps[0],
        stripping_inner=maps[1],
        plating_inner=maps[2],
        plating_outer=maps[3],
        stripping_surface=maps[4],
        plating_surface=maps[5],
        n_electrolyte=maps[6],
    )


def flatten_cross_sections(runs: LabelRuns, label: Label) -> tuple[FloatImage, FloatImage]:
    """Give the share of a class along z, shape (n_y, n_x), and along x, shape (n_z, n_y)."""
    n_z, n_y, n_x = runs.shape
    along_z = np.zeros((n_y + 1, n_x), np.int32)
    along_x = np.zeros((n_z, n_y + 1), np.int32)
    _flatten(runs.begins, runs.rows, runs.labels, n_y, n_x, int(label), along_z, along_x)
    np.cumsum(along_z, axis=0, out=along_z)
    np.cumsum(along_x, axis=1, out=along_x)
    yx = along_z[:-1].astype(np.float32) / np.float32(n_z)
    zy = along_x[:, :-1].astype(np.float32) / np.float32(n_x)
    return yx.astype(np.float32), np.ascontiguousarray(zy, np.float32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _count_columns(begins, rows, labels, n_y, columns):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        end = n_y
        for run in range(begins[column + 1] - 1, begins[column] - 1, -1):
            columns[labels[run], column] += end - rows[run]
            end = rows[run]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _flatten(begins, rows, labels, n_y, n_x, label, along_z, along_x):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        z, x = column // n_x, column % n_x
        end = n_y
        for run in range(begins[column + 1] - 1, begins[column] - 1, -1):
            first = rows[run]
            if labels[run] == label:
                along_z[first, x] += 1
                along_z[end, x] -= 1
                along_x[z, first] += 1
                along_x[z, end] -= 1
            end = first


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _find_faces(begins, rows, labels, n_y, on_stripping, on_plating, between, out):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        first, stop = begins[column], begins[column + 1]
        low, high = -1, -1  # first row of the stripping side, last row of the plating side
        for run in range(first, stop):
            end = rows[run + 1] if run + 1 < stop else n_y
            label = labels[run]
            if label == _STRIPPING:
                if out[0, column] < 0:
                    out[0, column] = rows[run]
                out[1, column] = end - 1
            elif label == _PLATING:
                if out[2, column] < 0:
                    out[2, column] = rows[run]
                out[3, column] = end - 1
            if on_stripping[label]:
                if low < 0:
                    low = rows[run]
                out[4, column] = end - 1
            elif on_plating[label]:
                high = end - 1
            if (on_plating[label] or label == _DENDRITE) and out[5, column] < 0:
                out[5, column] = rows[run]
        n_electrolyte = 0
        if low >= 0 and high >= 0:
            for run in range(first, stop):
                end = rows[run + 1] if run + 1 < stop else n_y
                if between[labels[run]]:
                    n_electrolyte += max(min(end, high) - max(rows[run], low + 1), 0)
        out[6, column] = n_electrolyte
