"""A series of volumes in a folder: which scan each is, what is missing or unlike the others."""

import glob as globbing
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.noise import LEAST_SLICES, find_noise
from lithoscope_services.errors import SourceError
from lithoscope_services.hindsight.volume_files import (
    HDF5_ENDINGS,
    Hdf5Volume,
    TiffPages,
    VolumeFile,
    ZarrVolume,
    last_number,
    open_stack,
)
from lithoscope_services.sources.tiff_image import TIFF_ENDINGS

Axis = Literal["z", "y", "x"]
#: Noise against the others of the series from which on a scan is pointed out: 0.7 of the dose.
NOISY: Final = 1.2
_NOISE_SLICES: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How volumes of others are turned into ours.

    Parameters
    ----------
    through
        Axis of the files that runs through the thickness of the cell.
    is_inverted
        Whether denser matter is darker in them.
    is_plating_low
        Whether the electrode that receives lithium first lies at low places along that axis.
    dataset
        Of HDF5 files; None takes the largest.
    """

    through: Axis = "y"
    is_inverted: bool = False
    is_plating_low: bool = False
    dataset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVolume:
    """One volume of a series.

    Parameters
    ----------
    scan
        Number, counted from the first of the series; numbers that are missing are left out.
    path
        File or folder.
    time
        Which time of an image that has several.
    shape
        Voxels (z, y, x) as we store them.
    missing
        Slices of the files that are not there.
    noise
        Against its contrast.
    noise_ratio
        The same against the median of the series.
    """

    scan: int
    path: Path
    time: int = 0
    shape: tuple[int, int, int] = (0, 0, 0)
    missing: tuple[int, ...] = ()
    noise: float = 0.0
    noise_ratio: float = 1.0

    @property
    def is_noisy(self) -> bool:
        """Whether it has clearly more noise than the others."""
        return self.noise_ratio > NOISY

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of it, each a sentence without its end."""
        found = []
        if self.missing:
            numbers = ", ".join(map(str, self.missing[:10]))
            more = " …" if len(self.missing) > 10 else ""
            found.append(
                f"{len(self.missing)} slices missing ({numbers}{more}), filled from neighbours"
            )
        if self.is_noisy:
            found.append(
                f"noise {self.noise_ratio:.2f} times that of the series, as at "
                f"{1 / self.noise_ratio**2:.2f} of its dose"
            )
        return tuple(found)


def find_series(where: str, reading: Reading) -> list[SeriesVolume]:
    """Find the volumes of a series, and look at each of them.

    Parameters
    ----------
    where
        A folder or a glob pattern: folders of TIFF slices, TIFF files of several pages, HDF5
        files or OME-Zarr images, one a scan and numbered; or one OME-Zarr image with a time axis.
    reading
        How they are read.

    Raises
    ------
    SourceError
        If there is none, or if one cannot be read or is larger than the others.
    """
    entries = _entries(where)
    numbers = [_scan_number(path) for path in entries]
    is_numbered = None not in numbers and len(set(numbers)) == len(numbers)
    first = min((n for n in numbers if n is not None), default=0)
    volumes: list[SeriesVolume] = []
    for place, (path, number) in enumerate(zip(entries, numbers, strict=True)):
        scan = number - first if is_numbered and number is not None else place
        # An image with a time axis is a series of its own.
        volumes += [
            SeriesVolume(scan=scan + time, path=path, time=time) for time in range(_n_times(path))
        ]
    looked_at = [_look(volume, reading) for volume in volumes]
    median = float(np.median([each.noise for each in looked_at]))
    return sorted(
        (replace(v, noise_ratio=v.noise / median if median > 0 else 1.0) for v in looked_at),
        key=lambda volume: volume.scan,
    )


def missing_scans(scans: Sequence[int]) -> tuple[int, ...]:
    """Name the numbers that are missing between the first and the last."""
    return tuple(sorted(set(range(min(scans), max(scans) + 1)) - set(scans)))


@contextmanager
def open_volume(volume: SeriesVolume, reading: Reading) -> Iterator["OpenVolume"]:
    """Open a volume of a series while the block runs."""
    file = _open(volume.path, volume.time, reading)
    try:
        yield OpenVolume(file, reading)
    finally:
        file.close()


class OpenVolume:
    """A volume of others as (z, y, x) of ours: y through the cell, denser matter brighter.

    Parameters
    ----------
    file
        Open.
    reading
        How it is turned.
    """

    def __init__(self, file: VolumeFile, reading: Reading) -> None:
        self._file, self._reading = file, reading
        n_z, n_y, n_x = file.shape
        self.shape = {"y": (n_z, n_y, n_x), "z": (n_y, n_z, n_x), "x": (n_z, n_x, n_y)}[
            reading.through
        ]

    def slab(self, z0: int, z1: int) -> FloatVolume:
        """Read slices of ours, float32."""
        whole = slice(None)
        match self._reading.through:
            case "y":
                block = self._file.read(slice(z0, z1), whole)
            case "z":
                block = self._file.read(whole, slice(z0, z1)).transpose(1, 0, 2)
            case "x":
                block = self._file.read(slice(z0, z1), whole).transpose(0, 2, 1)
        values = np.asarray(block, np.float32)
        if not np.isfinite(values).all():
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        if self._reading.is_plating_low:
            values = values[:, ::-1]
        return np.ascontiguousarray(-values if self._reading.is_inverted else values)

    def sha256(self) -> str:
        """Hash of the files it is read from, by name and content."""
        digest = hashlib.sha256()
        for path in self._file.files:
            digest.update(f"{path.name}\n".encode())
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    @property
    def missing(self) -> tuple[int, ...]:
        """Slices of the files that are not there."""
        return self._file.missing


def _look(volume: SeriesVolume, reading: Reading) -> SeriesVolume:
    with open_volume(volume, reading) as file:
        n_z = file.shape[0]
        if n_z < LEAST_SLICES:
            raise SourceError(f"{volume.path}: {n_z} slices along z; a volume has more")
        start = max(0, (n_z - _NOISE_SLICES) // 2)
        # Filled slices have less noise than others.
        noise = find_noise(file.slab(start, min(n_z, start + _NOISE_SLICES))).relative
        return replace(volume, shape=file.shape, missing=file.missing, noise=noise)


def _entries(where: str) -> list[Path]:
    folder = Path(where)
    if folder.is_dir() and not _is_volume(folder):
        found = [path for path in folder.iterdir() if _is_volume(path)]
    elif folder.exists():
        found = [folder]
    else:
        found = [path for path in map(Path, globbing.glob(where)) if _is_volume(path)]
    if not found:
        raise SourceError(
            f"{where}: no volumes; give a folder (or a pattern in quotes) of numbered folders of "
            "TIFF slices, TIFF stacks, HDF5 files or OME-Zarr images"
        )
    return sorted(found, key=_natural)


def _is_volume(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return _is_zarr(path) or any(
            p.suffix.lower() in TIFF_ENDINGS
            for p in path.iterdir()
            if p.is_file() and not _has_pages(p)
        )
    return path.suffix.lower() in (*TIFF_ENDINGS, *HDF5_ENDINGS)


def _has_pages(path: Path) -> bool:
    """Whether a TIFF file holds a volume of its own."""
    import tifffile

    if path.suffix.lower() not in TIFF_ENDINGS:
        return False
    try:
        with tifffile.TiffFile(path) as file:
            return len(file.pages) > 1
    except (OSError, ValueError, tifffile.TiffFileError):
        return False


def _is_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in ("zarr.json", ".zattrs", ".zarray"))


def _n_times(path: Path) -> int:
    return ZarrVolume(path).n_times if path.is_dir() and _is_zarr(path) else 1


def _open(path: Path, time: int, reading: Reading) -> VolumeFile:
    if path.is_dir():
        return ZarrVolume(path, time) if _is_zarr(path) else open_stack(path)
    if path.suffix.lower() in TIFF_ENDINGS:
        return TiffPages(path)
    return Hdf5Volume(path, reading.dataset)


def _scan_number(path: Path) -> int | None:
    return last_number(path.name.split(".")[0])


def _natural(path: Path) -> tuple[Any, ...]:  # texts and numbers in turn
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name))
