"""Fine-tuning: a network, painted slices, and what the one has learned from the other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_models.card import ValidationCard
from lithoscope_models.data.painted import PaintedData, read_painted
from lithoscope_models.export import rewrite_card
from lithoscope_models.fine_tune.recipe import fine_tune_recipe
from lithoscope_models.fine_tune.report import Findings, write_report
from lithoscope_models.fine_tune.scores import HeldOutScores, judge, score_model
from lithoscope_models.model_file import load_model
from lithoscope_models.train.machine import Machine
from lithoscope_models.train.recipe import Recipe
from lithoscope_models.train.run import train
from lithoscope_models.training_scans import (
    describe_pass,
    label_alone,
    read_training,
    write_training,
)
from lithoscope_pipeline.distribution import centred_on

PAINTED: Final = "painted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """What is asked for.

    Parameters
    ----------
    start
        Name or folder of the model that goes on learning.
    name
        Of the new model.
    experiment
        Whose slices were painted; None for slices from files, which validate nothing.
    n_steps, seed
        Of the further round.
    least_iou
        That each class needs on held-out slices for the model to count as validated.
    command
        For the record.
    """

    start: str
    name: str
    experiment: str | None
    n_steps: int
    seed: int
    least_iou: float
    command: str


def fine_tune(
    asked: FineTuning,
    out: Path,
    *,
    tell: Callable[[str], None],
    machine: Machine | None = None,
    is_watched: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> Findings:
    """Let a network go on learning, judge it, and write it with a card and a report.

    Parameters
    ----------
    asked
        What is asked for.
    out
        Folder of the model; its folder ``painted`` holds what `write_painted` has written.
    tell
        Takes lines about what is going on.
    machine
        What may be used.
    is_watched
        Whether a progress bar is shown.
    on_step
        Takes the number of steps after each.

    Returns
    -------
    Findings
        What the report says.

    Raises
    ------
    ModelError
        If the model is refused, cannot be trained, or too little is painted.
    """
    began_s = time.process_time()
    before = load_model(asked.start)
    painted = read_painted(out / PAINTED)
    recipe = fine_tune_recipe(
        before.card, out / PAINTED, name=asked.name, n_steps=asked.n_steps, seed=asked.seed
    )
    training = train(
        recipe,
        out,
        data_folder=out / "data",
        command=asked.command,
        tell=tell,
        machine=machine,
        start=asked.start,
        is_watched=is_watched,
        on_step=on_step,
    )
    after = load_model(out)
    scores = {
        (model is after, with_earlier): score_model(
            model, painted.held_out, recipe, with_earlier=with_earlier
        )
        for model in (before, after)
        for with_earlier in _ways(painted, recipe)
    }
    why_not = judge(scores[True, True], least_iou=asked.least_iou)
    found = Findings(
        name=asked.name,
        base=before.card.name,
        experiment=asked.experiment,
        training_slices=painted.training_slices,
        held_out_slices=painted.held_out_slices,
        before=scores[False, True],
        after=scores[True, True],
        before_alone=scores.get((False, False)),
        after_alone=scores.get((True, False)),
        n_steps=training.n_steps,
        cpu_s=time.process_time() - began_s,
        why_not=why_not,
        command=asked.command,
    )
    rewrite_card(out, validated_on=(_validation(found, painted),))
    _describe(asked, out, painted)
    write_report(out, found)
    return found


def _describe(asked: FineTuning, out: Path, painted: PaintedData) -> None:
    """Tell scans unlike the painted ones by how far scans of the first training lie apart."""
    training = read_training(asked.start)
    if training is None:
        return
    described = []
    for scan in painted.training.scans:
        if scan.only:
            grey = np.asarray(scan.grey, np.float32)
            voxel_um = painted.training.voxel_um
            references, found = label_alone(str(out), grey, voxel_um)
            described.append(describe_pass(grey, references, found, voxel_um=voxel_um))
    write_training(
        out, centred_on(training, described), n_scans=len(described), command=asked.command
    )


def _ways(painted: PaintedData, recipe: Recipe) -> tuple[bool, ...]:
    """Say whether held-out slices are looked at with earlier scans only, or without them too."""
    earlier = recipe.inputs.inputs.earlier
    shown = [
        scan for scan in painted.held_out.scans[1:] if scan.only and scan.shifts_px is not None
    ]
    return (True, False) if earlier and shown else (True,)


def _validation(found: Findings, painted: PaintedData) -> ValidationCard:
    return ValidationCard(
        experiment=found.experiment,
        voxel_um=painted.held_out.voxel_um,
        slices=tuple((each.scan, each.z) for each in found.held_out_slices),
        voxels=found.after.n_voxels,
        before=found.before.iou,
        scores=found.after.iou,
        why_not=found.why_not,
    )


__all__ = ["PAINTED", "FineTuning", "HeldOutScores", "fine_tune"]
