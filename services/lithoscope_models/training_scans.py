"""What scans of a training look like: a table beside the network."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_models.calibration.draws import Plan, draw_experiment
from lithoscope_models.calibration.images import CalibrationScans, make_images, read_images
from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.model_file import find_model, model_sha256
from lithoscope_models.network_pass import (
    NetworkChoice,
    NetworkPass,
    load_for,
    region_references,
    run_network,
)
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.distribution import (
    TrainingScans,
    describe_scan,
    fit_training,
    sample_pairs,
    sampled,
)
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences

TRAINING_FILE: Final = "training_scans.json"
N_EXPERIMENTS: Final = 30
_PLACES: Final = (2, 5, 7)  # of the scans of each: early, late in the first half-cycle, after it
_MAX_BYTES: Final = 1 << 20
_SLAB_ROWS: Final = 32
Number = Annotated[float, Field(allow_inf_nan=False)]


class TrainingScansFile(BaseModel):
    """What `model describe` has found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    model_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    simulator_version: int
    command: str
    n_scans: Annotated[int, Field(ge=1)]
    limit: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    numbers: Annotated[dict[str, tuple[Number, Number]], Field(description="Mean and spread")]

    @property
    def scans(self) -> TrainingScans:
        """The same as the pipeline takes it."""
        return TrainingScans(
            mean={name: mean for name, (mean, _) in self.numbers.items()},
            spread={name: spread for name, (_, spread) in self.numbers.items()},
            limit=self.limit,
        )


def describe_training(
    model: str,
    work: Path,
    *,
    n_experiments: int = N_EXPERIMENTS,
    command: str = "",
    advance: Callable[[int], None] = lambda _steps: None,
) -> Path:
    """Let a network look at scans of simulated experiments, and keep what they are like.

    Parameters
    ----------
    model
        Name or folder of the network.
    work
        Where images are kept; those of a calibration serve.
    n_experiments
        Of a calibration, from the first.
    command
        For the record.
    advance
        Is called with 1 for each experiment.

    Returns
    -------
    Path
        The file beside the network.
    """
    plan = Plan()
    described = []
    for number in range(n_experiments):
        scans = read_images(
            make_images(work, draw_experiment(number, plan), plan, work / "models")
        )
        described += [_describe(model, scans, place) for place in _PLACES]
        advance(1)
    return write_training(
        find_model(model), fit_training(described), n_scans=len(described), command=command
    )


def _describe(model: str, scans: CalibrationScans, place: int) -> dict[str, float]:
    grey = np.asarray(scans.grey[place], np.float32)
    references, found = label_alone(model, grey, scans.voxel_um)
    return describe_pass(grey, references, found, voxel_um=scans.voxel_um)


def label_alone(
    model: str, grey: VolumeSource, voxel_um: float
) -> tuple[GreyReferences, NetworkPass]:
    """Let a network look at one scan by itself."""
    references = region_references(grey)
    choice = NetworkChoice(
        model=model,
        polarity="denser_is_brighter",
        engine="onnxruntime",
        precision="float32",
        n_threads=1,
    )
    network = load_for(choice, references, grey.shape, voxel_um)
    found = run_network(network, grey, references, (), voxel_um=voxel_um, slab_rows=_SLAB_ROWS)
    return references, found


def describe_pass(
    grey: VolumeSource, references: GreyReferences, found: NetworkPass, *, voxel_um: float
) -> dict[str, float]:
    """Describe a scan and what a network made of it without earlier scans."""
    everything = slice(None)
    places = sample_pairs(grey.shape[0])
    if not places:
        return {}
    return describe_scan(
        sampled(
            [grey[slice(z, z + 2), everything, everything] for z in places],
            [found.segments[z] for z in places],
            references,
            mean_confidence=found.mean_confidence,
            voxel_um=voxel_um,
        )
    )


def write_training(folder: Path, found: TrainingScans, *, n_scans: int, command: str) -> Path:
    """Write the file beside a network; what was there stays until it is whole."""
    numbers: Mapping[str, tuple[float, float]] = {
        name: (mean, found.spread[name]) for name, mean in found.mean.items()
    }
    file = TrainingScansFile(
        model_sha256=model_sha256(folder),
        simulator_version=SIMULATOR_VERSION,
        command=command,
        n_scans=n_scans,
        limit=found.limit,
        numbers=dict(numbers),
    )
    path = folder / TRAINING_FILE
    replace_file(path, file.model_dump_json(indent=1) + "\n")
    return path


def training_sha256(model: str | Path) -> str:
    """Name the table beside a network; empty if there is none."""
    path = find_model(model) / TRAINING_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def read_training(model: str | Path) -> TrainingScans | None:
    """Read what the training of a network looked like; None if that is not known of this very one.

    Raises
    ------
    ModelRefusedError
        If there is a file and it is none.
    """
    folder = find_model(model)
    path = folder / TRAINING_FILE
    if not path.exists():
        return None
    if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
        raise ModelRefusedError(f"{path}: a link, or too large; run lithoscope model describe")
    try:
        file = TrainingScansFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelRefusedError(
            f"{path}: {place}: {first['msg']}; run lithoscope model describe"
        ) from error
    return file.scans if file.model_sha256 == model_sha256(folder) else None
