"""Reconstructed volumes in the files of others: read a run of slices at a time."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.hdf5 import Hdf5Tree
from lithoscope_services.sources.tiff_image import TIFF_ENDINGS, read_tiff
from lithoscope_store.safety import open_array

Block = NDArray[Any]  # of the dtype of the file
HDF5_ENDINGS = (".h5", ".hdf5", ".hdf", ".nxs")
#: As large as an image viewer writes them; a whole volume is never held.
_MAX_DEPTH = 8


class VolumeFile(Protocol):
    """A stored volume (z, y, x) that is read in runs of slices."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""

    @property
    def missing(self) -> tuple[int, ...]:
        """Slices that are not there; they are made from their neighbours."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is read from, for its checksum."""

    def read(self, slices: slice, rows: slice) -> Block:
        """Read some rows of some slices."""

    def close(self) -> None:
        """Close files."""


@dataclass(frozen=True, slots=True)
class TiffStack:
    """One TIFF a slice, numbered; a number that is missing is filled between its neighbours.

    Parameters
    ----------
    images
        By number of the slice, counted from the first; None where one is missing.
    shape
        Slices, rows, columns.
    """

    images: tuple[Path | None, ...]
    shape: tuple[int, int, int]

    @property
    def missing(self) -> tuple[int, ...]:
        """Slices without a file."""
        return tuple(n for n, image in enumerate(self.images) if image is None)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are there."""
        return tuple(image for image in self.images if image is not None)

    def read(self, slices: slice, rows: slice) -> Block:
        """Read some rows of some slices."""
        wanted = range(self.shape[0])[slices]
        return np.stack([self._slice(number)[rows] for number in wanted])

    def close(self) -> None:
        """Nothing stays open."""

    def _slice(self, number: int) -> Block:
        image = self.images[number]
        if image is not None:
            return self._image(image)
        below = next(n for n in range(number, -1, -1) if self.images[n] is not None)
        above = next(n for n in range(number, self.shape[0]) if self.images[n] is not None)
        share = (number - below) / (above - below)
        low, high = (self._image(self._there(n)).astype(np.float32) for n in (below, above))
        filled: Block = low + np.float32(share) * (high - low)
        return filled

    def _there(self, number: int) -> Path:
        image = self.images[number]
        if image is None:
            raise SourceError(f"slice {number} is missing")
        return image

    def _image(self, path: Path) -> Block:
        image = read_tiff(path)
        if image.shape != self.shape[1:]:
            raise SourceError(
                f"{path}: {image.shape} pixels, the first slice of its stack has "
                f"{self.shape[1:]}; put slices of one volume only into a folder"
            )
        return image


class TiffPages:
    """A volume in one TIFF file of several pages."""

    missing: tuple[int, ...] = ()

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        try:
            self._file = tifffile.TiffFile(path)
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise SourceError(f"{path}: no TIFF that can be read: {error}") from error
        pages = self._file.pages
        rows, columns = pages[0].shape[:2]
        self.shape = (len(pages), int(rows), int(columns))

    def read(self, slices: slice, rows: slice) -> Block:
        """Read some rows of some slices; a page is always read whole."""
        wanted = range(self.shape[0])[slices]
        return np.stack([self._page(number)[rows] for number in wanted])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _page(self, number: int) -> Block:
        image = np.asarray(self._file.pages[number].asarray())
        if image.shape != self.shape[1:]:
            raise SourceError(f"{self.files[0]}: page {number} has shape {image.shape}")
        return image


class Hdf5Volume:
    """A dataset of three dimensions in an HDF5 file: the largest, or the one that is named."""

    missing: tuple[int, ...] = ()

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self.files = (path,)
        self._tree = Hdf5Tree(path)
        try:
            names = [dataset] if dataset else list(self._volumes("/", 0))
            found = [self._tree.dataset(name, ndim=3) for name in names]
            found = [each for each in found if each is not None]
            if not found:
                raise SourceError(
                    f"{path}: no dataset of three dimensions"
                    + (f" at {dataset}" if dataset else "; name one with --dataset")
                )
        except SourceError:
            self._tree.close()
            raise
        self._dataset = max(found, key=lambda each: each.size)
        n_z, n_y, n_x = self._dataset.shape
        self.shape = (int(n_z), int(n_y), int(n_x))

    def read(self, slices: slice, rows: slice) -> Block:
        """Read some rows of some slices."""
        return np.asarray(self._dataset[slices, rows])

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _volumes(self, name: str, depth: int) -> Iterator[str]:
        for child in self._tree.children(name):
            path = f"{name.rstrip('/')}/{child}"
            found = self._tree.find(path)
            if getattr(found, "ndim", None) == 3 and found.dtype.kind in "uif":
                yield path
            elif depth < _MAX_DEPTH and not hasattr(found, "ndim"):
                yield from self._volumes(path, depth + 1)


class ZarrVolume:
    """The finest level of an OME-Zarr image, or a plain Zarr array.

    Parameters
    ----------
    path
        Folder of the image.
    time
        Which time of an image that has several.
    """

    missing: tuple[int, ...] = ()

    def __init__(self, path: Path, time: int = 0) -> None:
        where, axes = _finest(path)
        self._array = open_array(where)
        names = axes or "zyx"[-self._array.ndim :]
        if len(names) != self._array.ndim or not set("zyx") <= set(names):
            raise SourceError(f"{path}: axes {names!r}; z, y and x are needed")
        if any(
            n > 1 for a, n in zip(names, self._array.shape, strict=True) if a not in "tzyx"
        ) or [a for a in names if a in "zyx"] != ["z", "y", "x"]:
            raise SourceError(f"{path}: axes {names!r}; one channel and the order z, y, x needed")
        sizes = dict(zip(names, self._array.shape, strict=True))
        self._lead = tuple(time if axis == "t" else 0 for axis in names[:-3])
        self.n_times = int(sizes.get("t", 1))
        self.shape = (int(sizes["z"]), int(sizes["y"]), int(sizes["x"]))
        self.files = tuple(p for p in sorted(where.rglob("*")) if p.is_file())

    def read(self, slices: slice, rows: slice) -> Block:
        """Read some rows of some slices."""
        box: Any = (*self._lead, slices, rows)  # zarr has a type for each length
        return np.asarray(self._array[box])

    def close(self) -> None:
        """Nothing stays open."""


def open_stack(folder: Path) -> TiffStack:
    """Open a folder of numbered slices.

    Raises
    ------
    SourceError
        If there are none, or if two have the same number.
    """
    numbered: dict[int, Path] = {}
    images = sorted(p for p in folder.iterdir() if p.suffix.lower() in TIFF_ENDINGS)
    for image in images:
        number = last_number(image.stem)
        if number is None or number in numbered:
            # Names without numbers: their order is all there is.
            numbered = dict(enumerate(images))
            break
        numbered[number] = image
    if not numbered:
        raise SourceError(f"{folder}: no TIFF images; give a folder of slices")
    first, last = min(numbered), max(numbered)
    if last - first + 1 > 2 * len(numbered):
        raise SourceError(
            f"{folder}: {len(numbered)} slices numbered {first} to {last}: more are missing than "
            "are there"
        )
    rows, columns = read_tiff(numbered[first]).shape
    return TiffStack(
        tuple(numbered.get(n) for n in range(first, last + 1)),
        (last - first + 1, int(rows), int(columns)),
    )


def last_number(name: str) -> int | None:
    """Give the last whole number in a name; None if it has none."""
    numbers: Sequence[str] = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else None


def _finest(path: Path) -> tuple[Path, str]:
    """Give the folder of the finest level, and the names of its axes; empty if not said."""
    for name, inner in (("zarr.json", ("attributes", "ome")), (".zattrs", ())):
        file = path / name
        if not file.is_file():
            continue
        try:
            said: Any = json.loads(file.read_bytes())  # any JSON
            for key in inner:
                said = said[key]
            scales = said["multiscales"][0]
            axes = "".join(str(axis["name"]) for axis in scales.get("axes", ()))
            return path / str(scales["datasets"][0]["path"]), axes
        except (KeyError, TypeError, ValueError, IndexError):
            continue
    return path, ""
