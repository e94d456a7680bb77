"""What the network of the first hour is worth: against the shipped one and all of the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lithoscope_messages import LabelsReady, TransformReady
from lithoscope_models.data.painted import PaintedSlice, read_painted
from lithoscope_models.fine_tune.recipe import fine_tune_recipe
from lithoscope_models.fine_tune.run import PAINTED, FineTuning, fine_tune
from lithoscope_models.fine_tune.scores import score_model
from lithoscope_models.model_file import DEFAULT_MODEL, load_model
from lithoscope_models.train.machine import Machine
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import segments_of
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.fine_tuning import paint_from_experiment
from lithoscope_services.painting.classes import PAINTED_CLASSES
from lithoscope_services.reading import read_entries
from lithoscope_store import Store
from lithoscope_store.fine_tunes import runs_of
from lithoscope_store.painted_labels import replace_planes
from lithoscope_store.painted_planes import PaintLayer

#: Over whatever people painted.
_TRUTH = PaintLayer(axis="z", person="truth", round=99)
_FIRST_JUDGED = 1  # on the first scan nothing has grown
_EVERY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """IoU by class of the default network, the person's, and that of all the truth.

    Parameters
    ----------
    by_model
        In this order.
    n_truth, n_judged
        Slices that the last one learned from, and slices that all are judged by.
    """

    by_model: tuple[dict[str, float], dict[str, float], dict[str, float]]
    n_truth: int
    n_judged: int


def compare(
    store: Store,
    name: str,
    cell: SimulatedCell,
    scans: Sequence[int],
    folder: Path,
    *,
    learned_to: float,
    judged_from: float,
    n_steps: int,
) -> Scores:
    """Train on all the truth of one part of the cell, and judge by that of another.

    Parameters
    ----------
    store, name
        Of the experiment, with a fine-tuning by its page; the truth is painted into it.
    cell, scans
        What it shows, and which of the cell's scans its own are.
    folder
        For the model of the truth.
    learned_to, judged_from
        Shares of the height of the cell.
    n_steps
        Of the training.
    """
    held_out = _paint_truth(store, name, cell, scans, learned_to, judged_from)
    out = folder / "by-truth"
    paint_from_experiment(store.root, name, out, model=DEFAULT_MODEL, held_out=held_out)
    asked = FineTuning(
        start=DEFAULT_MODEL,
        name="by-truth",
        experiment=name,
        n_steps=n_steps,
        seed=7,
        least_iou=0.5,
        command="python -m benchmarks first_hour",
    )
    found = fine_tune(asked, out, tell=lambda _: None, machine=Machine(n_workers=1))
    painted = read_painted(out / PAINTED)
    person = load_model(runs_of(store, name)[-1].path)
    recipe = fine_tune_recipe(
        load_model(DEFAULT_MODEL).card, out / PAINTED, name="judge", n_steps=1, seed=7
    )
    own = score_model(person, painted.held_out, recipe)
    return Scores(
        by_model=(found.before.iou, own.iou, found.after.iou),
        n_truth=len(painted.training_slices),
        n_judged=len(held_out),
    )


def _paint_truth(
    store: Store,
    name: str,
    cell: SimulatedCell,
    scans: Sequence[int],
    learned_to: float,
    judged_from: float,
) -> list[PaintedSlice]:
    entries = [entry.message for entry in read_entries(store, name)]
    roi = next(
        Roi(**each.roi.model_dump())
        for each in entries
        if isinstance(each, TransformReady) and each.verdict == "reference"
    )
    held_out: list[PaintedSlice] = []
    for each in entries:
        if not isinstance(each, LabelsReady) or each.scan < _FIRST_JUDGED:
            continue
        truth = segments_of(cell.labels(scans[each.scan], roi))
        n_z = truth.shape[0]
        judged = range(round(judged_from * n_z), n_z, _EVERY)
        held_out += [PaintedSlice(scan=each.scan, z=z) for z in judged]
        planes = {
            z: np.ascontiguousarray(truth[z]) for z in (*range(round(learned_to * n_z)), *judged)
        }
        volume = store.experiment(name).resolve(each.path)
        replace_planes(volume, _TRUTH, planes, PAINTED_CLASSES, time_ns=1)
    return held_out
