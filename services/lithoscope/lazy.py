"""Volumes of the store as arrays of xarray that read what is asked for, and check it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lithoscope.errors import MissingExtraError
from lithoscope_store import read_region, volume_info

if TYPE_CHECKING:
    import xarray as xr


def lazy_volume(
    path: Path,
    *,
    level: int = 0,
    label: str | None = None,
    origin_um: tuple[float, float, float],
) -> "xr.DataArray":
    """Give a volume, or its labels, without reading a voxel.

    Parameters
    ----------
    path
        OME-Zarr image of the store.
    level
        Of resolution; 0 is the finest.
    label
        Name of the labels, or None for the image.
    origin_um
        Centre of the first voxel of the finest level (z, y, x).

    Returns
    -------
    xarray.DataArray
        Dimensions (z, y, x), coordinates in µm.

    Raises
    ------
    MissingExtraError
        If xarray is not installed.
    """
    try:
        import xarray as xr
        from xarray.core import indexing
    except ImportError as error:
        raise MissingExtraError(
            "xarray is not installed; pip install 'lithoscope[notebook]'"
        ) from error

    class StoredArray(xr.backends.BackendArray):
        """What xarray asks for boxes of voxels."""

        def __init__(self) -> None:
            self.shape = info.level_shape(level)
            self.dtype = info.dtype if label is None else np.dtype(np.uint8)

        def __getitem__(self, key: Any) -> Any:  # xarray's own kinds of index
            return indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.BASIC, _read
            )

    def _read(key: tuple[Any, ...]) -> Any:  # an array of the dtype of the volume
        return _read_box(path, key, level=level, label=label)

    info = volume_info(path)
    step_um = info.voxel_um * 2**level
    # Voxels of a coarser level lie between those they were made of.
    shift_um = (step_um - info.voxel_um) / 2
    shape = info.level_shape(level)
    coordinates = {
        axis: ((axis,), start + shift_um + step_um * np.arange(length), {"units": "um"})
        for axis, start, length in zip("zyx", origin_um, shape, strict=True)
    }
    return xr.DataArray(
        xr.Variable(tuple("zyx"), indexing.LazilyIndexedArray(StoredArray())),
        coordinates,
        name=label or "volume",
        attrs={
            "units": info.unit if label is None else "1",
            "voxel_um": step_um,
            "polarity": info.polarity,
            "path": str(path),
        },
    )


def _read_box(path: Path, key: tuple[Any, ...], *, level: int, label: str | None) -> Any:
    """Read a box given by whole numbers and slices, whatever their step."""
    info = volume_info(path)
    region: list[slice] = []
    inside: list[Any] = []  # slices and whole numbers
    for part, length in zip(key, info.level_shape(level), strict=True):
        if isinstance(part, slice):
            wanted = range(length)[part]
            low, high = (min(wanted), max(wanted) + 1) if len(wanted) else (0, 0)
            region.append(slice(low, high))
            # After a step down, an end before 0 must be left open.
            end = wanted.stop - low
            inside.append(slice(wanted.start - low, end if end >= 0 else None, wanted.step))
        else:
            place = range(length)[part]
            region.append(slice(place, place + 1))
            inside.append(0)
    if any(part.start == part.stop for part in region):
        shape = [
            len(range(n)[p])
            for p, n in zip(key, info.level_shape(level), strict=True)
            if isinstance(p, slice)
        ]
        return np.empty(shape, info.dtype if label is None else np.uint8)
    box = read_region(path, (region[0], region[1], region[2]), level=level, label=label)
    return box[tuple(inside)]
