"""HDF5 files of others: opened so that they cannot make us read what lies elsewhere."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import FileBusyError, SourceError
from lithoscope_services.sources.file_scan import Frames, wire_dtype

MAX_LINKS = 16
_MICROMETRES = {
    "m": 1e6,
    "mm": 1e3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "nm": 1e-3,
}


@dataclass(frozen=True, slots=True)
class Hdf5Block:
    """Frames of a dataset, those of ``indices`` in this order.

    Parameters
    ----------
    dataset
        Shape (n, n_rows, n_columns).
    indices
        Rising.
    """

    dataset: Any  # h5py has no types
    indices: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns."""
        return self.indices.size, int(self.dataset.shape[1]), int(self.dataset.shape[2])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in which frames are read."""
        return wire_dtype(self.dataset.dtype)

    def read(self, frames: slice, rows: slice) -> Frames:
        """Read some rows of some frames."""
        wanted = self.indices[frames]
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        # Reading by runs: HDF5 is very slow on lists of single frames.
        parts = [
            self.dataset[int(run[0]) : int(run[-1]) + 1, rows]
            for run in np.split(wanted, breaks)
            if run.size
        ]
        if not parts:
            return np.empty((0, *self.dataset[:0, rows].shape[1:]), dtype=self.dtype)
        return np.concatenate(parts).astype(self.dtype, copy=False)


class Hdf5Tree:
    """A file and those it links to inside its own folder.

    Parameters
    ----------
    path
        An HDF5 file.
    is_growing
        A single writer still has it open and lets others read (SWMR).
    takes_lock
        Whether a writer that opens the file meanwhile is kept off.

    Raises
    ------
    SourceError
        If it is none, is cut off or cannot be opened.
    """

    def __init__(self, path: Path, *, is_growing: bool = False, takes_lock: bool = True) -> None:
        self.path = path
        self._locking = "best-effort" if takes_lock else False
        self._is_growing = is_growing
        self._folder = path.resolve().parent
        self._files: dict[Path, Any] = {}
        self._stack = ExitStack()
        self.root = self._open(path.resolve())

    def close(self) -> None:
        """Close all files."""
        self._stack.close()

    def find(self, name: str) -> Any:  # an h5py group or dataset, or None
        """Give the object of this name, links followed, or None if there is none.

        Raises
        ------
        SourceError
            If the way leads out of the folder, to a missing file or in a circle.
        """
        return self._follow(self.root, name, MAX_LINKS)

    def dataset(self, name: str, *, ndim: int | None = None) -> Any:  # an h5py dataset, or None
        """Give a dataset that keeps its data inside the folder, or None if there is none."""
        found = self.find(name)
        if found is None:
            return None
        if not isinstance(found, h5py.Dataset):
            raise SourceError(f"{self.path}: {name} is a group; a dataset is needed there")
        if found.dtype.kind not in "uifSO":
            raise SourceError(f"{self.path}: {name} holds {found.dtype}; numbers are needed")
        if ndim is not None and (found.ndim != ndim or found.dtype.kind not in "uif"):
            raise SourceError(
                f"{self.path}: {name} has shape {found.shape} and type {found.dtype}; numbers of "
                f"{ndim} dimensions are needed"
            )
        self._check_storage(found, name)
        return found

    def number(self, name: str) -> float | None:
        """Read one number; None where there is none that can be read as one."""
        found = self.find(name)
        if not isinstance(found, h5py.Dataset) or found.size != 1:
            return None
        try:
            value = float(np.asarray(found[()]).ravel()[0])
        except (TypeError, ValueError):
            return None
        return value if np.isfinite(value) else None

    def text(self, name: str) -> str:
        """Read one text, whatever its padding; empty where there is none."""
        found = self.find(name)
        if not isinstance(found, h5py.Dataset) or found.size != 1:
            return ""
        return _as_text(np.asarray(found[()]).ravel()[0])

    def length_um(self, name: str, *, default_unit: str) -> float | None:
        """Read a length above zero in micrometres."""
        value = self.number(name)
        factor = _MICROMETRES.get((self.units(name) or default_unit).lower())
        return value * factor if value is not None and value > 0 and factor is not None else None

    def units(self, name: str) -> str:
        """Read the unit of a dataset; empty where there is none."""
        found = self.find(name)
        if found is None:
            return ""
        return _as_text(found.attrs.get("units", found.attrs.get("unit", "")))

    def children(self, name: str) -> tuple[str, ...]:
        """Name what a group holds."""
        found = self.find(name)
        return tuple(found) if isinstance(found, h5py.Group) else ()

    def _follow(self, group: Any, name: str, links_left: int) -> Any:  # an h5py object, or None
        here = group
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for number, part in enumerate(parts):
            if not isinstance(here, h5py.Group):
                return None
            link = here.get(part, getlink=True)
            if link is None:
                return None
            if isinstance(link, h5py.HardLink):
                here = here[part]
                continue
            if links_left == 0:
                raise SourceError(f"{self.path}: links at {name} run in a circle; repair the file")
            rest = "/".join([link.path, *parts[number + 1 :]])
            if isinstance(link, h5py.ExternalLink):
                start = self._open(self._inside(link.filename, f"external link {name}"))
            else:
                start = here.file if link.path.startswith("/") else here
            return self._follow(start, rest, links_left - 1)
        return here

    def _inside(self, filename: str, what: str) -> Path:
        target = (self._folder / filename).resolve()
        if not target.is_relative_to(self._folder):
            raise SourceError(
                f"{self.path}: {what} leads to {filename}, outside the folder of this file; put "
                "the data beside it and link to it by its name alone"
            )
        if not target.is_file():
            raise SourceError(
                f"{self.path}: {what} leads to {filename}, which is missing; copy that file to "
                "the same folder"
            )
        return target

    def _check_storage(self, dataset: Any, name: str) -> None:
        for filename, *_ in dataset.external or ():
            self._inside(filename, f"external storage of {name}")
        if dataset.is_virtual:
            for source in dataset.virtual_sources():
                if source.file_name != ".":
                    # A missing source would read as zeros without any error.
                    self._inside(source.file_name, f"virtual dataset {name}")

    def _open(self, path: Path) -> Any:  # an h5py file
        if path not in self._files:
            with _naming(path):
                file = h5py.File(path, "r", locking=self._locking, swmr=self._is_growing)
            self._files[path] = self._stack.enter_context(file)
        return self._files[path]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = str(error)
        if "unable to lock" in text or "already open for write" in text:
            raise FileBusyError(
                f"{path}: another program has this file open for writing; take it after that has "
                "closed it, or run h5clear -s on it if that was killed"
            ) from error
        if "truncated" in text:
            raise SourceError(
                f"{path}: the HDF5 file is truncated; copy it again, or take it after its writer "
                "has closed it"
            ) from error
        if "signature not found" in text:
            with path.open("rb") as stream:
                start = stream.read(16)
            raise SourceError(
                f"{path}: no HDF5 file (it begins with {start!r}); give a DXchange or NXtomo "
                "file, or a folder of TIFF projections"
            ) from error
        raise SourceError(f"{path}: cannot be opened as HDF5: {text}; check the file") from error


def _as_text(value: Any) -> str:  # bytes, text or an array of one of them
    one = np.asarray(value).ravel()
    if one.size == 0:
        return ""
    first = one[0]
    text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return text.strip().strip("\0").strip()
