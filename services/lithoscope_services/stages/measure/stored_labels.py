"""Labels and probabilities of the store, read slab by slab for the measurement."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_store import ExperimentPaths, read_region, volume_info

#: Classes of a network that are lithium.
_LITHIUM: Final = ("electrode", "deposited", "dendrite")
_MOST: Final = 255


class StoredLabels:
    """Labels of a volume, of which only what is asked for is read.

    Parameters
    ----------
    path
        The volume.
    name
        Of the labels in it; None for a volume that is itself labels.
    """

    def __init__(self, path: Path, name: str | None) -> None:
        self._path = path
        self._name = name
        info = volume_info(path)
        self._shape = info.shape
        self.slab_slices = info.slab_slices

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self._shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[Any]:  # its own dtype
        """Read a box."""
        return read_region(self._path, box, label=self._name)


class StoredLithiumShare:
    """Probability of lithium of any class in 255ths, added up from the volumes of its classes.

    Parameters
    ----------
    folder
        With one volume a class.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{name}.zarr" for name in _LITHIUM]
        self._shape = volume_info(self._paths[0]).shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self._shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[np.uint8]:
        """Read a box."""
        total = read_region(self._paths[0], box).astype(np.uint16)
        for path in self._paths[1:]:
            total += read_region(path, box)
        return np.minimum(total, _MOST).astype(np.uint8)


def find_lithium_share(paths: ExperimentPaths, volume: Path) -> StoredLithiumShare | None:
    """Find what the network gave for the classes of a volume; None if it was not kept."""
    folder = paths.root / "probabilities" / volume.name
    if not all((folder / f"{name}.zarr").is_dir() for name in _LITHIUM):
        return None
    return StoredLithiumShare(folder)
