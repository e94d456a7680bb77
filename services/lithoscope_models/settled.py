"""Earlier scans once more against the present one: what registration has left is taken out."""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.networks import SeenScan, Which, find_residual_px
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences

_LOOKED_AT: Final = 32  # slices, evenly over the region


class Earlier(Protocol):
    """An earlier scan that can be laid over the present one."""

    @property
    def which(self) -> Which:
        """What it is to the present one."""

    def seen(self, z0: int, z1: int) -> SeenScan:
        """Give some slices over the present scan."""

    def moved_by(self, stripping_px: float, plating_px: float) -> Self:
        """Give the same with both of its sides moved along y."""


def settle(
    earlier: Sequence[Earlier],
    volume: VolumeSource,
    references: GreyReferences,
    *,
    voxel_um: float,
) -> list[Earlier]:
    """Move each side of each earlier scan so that its outer face lies on that of the present one.

    The maps of the faces have been found from one scan at a time; here the two are compared as
    they will be shown. Only the mean of a side is moved, never its shape.

    Parameters
    ----------
    earlier
        As registration has them.
    volume, references
        The present scan and its grey values.
    voxel_um
        Edge of a voxel.

    Returns
    -------
    list
        Those that could be settled; one whose faces are not found within 4 voxels is left out.
    """
    moves = find_moves(earlier, volume, references, voxel_um=voxel_um)
    return [scan.moved_by(*moves[scan.which]) for scan in earlier if scan.which in moves]


def find_moves(
    earlier: Sequence[Earlier],
    volume: VolumeSource,
    references: GreyReferences,
    *,
    voxel_um: float,
) -> dict[Which, tuple[float, float]]:
    """Say by how much `settle` moves the stripping and the plating side of each, voxels."""
    if not earlier:
        return {}
    n_z = volume.shape[0]
    chosen = np.unique(np.linspace(0, n_z - 1, min(n_z, _LOOKED_AT)).round().astype(int))
    everything = slice(None)
    now = _profile(
        [volume[slice(int(z), int(z) + 1), everything, everything] for z in chosen], references
    )
    moves: dict[Which, tuple[float, float]] = {}
    for scan in earlier:
        parts = [scan.seen(int(z), int(z) + 1) for z in chosen]
        then = _profile([each.volume for each in parts], parts[0].references)
        stripping_px, plating_px = (
            find_residual_px(now, then, face_px=references.edges_px[face], voxel_um=voxel_um)
            for face in (0, 3)
        )
        if stripping_px is not None and plating_px is not None:
            moves[scan.which] = (float(stripping_px), float(plating_px))
    return moves


def _profile(slices: Sequence[FloatVolume], references: GreyReferences) -> NDArray[np.float64]:
    """Average rows over slices and columns, in units of the contrast of the scan."""
    rows = np.stack([part.mean(axis=(0, 2), dtype=np.float64) for part in slices]).mean(axis=0)
    contrast = references.electrolyte - references.electrode
    return np.asarray((rows - references.electrode) / contrast, np.float64)
