"""The grid that surfaces are found on: the voxels, or blocks of them if they are many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import LabelVolume

#: Of the grid; as float32 for one class at a time these are 64 MiB.
MAX_CELLS = 2**24
_FULL = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshGrid:
    """How voxels are gathered into cells.

    Parameters
    ----------
    shape
        Voxels (z, y, x) of the labels.
    factor
        Voxels along an edge of a cell.
    """

    shape: tuple[int, int, int]
    factor: int

    @property
    def cells(self) -> tuple[int, int, int]:
        """Cells (z, y, x); the last ones may hold fewer voxels."""
        z, y, x = (-(-length // self.factor) for length in self.shape)
        return z, y, x


def plan_grid(shape: tuple[int, int, int], *, max_cells: int = MAX_CELLS) -> MeshGrid:
    """Choose the smallest cells of which there are no more than ``max_cells``."""
    factor = 1
    while np.prod([-(-length // factor) for length in shape]) > max_cells:
        factor += 1
    return MeshGrid(shape=shape, factor=factor)


def pool_shares(
    slabs: Iterable[LabelVolume], grid: MeshGrid, values: Iterable[int]
) -> Mapping[int, NDArray[np.uint8]]:
    """Count, for each class, what share of each cell it fills.

    The labels are taken in slabs, so that no more of them than one slab and one layer of cells are
    in memory.

    Parameters
    ----------
    slabs
        Labels (n_slices, y, x), one slab after the other, together all of ``grid.shape``.
    grid
        From :func:`plan_grid`.
    values
        Classes that are counted.

    Returns
    -------
    dict
        Class to shares, shape ``grid.cells``, uint8, 255 for a cell that is full. A class without
        voxels is left out.
    """
    wanted = tuple(values)
    shares = {value: np.zeros(grid.cells, np.uint8) for value in wanted}
    seen: set[int] = set()
    rest = np.empty((0, *grid.shape[1:]), np.uint8)
    layer = 0
    for slab in slabs:
        rest = np.concatenate([rest, slab]) if len(rest) else slab
        n_layers = len(rest) // grid.factor
        seen |= _fill(shares, rest[: n_layers * grid.factor], grid.factor, layer)
        layer += n_layers
        rest = rest[n_layers * grid.factor :]
    if len(rest):
        seen |= _fill(shares, rest, grid.factor, layer)
    return {value: shares[value] for value in wanted if value in seen}


def _fill(
    shares: Mapping[int, NDArray[np.uint8]], labels: LabelVolume, factor: int, layer: int
) -> set[int]:
    """Write the shares of whole layers of cells, and tell which classes are in them."""
    if not len(labels):
        return set()
    present = set(np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)).tolist())
    found = sorted(present & shares.keys())
    n_layers = -(-len(labels) // factor)
    if factor == 1:
        for value in found:
            shares[value][layer : layer + n_layers] = (labels == value) * np.uint8(_FULL)
        return present
    place = np.full(256, len(found), np.uint8)
    place[found] = range(len(found))
    cells = (n_layers, *next(iter(shares.values())).shape[1:])
    counts = np.zeros((len(found) + 1, *cells), np.uint32)
    _count(np.ascontiguousarray(labels), place, factor, counts)
    sizes = np.ones(1, np.float32)
    for length in labels.shape:
        edges = np.append(np.arange(0, length, factor), length)
        sizes = sizes[..., None] * np.diff(edges).astype(np.float32)
    for number, value in enumerate(found):
        mean = counts[number] * (_FULL / sizes[0])
        shares[value][layer : layer + n_layers] = np.rint(mean)
    return present


@njit(cache=True, nogil=True)
def _count(
    labels: LabelVolume, place: NDArray[np.uint8], factor: int, counts: NDArray[np.uint32]
) -> None:
    """Count the voxels of each class in each block."""
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                number = place[labels[z, y, x]]
                counts[number, z // factor, y // factor, x // factor] += 1
