"""E-Net: networks that were trained apart, and the weights with which they are best together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.torch import load
from torch.utils.data import Dataset

from lithoscope_models.card import CardDraft
from lithoscope_models.engines.torch_engine import load_network
from lithoscope_models.errors import RecipeError
from lithoscope_models.export import export_model
from lithoscope_models.model_file import Model, load_model, model_sha256
from lithoscope_models.train.calibration import find_temperature, logits_of
from lithoscope_models.train.data import prepare_data
from lithoscope_models.train.datasets import WholeSlices
from lithoscope_models.train.recipe import Recipe
from lithoscope_pipeline.evaluate import confusion_of, iou_of
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import ARCHITECTURES, build_network
from lithoscope_pipeline.networks.enet import MEMBERS
from lithoscope_pipeline.networks.ensemble import ensemble_weights

_ENET: Final = "enet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """What was made of several networks.

    Parameters
    ----------
    folder
        Of the model.
    weights
        Of `MEMBERS`, in tenths, adding up to 1.
    macro_iou
        On the validation slices that the weights were chosen on.
    """

    folder: Path
    weights: tuple[float, ...]
    macro_iou: float


def combine(
    models: Sequence[str],
    out: Path,
    *,
    data_folder: Path,
    command: str,
    tell: Callable[[str], None],
) -> Ensemble:
    """Make an E-Net of a U-Net, a Y-Net and a TransforCNN, by the validation data of the first.

    Parameters
    ----------
    models
        Names or folders of the three, in any order.
    out
        Folder of the model.
    data_folder
        Where simulated experiments are kept; those that are missing are made.
    command
        Goes into the card.
    tell
        Takes lines about what is going on.

    Raises
    ------
    RecipeError
        If the models are not one of each kind with the same inputs.
    """
    members = _in_order([load_model(each) for each in models])
    card = members[0].card
    recipe = Recipe.model_validate(card.training["recipe"], strict=False)
    data = prepare_data(recipe, data_folder, tell)
    chosen = ARCHITECTURES[_ENET]
    slices = WholeSlices(data.validation, recipe, divisor=chosen.divisor, fixed_px=chosen.fixed_px)
    weights = choose_weights([load_network(each) for each in members], slices)
    network = build_network(_ENET, card.inputs.inputs, arguments={"weights": weights})
    for inner, member in zip(network.members, members, strict=True):
        inner.load_state_dict(load(member.weights()))
    seen = logits_of(network, slices)
    found = seen.logits.max(dim=1).indices
    iou = iou_of(confusion_of(seen.classes.numpy(), found.numpy(), len(SegmentClass)))
    scores = {f"iou_{each.key}": round(float(iou[each]), 4) for each in SegmentClass}
    macro = float(np.nanmean(iou))
    edge = chosen.fixed_px
    draft = CardDraft(
        name=_ENET,
        architecture=_ENET,
        arguments={"weights": list(weights)},
        classes=card.classes,
        inputs=card.inputs,
        tile_px=(edge, edge),
        divisor=chosen.divisor,
        is_fixed_size=True,
        temperature=find_temperature(seen),
        voxel_um=card.voxel_um,
        training={
            "command": command,
            "members": {each.card.name: model_sha256(each.folder) for each in members},
            "simulator_version": card.training.get("simulator_version"),
            "experiments": _named(members, "experiments"),
            "validation": _named(members, "validation"),
        },
        scores={"validation": {**scores, "macro_iou": round(macro, 4)}},
    )
    export_model(network, draft, out)
    return Ensemble(folder=out, weights=weights, macro_iou=macro)


def choose_weights(networks: Sequence[Any], slices: Dataset[Any]) -> tuple[float, ...]:
    """Choose the weights of what networks find likely in validation slices.

    Parameters
    ----------
    networks
        Trained, torch.nn.Module.
    slices
        Channels and classes of each slice.
    """
    seen = [logits_of(each, slices) for each in networks]
    return ensemble_weights(
        [each.logits.softmax(dim=1).numpy() for each in seen],
        seen[0].classes.numpy().astype(np.uint8),
    )


def _in_order(models: Sequence[Model]) -> list[Model]:
    """Sort models as `MEMBERS` are."""
    by_kind = {each.card.architecture: each for each in models}
    if len(models) != len(MEMBERS) or set(by_kind) != set(MEMBERS):
        given = ", ".join(each.card.architecture for each in models)
        raise RecipeError(f"{given} were given; an E-Net is one each of {', '.join(MEMBERS)}")
    members = [by_kind[name] for name in MEMBERS]
    first = members[0].card
    for each in members:
        if each.card.inputs != first.inputs or "recipe" not in each.card.training:
            raise RecipeError(
                f"{each.folder} has other inputs than {members[0].folder}, or no recipe; "
                "train all three by recipes with the same [inputs]"
            )
    return members


def _named(members: Sequence[Model], what: str) -> list[str]:
    """Name the experiments that any of the members knows."""
    return sorted({name for each in members for name in each.card.training.get(what, ())})
