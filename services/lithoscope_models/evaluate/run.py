"""Score networks and classical methods on held-out scans, and write what came out."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.errors import TrainingDataError
from lithoscope_models.evaluate.cases import Case, HeldOut, check_seeds, held_out_cases
from lithoscope_models.evaluate.classical import classical_methods
from lithoscope_models.evaluate.methods import Method, NetworkMethod
from lithoscope_models.evaluate.pictures import WorstPatch, draw_patches, worst_patches
from lithoscope_models.evaluate.report import as_markdown
from lithoscope_models.evaluate.scores import MethodScores
from lithoscope_models.model_file import Model, load_model
from lithoscope_models.train.curves import CURVES_CSV, read_curves

EVALUATION_JSON: Final = "evaluation.json"
EVALUATION_MARKDOWN: Final = "evaluation.md"
_LAST_SHARE: Final = 0.25  # of a training, in which it must have come to rest
_STILL_GAINED: Final = 0.01
_EXAMPLE_SEED: Final = 102
_EXAMPLE_SCANS: Final = (12, 8, 4, 16)
Advance = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared.

    Parameters
    ----------
    models
        Names or folders of networks; one that takes earlier scans is scored without them too.
    held_out
        On which experiments.
    has_classical
        Whether methods without a network are scored too.
    polarity
        As for `load_model`.
    """

    models: tuple[str, ...]
    held_out: HeldOut
    has_classical: bool = True
    polarity: str = "denser_is_brighter"


def evaluate(
    comparison: Comparison, data: Path, out: Path, *, command: str, tell: Advance
) -> dict[str, Any]:  # JSON
    """Score all methods and write Markdown, JSON and a picture for each.

    Parameters
    ----------
    comparison
        What is compared.
    data
        Where simulated experiments are kept; those that are missing are made.
    out
        Folder of what is written.
    command
        For the record.
    tell
        Takes a line about each method.

    Raises
    ------
    TrainingDataError
        If a network was trained on one of the experiments, or no scan is there.
    """
    loaded = [load_model(each, polarity=comparison.polarity) for each in comparison.models]
    for model in loaded:
        told = model.card.training
        check_seeds(
            comparison.held_out,
            (*told.get("experiments", ()), *told.get("validation", ())),
            model.card.name,
        )
    cases = list(held_out_cases(comparison.held_out, data))
    if not cases:
        raise TrainingDataError("none of the scans are there; name others with --scans")
    methods = [each for model in loaded for each in _of_network(model)]
    if comparison.has_classical:
        methods += classical_methods(_examples(comparison.held_out, data))
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for method in methods:
        tell(method.name)
        scores, worst = score_method(method, cases)
        draw_patches(out / f"worst-{_file_name(method.name)}.png", worst)
        rows.append(scores.as_document())
    document = {"command": command, "what": _what(comparison.held_out), "methods": rows}
    (out / EVALUATION_JSON).write_text(json.dumps(document, indent=1))
    (out / EVALUATION_MARKDOWN).write_text(as_markdown(document))
    return document


def score_method(method: Method, cases: Iterable[Case]) -> tuple[MethodScores, list[WorstPatch]]:
    """Score a method, and keep the patches in which it is most wrong."""
    scores = MethodScores(name=method.name, note=method.note, n_parameters=method.n_parameters)
    if isinstance(method, NetworkMethod):
        scores.is_converged = is_converged(method.model.folder / CURVES_CSV)
    worst: list[WorstPatch] = []
    for case in cases:
        truth = case.truth
        found = method.label(case)
        scores.add(case, found, truth)
        worst = worst_patches(worst, case, truth, found.segments)
    return scores, worst


def is_converged(curves: Path) -> bool | None:
    """Say whether the last quarter of a training gained under 0.01 of macro IoU.

    None if there is no curve, or one of fewer than four validations.
    """
    if not curves.is_file():
        return None
    columns = read_curves(curves)
    steps, macro = columns["step"], columns["macro_iou"]
    return _has_come_to_rest(steps, macro)


def _has_come_to_rest(steps: NDArray[np.float64], macro: NDArray[np.float64]) -> bool | None:
    is_last = steps > (1 - _LAST_SHARE) * steps.max()
    if is_last.all() or len(steps) < 1 / _LAST_SHARE:
        return None
    return bool(np.nanmax(macro[is_last]) - np.nanmax(macro[~is_last]) < _STILL_GAINED)


def _of_network(model: Model) -> Sequence[Method]:
    shown = [True, False] if model.card.inputs.inputs.earlier else [True]
    return [NetworkMethod(model=model, has_earlier=each) for each in shown]


def _examples(held_out: HeldOut, data: Path) -> list[Case]:
    """Give scans of another cell, the scans in the order of how much is in them."""
    other = replace(held_out, seeds=(_EXAMPLE_SEED,), scans=_EXAMPLE_SCANS, n_slices=1)
    if _EXAMPLE_SEED in held_out.seeds:
        raise TrainingDataError(
            f"classical methods are set up on cell {_EXAMPLE_SEED}; score other --seeds"
        )
    cases = list(held_out_cases(other, data))
    scan_of = {each.experiment.scans[each.index].scan: each for each in cases}
    return [scan_of[scan] for scan in _EXAMPLE_SCANS]


def _what(held_out: HeldOut) -> str:
    seeds, scans = (", ".join(map(str, each)) for each in (held_out.seeds, held_out.scans))
    return (
        f"Simulated cells {seeds} ({held_out.size}, {held_out.family}), scans {scans}, "
        f"{held_out.n_slices} slices in the middle of each; true rigid drift, measured "
        "displacement of the faces, earlier scans settled as in the chain. What a network says, "
        "before the rules of the anatomy. "
        "The macro IoU is the mean over the classes; by frequency, each counts as often as it "
        "is there. An object is found if half of its voxels are; those under 8 do not count. "
        "One thread a slice."
    )


def _file_name(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name).strip("-").lower()
