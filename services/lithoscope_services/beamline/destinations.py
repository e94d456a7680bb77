"""Where a detector puts its frames: an HDF5 file, or anything else with the same face."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
from numpy.typing import NDArray
from ophyd_async.core import PathProvider

from lithoscope_services.beamline.errors import BeamlineError

IMAGES = "/entry/data/data"
ANGLES = "/entry/data/theta_deg"
HDF5 = "application/x-hdf5"
ANGLES_A_CHUNK = 1024

Image = NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Where the frames of a set are, for ``stream_resource``.

    Parameters
    ----------
    uri, mimetype
        Of the file or whatever holds them.
    image_parameters, theta_parameters
        Where in it images and angles stand.
    """

    uri: str
    mimetype: str
    image_parameters: dict[str, str]
    theta_parameters: dict[str, str]


class FrameDestination(Protocol):
    """What takes the frames of a detector. Opened and closed in the loop, written in a thread."""

    @property
    def is_network(self) -> bool:
        """Whether frames may get lost, doubled or late on the way there."""
        ...

    def open(self, device: str, shape: tuple[int, int], dtype: str) -> Resource:
        """Get ready for frames of a shape (rows, columns) and a NumPy type such as ``<u2``."""
        ...

    def write(self, index: int, pixels: Image, theta_deg: float) -> None:
        """Take a frame; ``index`` counts within its set."""
        ...

    def flush(self) -> None:
        """Make what was written readable for others; a document will say that it is there."""
        ...

    def settle(self) -> None:
        """Wait until all that was written is where it belongs."""
        ...

    def close(self) -> None:
        """End the set that is open, if one is."""
        ...


class Hdf5Destination:
    """Writes each set of frames into an HDF5 file of its own.

    A file can be read while it is written (SWMR: open it with ``swmr=True``) and is an ordinary
    file afterwards. Images lie in ``/entry/data/data``, angles in ``/entry/data/theta_deg``, in
    degrees, one a frame.

    Parameters
    ----------
    path_provider
        Where files go; it must name a new one at each call, as ``UUIDFilenameProvider`` and
        ``AutoIncrementFilenameProvider`` do.
    """

    is_network = False

    def __init__(self, path_provider: PathProvider) -> None:
        self._path_provider = path_provider
        # ``Any`` by h5py, which has no types.
        self._file: h5py.File | None = None

    def open(self, device: str, shape: tuple[int, int], dtype: str) -> Resource:
        """Make the file of a set.

        Raises
        ------
        BeamlineError
            If there is such a file already.
        """
        self.close()
        info = self._path_provider(device)
        path = Path(info.directory_path) / f"{info.filename}.h5"
        rows, columns = shape
        try:
            # Not "w": what one run wrote must not be lost to the next.
            file = h5py.File(path, "x", libver="latest")
        except OSError as error:
            raise BeamlineError(
                f"{path}: cannot be made ({error}); use a provider that names a new file at each "
                "call, in a folder that is there"
            ) from error
        file.create_dataset(
            IMAGES,
            shape=(0, rows, columns),
            maxshape=(None, rows, columns),
            chunks=(1, rows, columns),
            dtype=dtype,
        )
        angles = file.create_dataset(
            ANGLES, shape=(0,), maxshape=(None,), chunks=(ANGLES_A_CHUNK,), dtype="<f8"
        )
        angles.attrs["units"] = "degree"
        file.swmr_mode = True
        self._file = file
        return Resource(
            uri=f"{info.directory_uri}{info.filename}.h5",
            mimetype=HDF5,
            image_parameters={"dataset": IMAGES},
            theta_parameters={"dataset": ANGLES},
        )

    def write(self, index: int, pixels: Image, theta_deg: float) -> None:
        """Write a frame at its place."""
        if self._file is None:
            raise BeamlineError("a frame came while no file is open; prepare the detector first")
        for name, value in ((IMAGES, pixels), (ANGLES, theta_deg)):
            dataset = self._file[name]
            if len(dataset) <= index:
                dataset.resize(index + 1, axis=0)
            dataset[index] = value

    def flush(self) -> None:
        """Let readers see what was written."""
        if self._file is not None:
            self._file[IMAGES].flush()
            self._file[ANGLES].flush()

    def settle(self) -> None:
        """Let readers see all."""
        self.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
