"""Earlier scans as a network is shown them: each face moved with its own map."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lithoscope_pipeline.geometry import FloatImage, FloatVolume
from lithoscope_pipeline.networks import SeenScan, Which, warp_earlier
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShifts:
    """How far each outer face of a scan has moved since the first, voxels, shape (n_z, n_x)."""

    stripping_px: FloatImage
    plating_px: FloatImage

    @classmethod
    def none(cls, columns: tuple[int, int]) -> "FaceShifts":
        """Give those of the first scan."""
        still = np.zeros(columns, np.float32)
        return cls(stripping_px=still, plating_px=still)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierScan:
    """An earlier scan that is laid over the present one slab by slab.

    Parameters
    ----------
    which
        What it is to the present one.
    volume
        In the reference frame, the same region.
    references
        Its grey values.
    since
        How far the faces have moved from it to the present scan.
    plating_inner_px
        Row at which the plating electrode began in it.
    """

    which: Which
    volume: VolumeSource
    references: GreyReferences
    since: FaceShifts
    plating_inner_px: float

    def seen(self, z0: int, z1: int) -> SeenScan:
        """Give some slices over the present scan."""
        part: FloatVolume = self.volume[slice(z0, z1), slice(None), slice(None)]
        warped = warp_earlier(
            part,
            self.since.stripping_px[z0:z1],
            self.since.plating_px[z0:z1],
            plating_inner_px=self.plating_inner_px,
        )
        return SeenScan(volume=warped, references=self.references)

    def moved_by(self, stripping_px: float, plating_px: float) -> Self:
        """Give the same with both of its sides moved along y."""
        since = FaceShifts(
            stripping_px=self.since.stripping_px + np.float32(stripping_px),
            plating_px=self.since.plating_px + np.float32(plating_px),
        )
        return replace(self, since=since)


def lay_over(
    which: Which,
    volume: VolumeSource,
    *,
    now: FaceShifts,
    then: FaceShifts,
    references: GreyReferences,
    plating_inner_px: float,
) -> EarlierScan:
    """Prepare an earlier scan to be laid over the present one.

    Parameters
    ----------
    which, volume, references
        As for `EarlierScan`.
    now, then
        Displacement of the faces of the present and of the earlier scan since the first.
    plating_inner_px
        Row at which the plating electrode begins in the first scan.
    """
    return EarlierScan(
        which=which,
        volume=volume,
        references=references,
        since=FaceShifts(
            stripping_px=now.stripping_px - then.stripping_px,
            plating_px=now.plating_px - then.plating_px,
        ),
        plating_inner_px=plating_inner_px + float(then.plating_px.mean()),
    )
