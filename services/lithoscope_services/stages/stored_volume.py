"""A volume of the store as the pipeline takes it: read box by box, never whole if it is large."""

from pathlib import Path

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_store import read_region, volume_info

#: A volume of up to so many bytes is read once and kept: opening it for each box takes longer.
KEPT_BYTES = 64 * 2**20
_ALL = (slice(None), slice(None), slice(None))


class StoredVolume:
    """A volume of the store, of which only what is asked for is read.

    Parameters
    ----------
    path
        The volume.
    """

    def __init__(self, path: Path) -> None:
        info = volume_info(path)
        self._path = path
        self._shape = info.shape
        n_z, n_y, n_x = info.shape
        self._is_small = n_z * n_y * n_x * info.dtype.itemsize <= KEPT_BYTES
        self._kept: FloatVolume | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self._shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        """Read a box."""
        if not self._is_small:
            part: FloatVolume = read_region(self._path, box)
            return part
        if self._kept is None:
            self._kept = read_region(self._path, _ALL)
        return self._kept[box]
