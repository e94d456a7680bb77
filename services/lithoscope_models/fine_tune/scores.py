"""How a network does on slices that were held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lithoscope_models.data.files import StoredExperiment
from lithoscope_models.data.painted import FEWEST_VOXELS
from lithoscope_models.model_file import Model
from lithoscope_models.train.datasets import WholeSlices
from lithoscope_models.train.recipe import Recipe
from lithoscope_models.train.weights import load_weights
from lithoscope_pipeline.evaluate import confusion_of, iou_of
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import ARCHITECTURES, build_network

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSlice:
    """A held-out slice, all of shape (rows, columns).

    Parameters
    ----------
    grey
        Scaled so that electrode is 0 and electrolyte 1.
    painted, found
        `SegmentClass`; `UNLABELLED` where nobody painted.
    """

    grey: NDArray[np.float32]
    painted: NDArray[np.uint8]
    found: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutScores:
    """What a network makes of held-out slices.

    Parameters
    ----------
    confusion
        Painted voxels by (painted, found), shape (classes, classes).
    slices
        What it was shown, and what it found.
    """

    confusion: Counts
    slices: tuple[SeenSlice, ...]

    @property
    def iou(self) -> dict[str, float]:
        """Intersection over union of each class of which enough was painted."""
        found = iou_of(self.confusion)
        painted = self.confusion.sum(axis=1)
        return {
            each.key: round(float(found[each]), 4)
            for each in SegmentClass
            if painted[each] >= FEWEST_VOXELS
        }

    @property
    def n_voxels(self) -> dict[str, int]:
        """Painted voxels of each class that there is any of."""
        painted = self.confusion.sum(axis=1)
        return {each.key: int(painted[each]) for each in SegmentClass if painted[each]}


def score_model(
    model: Model, held_out: StoredExperiment, recipe: Recipe, *, with_earlier: bool = True
) -> HeldOutScores:
    """Let a model label held-out slices, and compare with what was painted there.

    Parameters
    ----------
    model
        Of the kind that the recipe trains.
    held_out
        Scans with the slices to look at.
    recipe
        What it is shown.
    with_earlier
        Whether it is shown earlier scans where there are some.
    """
    if not with_earlier:
        blind = [replace(scan, shifts_px=None) for scan in held_out.scans]
        held_out = replace(held_out, scans=tuple(blind))
    chosen = ARCHITECTURES[recipe.architecture]
    slices = WholeSlices((held_out,), recipe, divisor=chosen.divisor, fixed_px=chosen.fixed_px)
    network = build_network(
        recipe.architecture,
        recipe.inputs.inputs,
        n_classes=len(SegmentClass),
        arguments=recipe.arguments,
    )
    load_weights(network, model, recipe)
    return _look(network.eval(), slices, recipe)


def _look(network: Any, slices: Any, recipe: Recipe) -> HeldOutScores:  # torch has no types
    confusion = np.zeros((len(SegmentClass),) * 2, np.int64)
    seen: list[SeenSlice] = []
    middle = recipe.inputs.inputs.channels.index("now+0")
    with torch.inference_mode():
        for number in range(len(slices)):
            x, classes = slices[number]
            found = network(x[None])[0].max(dim=0).indices.numpy()
            painted = classes.numpy()
            confusion += confusion_of(painted, found, len(SegmentClass))
            seen.append(
                SeenSlice(
                    grey=x[middle].numpy(),
                    painted=painted.astype(np.uint8),
                    found=found.astype(np.uint8),
                )
            )
    return HeldOutScores(confusion=confusion, slices=tuple(seen))


def judge(scores: HeldOutScores, *, least_iou: float) -> str:
    """Say why a model does not count as validated; empty if it does.

    Parameters
    ----------
    scores
        On held-out slices.
    least_iou
        That each class needs of which enough was painted.
    """
    iou = scores.iou
    needed: Sequence[SegmentClass] = (SegmentClass.ELECTROLYTE, SegmentClass.ELECTRODE)
    missing = [each.key for each in needed if each.key not in iou]
    if missing:
        return f"{' and '.join(missing)} not painted in the slices that were held out"
    poor = [f"{name} {value:.2f}" for name, value in iou.items() if value < least_iou]
    if poor:
        return f"IoU under {least_iou:g} on held-out slices: {', '.join(poor)}"
    return ""
