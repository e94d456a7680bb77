"""One grey image in a TIFF file."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError

TIFF_ENDINGS = (".tif", ".tiff")


def read_tiff(path: Path) -> NDArray[Any]:
    """Read one grey image.

    Raises
    ------
    SourceError
        If it is none.
    """
    try:
        image = np.asarray(tifffile.imread(path))
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise SourceError(f"{path}: no TIFF that can be read: {error}; copy it again") from error
    if image.ndim != 2:
        raise SourceError(f"{path}: shape {image.shape}; one grey image a file is needed")
    return image
