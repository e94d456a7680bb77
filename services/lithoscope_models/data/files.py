"""Training experiments on disk: one folder each, made once, read many times."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.chain import LabelledScan, chain_scans
from lithoscope_models.data.image_level import image_scans
from lithoscope_models.data.image_model import ImageModel
from lithoscope_models.data.measured_models import measured_model
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.phantom import SIZES
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION
from lithoscope_pipeline.segment import GreyReferences

Kind = Literal["chain", "image"]

_CARD = "experiment.json"
_MODELS = "models"
_GREY_DTYPE = np.float16  # an eleventh bit is a hundredth of the noise


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScan:
    """A labelled scan on disk; arrays are mapped into memory, not read.

    Parameters
    ----------
    scan
        Its number.
    grey, classes, shifts_px, references
        As in `LabelledScan`; grey values are float16.
    only
        Slices that may be drawn, where a split leaves others to validation; None for all.
    """

    scan: int
    grey: NDArray[np.float16] | NDArray[np.float32]
    classes: NDArray[np.uint8]
    references: GreyReferences
    shifts_px: NDArray[np.float32] | None
    only: tuple[int, ...] | None = None

    def allowed(self, axis: int) -> NDArray[np.intp]:
        """Give the slices along an axis that may be drawn."""
        if self.only is not None:
            return np.array(self.only, np.intp)
        return np.arange(self.grey.shape[axis])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """Labelled scans of one cell, by rising number.

    Parameters
    ----------
    name
        Of its folder.
    voxel_um
        Edge of a voxel.
    scans
        The scans.
    """

    name: str
    voxel_um: float
    scans: tuple[StoredScan, ...]


def experiment_folder(out: Path, draw: CellDraw, scans: Sequence[int], kind: Kind) -> Path:
    """Name the folder of an experiment by all that its bytes depend on."""
    told = {**draw.told(), "scans": list(scans), "kind": kind, "version": SIMULATOR_VERSION}
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]
    return out / f"{kind}-{draw.size}-{draw.family}-{draw.seed}-{key}"


def is_made(out: Path, draw: CellDraw, scans: Sequence[int], kind: Kind) -> bool:
    """Say whether an experiment is there, whole."""
    return (experiment_folder(out, draw, scans, kind) / _CARD).exists()


def make_experiment(out: Path, draw: CellDraw, scans: Sequence[int], kind: Kind = "chain") -> Path:
    """Make an experiment if it is not there; give its folder.

    Parameters
    ----------
    out
        Folder of all experiments.
    draw, scans
        As for `chain_scans`.
    kind
        ``chain``: frames, reconstructed; ``image``: the blurred cell with the noise of the chain.
    """
    folder = experiment_folder(out, draw, scans, kind)
    if not (folder / _CARD).exists():
        told = {**draw.told(), "voxel_um": SIZES[draw.size].voxel_um}
        write_experiment(folder, list(_scans(out, draw, scans, kind)), told=told)
    return folder


def _scans(out: Path, draw: CellDraw, scans: Sequence[int], kind: Kind) -> Iterator[LabelledScan]:
    if kind == "chain":
        return chain_scans(draw, scans)
    return image_scans(draw, scans, make_image_model(out, draw))


def make_image_model(out: Path, draw: CellDraw) -> ImageModel:
    """Give blur and noise that a cell without projections takes, measured if they are missing."""
    return measured_model(out / _MODELS, draw.size, draw.family)


def write_experiment(folder: Path, scans: Sequence[LabelledScan], *, told: dict[str, Any]) -> None:
    """Write scans and, when all are there, the card that makes them count.

    Parameters
    ----------
    folder
        Where; made if missing.
    scans
        The scans.
    told
        What the card says of the cell, with ``voxel_um``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    card: dict[str, Any] = {**told, "simulator_version": SIMULATOR_VERSION, "scans": []}
    for each in scans:
        np.save(folder / f"grey_{each.scan:03d}.npy", each.grey.astype(_GREY_DTYPE))
        np.save(folder / f"classes_{each.scan:03d}.npy", each.classes)
        if each.shifts_px is not None:
            np.save(folder / f"shifts_{each.scan:03d}.npy", each.shifts_px)
        card["scans"].append({"scan": each.scan, "references": asdict(each.references)})
    replace_file(folder / _CARD, json.dumps(card, indent=1))


def read_experiment(folder: Path) -> StoredExperiment:
    """Open an experiment.

    Raises
    ------
    TrainingDataError
        If the folder is not complete.
    """
    try:
        card = json.loads((folder / _CARD).read_text())
        scans = tuple(_read_scan(folder, each) for each in card["scans"])
    except (OSError, KeyError, ValueError) as error:
        msg = f"{folder} is no complete training experiment ({error}); remove it and make it again"
        raise TrainingDataError(msg) from error
    return StoredExperiment(name=folder.name, voxel_um=card["voxel_um"], scans=scans)


def _read_scan(folder: Path, card: dict[str, Any]) -> StoredScan:
    number = card["scan"]
    references = dict(card["references"])
    references["edges_px"] = tuple(references["edges_px"])
    shifts = folder / f"shifts_{number:03d}.npy"
    return StoredScan(
        scan=number,
        grey=np.load(folder / f"grey_{number:03d}.npy", mmap_mode="r"),
        classes=np.load(folder / f"classes_{number:03d}.npy", mmap_mode="r"),
        references=GreyReferences(**references),
        shifts_px=np.load(shifts, mmap_mode="r") if shifts.exists() else None,
    )
