"""Blur and noise of each family on disk: measured once, which takes half a minute."""

import fcntl
import os
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.image_level import calibrate
from lithoscope_models.data.image_model import ImageModel
from lithoscope_pipeline.phantom import FamilyName, SizeName
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

_SEED: Final = 1701  # of a cell that nothing is trained on
_GROWTH_FAMILIES: Final = ("mossy", "filaments")


def measured_model(folder: Path, size: SizeName, family: FamilyName) -> ImageModel:
    """Give blur and noise of a detector and a family, measured if they are not there.

    Parameters
    ----------
    folder
        Where they are kept; of several processes one measures and the others wait.
    size, family
        Whose.
    """
    beam = seen_as(family)
    path = folder / f"{size}-{beam}-{SIMULATOR_VERSION}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a process that dies lets it go
            if not path.is_file():
                _measure(path, CellDraw(seed=_SEED, size=size, family=beam))
    stored = np.load(path)
    return ImageModel(transfer=stored["transfer"], noise=stored["noise"])


def seen_as(family: FamilyName) -> FamilyName:
    """Give the family whose beam and detector a family is seen with."""
    return "default" if family in _GROWTH_FAMILIES else family


def _measure(path: Path, draw: CellDraw) -> None:
    model = calibrate(draw)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, transfer=model.transfer, noise=model.noise)
    os.replace(partial, path)
