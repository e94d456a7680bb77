"""From the data that a recipe names to labelled scans; simulated ones are made when missing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.files import (
    Kind,
    StoredExperiment,
    is_made,
    make_experiment,
    make_image_model,
    read_experiment,
)
from lithoscope_models.data.label_files import read_labelled, split_slices
from lithoscope_models.data.measured_models import seen_as
from lithoscope_models.data.painted import read_painted
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.train.recipe import LabelledFiles, Recipe, SimulatedData
from lithoscope_models.worker_pool import worker_pool
from lithoscope_pipeline.labels import UNLABELLED

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """What is trained on, and what is validated on: other experiments, or other slices."""

    training: tuple[StoredExperiment, ...]
    validation: tuple[StoredExperiment, ...]


def prepare_data(
    recipe: Recipe, folder: Path, tell: Tell, *, n_processes: int = 1
) -> LabelledData:
    """Make or open all data of a recipe.

    Parameters
    ----------
    recipe
        What is needed.
    folder
        Where simulated experiments are kept; those that are there are not made again.
    tell
        Takes a line about each experiment that is made.
    n_processes
        That make simulated experiments, one each at a time.
    """
    draws = [*_draws(recipe.training), *_draws(recipe.validation)]
    made = list(_made(draws, folder, tell, n_processes))
    n_training = len(list(_draws(recipe.training)))
    training, validation = made[:n_training], made[n_training:]
    for table in recipe.files:
        tell(f"labels of {table.labels}")
        parts = _from_files(table, recipe)
        training.append(parts[0])
        validation.append(parts[1])
    for place in recipe.painted:
        # What is held out is for the report alone: steps are chosen by what was learned from.
        painted = read_painted(Path(place)).training
        training.append(painted)
        validation.append(painted)
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


_Draw = tuple[CellDraw, tuple[int, ...], Kind]


def _draws(kinds: Sequence[SimulatedData]) -> Iterator[_Draw]:
    for kind in kinds:
        for number, seed in enumerate(kind.seeds):
            draw = CellDraw(
                seed=seed,
                size=kind.size,
                family=kind.families[number % len(kind.families)],
                spread=kind.spread,
                swells_only=kind.swells_only,
                towards=kind.towards,
                share=kind.share,
            )
            yield draw, kind.scans, kind.kind


def _made(
    draws: Sequence[_Draw], folder: Path, tell: Tell, n_processes: int
) -> Iterator[StoredExperiment]:
    """Make what is missing, and open all."""
    for cell, _, kind in draws:
        tell(f"{kind} data, {cell.size} cell {cell.seed} ({cell.kind})")
    missing = [each for each in draws if not is_made(folder, *each)]
    if n_processes > 1 and len(missing) > 1:
        with worker_pool(n_processes) as processes:
            # Blur and noise first: nobody waits for them then.
            images = [draw for draw, _, kind in missing if kind == "image"]
            seen = {(draw.size, seen_as(draw.family)): draw for draw in images}
            models = [processes.submit(make_image_model, folder, draw) for draw in seen.values()]
            made = [processes.submit(make_experiment, folder, *each) for each in missing]
            for model in models:
                model.result()
            for number, experiment in enumerate(made, start=1):
                tell(f"{experiment.result().name}: made, {number} of {len(made)}")
    for each in draws:
        yield read_experiment(make_experiment(folder, *each))


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
