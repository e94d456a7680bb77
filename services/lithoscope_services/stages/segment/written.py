"""The region of a scan in the reference frame, with its labels, as it is written to the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume, LabelVolume, Roi
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.resample import VolumeSource, resample_slabs
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import (
    LabelClass,
    create_labels,
    create_volume,
    finish_volume,
    write_slab,
)

LABEL_NAME: Final = "cell"
SINGLE_SCAN_LABEL_NAME: Final = "cell_single_scan"
#: A region of up to so many bytes is kept; a larger one is read again from the store.
KEPT_BYTES: Final = 2 * 2**30
_COLOURS: Final[dict[Label, tuple[int, int, int, int]]] = {
    # Okabe and Ito's colours, told apart by people of any colour vision; the page has the same.
    Label.STRIPPING_ELECTRODE: (0, 114, 178, 255),
    Label.PLATING_ELECTRODE: (86, 180, 233, 255),
    Label.DEPOSITED: (230, 159, 0, 255),
    Label.REDEPOSITED: (0, 158, 115, 255),
    Label.DENDRITE: (213, 94, 0, 255),
    Label.PIT: (204, 121, 167, 255),
    Label.ELECTROLYTE: (240, 228, 66, 255),
    Label.VOID: (255, 255, 255, 255),
}
CLASSES: Final = tuple(
    LabelClass(value=int(label), name=label.key, colour=colour)
    for label, colour in _COLOURS.items()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRegion:
    """A region that is being written.

    Parameters
    ----------
    path
        The volume.
    shape, voxel_um, slab_rows
        Voxels (z, y, x), edge of a voxel, slices of a slab.
    """

    path: Path
    shape: tuple[int, int, int]
    voxel_um: float
    slab_rows: int

    def create(self, name: str, work_key: str) -> None:
        """Make the volume, empty."""
        create_volume(
            self.path,
            shape=self.shape,
            voxel_um=self.voxel_um,
            dtype="float32",
            name=name,
            slab_slices=self.slab_rows,
            offset_unknown=True,
            provenance={"work_key": work_key},
        )

    def resample(
        self,
        scan: StoredVolume,
        transform: RigidTransform,
        roi: Roi,
        homography: NDArray[np.float64] | None,
    ) -> VolumeSource:
        """Write the scan in the reference frame, slab by slab, and give it to be read."""
        n_bytes = 4 * self.shape[0] * self.shape[1] * self.shape[2]
        kept: FloatVolume | None = None
        if n_bytes <= KEPT_BYTES:
            kept = np.empty(self.shape, dtype=np.float32)
        slabs = resample_slabs(
            scan, transform, roi=roi, slab_rows=self.slab_rows, homography=homography
        )
        for slab in slabs:
            write_slab(self.path, slab.z0, slab.volume)
            if kept is not None:
                kept[slab.z0 : slab.z0 + len(slab.volume)] = slab.volume
        return StoredVolume(self.path) if kept is None else kept

    def write_labels(self, labels: Mapping[str, LabelVolume]) -> None:
        """Write labels by name, and the lower levels of all."""
        for name, volume in labels.items():
            create_labels(self.path, name, CLASSES)
            for z0 in range(0, self.shape[0], self.slab_rows):
                z1 = min(z0 + self.slab_rows, self.shape[0])
                write_slab(self.path, z0, volume[z0:z1], label=name)
        finish_volume(self.path)
