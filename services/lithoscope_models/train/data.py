"""From the data that a recipe names to labelled scans; simulated ones are made when missing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.files import StoredExperiment, make_experiment, read_experiment
from lithoscope_models.data.label_files import read_labelled, split_slices
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.train.recipe import LabelledFiles, Recipe, SimulatedData
from lithoscope_pipeline.labels import UNLABELLED

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """What is trained on, and what is validated on: other experiments, or other slices."""

    training: tuple[StoredExperiment, ...]
    validation: tuple[StoredExperiment, ...]


def prepare_data(recipe: Recipe, folder: Path, tell: Tell) -> LabelledData:
    """Make or open all data of a recipe.

    Parameters
    ----------
    recipe
        What is needed.
    folder
        Where simulated experiments are kept; those that are there are not made again.
    tell
        Takes a line about each experiment that is made.
    """
    training = list(_simulated(recipe.training, folder, tell))
    validation = list(_simulated(recipe.validation, folder, tell))
    for table in recipe.files:
        tell(f"labels of {table.labels}")
        parts = _from_files(table, recipe)
        training.append(parts[0])
        validation.append(parts[1])
    return LabelledData(training=tuple(training), validation=tuple(validation))


def _from_files(table: LabelledFiles, recipe: Recipe) -> tuple[StoredExperiment, StoredExperiment]:
    """Read labels; give what is trained on and what is validated on, the rest is for tests."""
    experiment = read_labelled(
        Path(table.grey),
        Path(table.labels),
        voxel_um=table.voxel_um,
        class_of=table.class_of,
    )
    scan = experiment.scans[0]
    other = tuple(axis for axis in (0, 1, 2) if axis != recipe.inputs.inputs.slice_axis)
    labelled = np.flatnonzero((scan.classes != UNLABELLED).any(axis=other))
    split = split_slices(labelled, recipe.split)
    if not split.training:
        raise TrainingDataError(f"{table.labels}: {len(labelled)} slices have labels; give more")
    return (
        replace(experiment, scans=(replace(scan, only=split.training),)),
        replace(experiment, scans=(replace(scan, only=split.validation),)),
    )


def _simulated(
    kinds: Sequence[SimulatedData], folder: Path, tell: Tell
) -> Iterator[StoredExperiment]:
    for kind in kinds:
        for number, seed in enumerate(kind.seeds):
            draw = CellDraw(
                seed=seed,
                size=kind.size,
                family=kind.families[number % len(kind.families)],
                spread=kind.spread,
                swells_only=kind.swells_only,
            )
            tell(f"{kind.kind} data, {draw.size} cell {seed} ({draw.family})")
            yield read_experiment(make_experiment(folder, draw, kind.scans, kind.kind))


def class_frequencies(
    experiments: Sequence[StoredExperiment], n_classes: int
) -> NDArray[np.float64]:
    """Give the share of each class in the labels."""
    counts = np.zeros(256, np.int64)
    for experiment in experiments:
        for scan in experiment.scans:
            counts += np.bincount(scan.classes.ravel(), minlength=256)
    counts[UNLABELLED] = 0
    return counts[:n_classes] / max(int(counts[:n_classes].sum()), 1)
