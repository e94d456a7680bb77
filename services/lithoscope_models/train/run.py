"""Train a network by a recipe: data, steps, curves, and the model at the end."""

import json
import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from lithoscope_models.card import CardDraft
from lithoscope_models.errors import RecipeError, TrainingDataError
from lithoscope_models.export import export_model
from lithoscope_models.model_file import Model, load_model
from lithoscope_models.train.curves import CURVES_CSV, CURVES_PNG, draw_curves, read_curves
from lithoscope_models.train.data import LabelledData, class_frequencies, prepare_data
from lithoscope_models.train.machine import CHECKPOINTS, LAST_CHECKPOINT, Machine
from lithoscope_models.train.recipe import Recipe
from lithoscope_models.train.weights import load_weights
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import ARCHITECTURES
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

_RECIPE_JSON: Final = "recipe.json"
_TILE_PX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a training gave.

    Parameters
    ----------
    folder
        Model, curves and checkpoints.
    n_steps
        Taken in all.
    scores
        Of the validation that was best.
    is_finished
        Whether it went to the end of its recipe; False if its time was up.
    """

    folder: Path
    n_steps: int
    scores: dict[str, float] = field(default_factory=dict)
    is_finished: bool = True


def train(
    recipe: Recipe,
    out: Path,
    *,
    data_folder: Path,
    command: str,
    tell: Callable[[str], None],
    machine: Machine | None = None,
    start: str | None = None,
    is_watched: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> Training:
    """Train a network and write it as a model; go on where an earlier call was killed.

    Parameters
    ----------
    recipe
        What to do.
    out
        Folder of the model; checkpoints and curves lie in it too.
    data_folder
        Where simulated experiments are kept.
    command
        Goes into the card of the model.
    tell
        Takes lines about what is going on.
    machine
        What may be used.
    start
        A model whose weights are begun with, for a further round; by default they are drawn.
    is_watched
        Whether a progress bar is shown.
    on_step
        Takes the number of steps after each.
    """
    use = machine or Machine()
    # Read when torch is first imported: threads that spin take the cores from who draws patches.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    begin_with = None if start is None else load_model(start)
    began = _Clock.now()
    data = prepare_data(recipe, data_folder, tell, n_processes=use.n_threads)
    made = _Clock.now()
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, recipe, start)
    fitted = _fit(
        recipe,
        out,
        data,
        use,
        tell,
        begin_with=begin_with,
        is_watched=is_watched,
        on_step=on_step,
    )
    curves = read_curves(out / CURVES_CSV)
    draw_curves(out / CURVES_PNG, curves)
    best = int(np.nanargmax(curves["macro_iou"]))
    scores = {name: round(float(values[best]), 4) for name, values in curves.items()}
    draft = CardDraft(
        name=recipe.name,
        architecture=recipe.architecture,
        arguments=recipe.arguments,
        classes=tuple(each.key for each in SegmentClass),
        inputs=recipe.inputs,
        **_tile(recipe),
        temperature=fitted.temperature,
        voxel_um=data.training[0].voxel_um,
        training={
            "command": command,
            "recipe": recipe.model_dump(mode="json"),
            "simulator_version": SIMULATOR_VERSION,
            "n_steps": fitted.n_steps,
            "began_with": None if begin_with is None else begin_with.card.training,
            "volume_biases": fitted.biases,
            "data": made.since(began),
            "training": _Clock.now().since(made),
            "experiments": [each.name for each in data.training],
            "validation": [each.name for each in data.validation],
        },
        scores={"validation": scores},
    )
    export_model(fitted.network, draft, out)
    return Training(
        folder=out, n_steps=fitted.n_steps, scores=scores, is_finished=fitted.is_finished
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    """Time on the wall and of processors, those of child processes that have ended included."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> "_Clock":
        used = os.times()
        cpu_s = used.user + used.system + used.children_user + used.children_system
        return cls(wall_s=time.monotonic(), cpu_s=cpu_s)

    def since(self, before: "_Clock") -> dict[str, int]:
        """Give both, in whole seconds, as the card has them; of the last call alone."""
        wall_s, cpu_s = self.wall_s - before.wall_s, self.cpu_s - before.cpu_s
        return {"wall_s": round(wall_s), "cpu_s": round(cpu_s)}


def _claim(out: Path, recipe: Recipe, start: str | None) -> None:
    """Write down what is trained in a folder; refuse to go on with something else there."""
    wanted = json.dumps({"recipe": recipe.model_dump(mode="json"), "began_with": start}, indent=1)
    told = out / _RECIPE_JSON
    if (out / CHECKPOINTS / LAST_CHECKPOINT).exists() and not _says(told, recipe, start):
        raise RecipeError(
            f"{out}: a training by another recipe was begun here; give another folder, or remove "
            f"{out / CHECKPOINTS} to begin anew"
        )
    told.write_text(wanted)


def _says(told: Path, recipe: Recipe, start: str | None) -> bool:
    """Say whether a training was begun by this recipe, whatever recipes have come to say since."""
    if not told.exists():
        return False
    before = json.loads(told.read_text())
    same = Recipe.model_validate(before["recipe"], strict=False) == recipe
    return same and before["began_with"] == start


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitted:
    network: Any  # a torch.nn.Module
    n_steps: int
    is_finished: bool
    biases: tuple[float, ...]
    temperature: float


def _fit(
    recipe: Recipe,
    out: Path,
    data: LabelledData,
    use: Machine,
    tell: Callable[[str], None],
    *,
    begin_with: Model | None,
    is_watched: bool,
    on_step: Callable[[int], None] | None,
) -> _Fitted:
    """Take the steps that are missing; give the network as it was at its best validation."""
    import torch
    from lightning.pytorch import seed_everything

    from lithoscope_models.train.calibration import (
        SeenLogits,
        add_biases,
        find_temperature,
        logits_of,
        volume_biases,
    )
    from lithoscope_models.train.datasets import TrainingData
    from lithoscope_models.train.module import NetworkInTraining
    from lithoscope_models.train.trainer import is_finished, make_trainer

    _silence()
    torch.set_num_threads(use.n_threads)
    seed_everything(recipe.seed, verbose=False)
    names = tuple(each.key for each in SegmentClass)
    module = NetworkInTraining(recipe, names, class_frequencies(data.training, len(names)))
    if begin_with is not None:
        load_weights(module.network, begin_with, recipe)
    chosen = ARCHITECTURES[recipe.architecture]
    patches = TrainingData(
        recipe,
        data.training,
        data.validation,
        divisor=chosen.divisor,
        fixed_px=chosen.fixed_px,
        n_workers=use.n_workers,
    )
    if len(patches.slices) == 0:
        raise TrainingDataError("nothing is left to validate on; name validation data or a split")
    trainer = make_trainer(recipe, out, use, is_watched=is_watched, on_step=on_step)
    last = out / CHECKPOINTS / LAST_CHECKPOINT
    if last.exists():
        tell(f"going on from {last}")
    trainer.fit(module, patches, ckpt_path=str(last) if last.exists() else None)
    best = trainer.checkpoint_callback.best_model_path
    if best:
        saved = torch.load(best, map_location="cpu", weights_only=True)
        module.load_state_dict(saved["state_dict"])
    network = module.best_network.to("cpu", memory_format=torch.contiguous_format).eval()
    seen = logits_of(network, patches.slices)
    biases = volume_biases(seen)
    add_biases(network, biases)
    return _Fitted(
        network=network,
        n_steps=trainer.global_step,
        is_finished=is_finished(trainer, recipe),
        biases=tuple(round(float(each), 4) for each in biases),
        temperature=find_temperature(
            SeenLogits(logits=seen.logits + biases, classes=seen.classes)
        ),
    )


def _silence() -> None:
    """Keep to ourselves what Lightning says of its services and of its own dependencies."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")


def _tile(recipe: Recipe) -> dict[str, Any]:
    """Give what the card says of the tiles."""
    chosen = ARCHITECTURES[recipe.architecture]
    edge = chosen.fixed_px or _TILE_PX
    return {
        "tile_px": (edge, edge),
        "divisor": chosen.divisor,
        "is_fixed_size": bool(chosen.fixed_px),
    }
