"""A folder of TIFF images: one file a frame, and a list of angles."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.angles import in_degrees
from lithoscope_services.sources.file_scan import FileScan, Frames, check_scan, wire_dtype
from lithoscope_services.sources.tiff_image import TIFF_ENDINGS, read_tiff

ANGLE_FILES = ("angles.txt", "theta.txt")
_FLAT_NAMES = ("flat", "white", "ref")
_DARK_NAMES = ("dark",)


@dataclass(frozen=True, slots=True)
class TiffBlock:
    """Frames in files of their own.

    Parameters
    ----------
    files
        In the order of the frames.
    shape
        Frames, rows and columns.
    stored
        Type of the pixels in the files.
    """

    files: tuple[Path, ...]
    shape: tuple[int, int, int]
    stored: np.dtype[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in which frames are read."""
        return wire_dtype(self.stored)

    def read(self, frames: slice, rows: slice) -> Frames:
        """Read some rows of some frames; a file is always read whole."""
        wanted = self.files[frames]
        n_rows = len(range(self.shape[1])[rows])
        block = np.empty((len(wanted), n_rows, self.shape[2]), dtype=self.dtype)
        for number, file in enumerate(wanted):
            image = read_tiff(file)
            if image.shape != self.shape[1:]:
                raise SourceError(
                    f"{file}: {image.shape} pixels, the first of its kind has {self.shape[1:]}; "
                    "put frames of one scan only into the folder"
                )
            block[number] = image[rows]
        return block


def read_tiff_folder(folder: Path) -> FileScan:
    """Open a scan: projections, files whose names begin with flat or dark, and ``angles.txt``.

    Projections stand in ``projections/`` or in the folder itself; flats and darks may have
    folders of their own. Angles stand one a line, in degrees or radians; further ones at both
    ends, of flats and darks, are recognised by their standing still.

    Raises
    ------
    SourceError
        If a part is missing or does not fit the others.
    """
    images = [path for path in sorted(folder.rglob("*"), key=_natural) if _is_tiff(path)]
    for path in images:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise SourceError(f"{path}: a link out of its folder; copy the image itself")
    flats = [path for path in images if _has_name(path, folder, _FLAT_NAMES)]
    darks = [path for path in images if _has_name(path, folder, _DARK_NAMES)]
    others = [path for path in images if path not in flats and path not in darks]
    projections = [path for path in others if path.parent.name == "projections"] or others
    if not projections:
        raise SourceError(
            f"{folder}: no TIFF projections; give a folder with projections/*.tiff, flat*.tiff, "
            "dark*.tiff and angles.txt, or an HDF5 file"
        )
    return check_scan(
        FileScan(
            path=folder,
            format="tiff_folder",
            projection_block=_block(projections),
            flat_blocks=(_block(flats),) if flats else (),
            dark_blocks=(_block(darks),) if darks else (),
            thetas_deg=_angles(folder, len(projections)),
            theta_source="table",
        )
    )


def _angles(folder: Path, n_projections: int) -> NDArray[np.float64]:
    file = next((folder / name for name in ANGLE_FILES if (folder / name).is_file()), None)
    if file is None:
        raise SourceError(f"{folder}: no angles; add angles.txt with one angle a line")
    try:
        thetas_deg = in_degrees(np.loadtxt(file, ndmin=1), "")
    except ValueError as error:
        raise SourceError(
            f"{file}: no list of numbers: {error}; write one angle a line"
        ) from error
    surplus = thetas_deg.size - n_projections
    if surplus <= 0:
        return thetas_deg
    # The stage stands still while flats and darks are taken.
    moves = np.flatnonzero(np.abs(np.diff(thetas_deg)) > 1e-3)
    first, last = (int(moves[0]), int(moves[-1]) + 1) if moves.size else (0, 0)
    if last - first + 1 != n_projections:
        raise SourceError(
            f"{file}: {thetas_deg.size} angles for {n_projections} projections, and the "
            f"{surplus} too many do not stand still at the ends; leave out those of flats "
            "and darks"
        )
    return thetas_deg[first : last + 1]


def _block(files: list[Path]) -> TiffBlock:
    first = read_tiff(files[0])
    return TiffBlock(tuple(files), (len(files), *first.shape), first.dtype)


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in TIFF_ENDINGS and path.is_file()


def _has_name(path: Path, folder: Path, names: tuple[str, ...]) -> bool:
    return any(part.lower().startswith(names) for part in path.relative_to(folder).parts)


def _natural(path: Path) -> tuple[str | int, ...]:
    """Sort ``raw_9`` before ``raw_10``."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(path)))
