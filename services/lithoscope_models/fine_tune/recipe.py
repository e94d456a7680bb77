"""How a network goes on learning from a few painted slices."""

from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from lithoscope_models.card import ModelCard
from lithoscope_models.errors import RecipeError
from lithoscope_models.train.recipe import Recipe, SampleTable
from lithoscope_pipeline.networks import ARCHITECTURES

#: Two minutes of one core for the default network, and as much for drawing patches.
N_STEPS: Final = 400
_LEARNING_RATE: Final = 1e-3
_BATCH: Final = 6
_VALIDATIONS: Final = 4
_PATCH_PX: Final = (128, 192)
_ALL_SLICES: Final = 1000


def fine_tune_recipe(
    card: ModelCard, painted: Path, *, name: str, n_steps: int, seed: int
) -> Recipe:
    """Write the recipe of a further round on painted slices.

    Parameters
    ----------
    card
        Of the network that goes on learning; patches are drawn as it had them, but around what
        was painted.
    painted
        Folder that `write_painted` has written.
    name
        Of the new model.
    n_steps, seed
        As in a recipe.

    Raises
    ------
    RecipeError
        If the network cannot be trained.
    """
    told = card.training.get("recipe", {})
    samples = told.get("samples", {}) if isinstance(told, dict) else {}
    fixed_px = (
        ARCHITECTURES[card.architecture].fixed_px if card.architecture in ARCHITECTURES else 0
    )
    patch_px = (fixed_px, fixed_px) if fixed_px else _PATCH_PX
    try:
        drawn: dict[str, Any] = {**samples, "patch_px": patch_px, "labelled_share": 1.0}
        return Recipe(
            name=name,
            architecture=card.architecture,
            arguments=card.arguments,
            inputs=card.inputs,
            painted=(str(painted),),
            samples=SampleTable.model_validate(drawn, strict=False),
            seed=seed,
            n_steps=n_steps,
            batch=_BATCH,
            validate_every=max(1, n_steps // _VALIDATIONS),
            n_validation_slices=_ALL_SLICES,
            learning_rate=_LEARNING_RATE,
            precision=told.get("precision", "32") if isinstance(told, dict) else "32",
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{card.name}: {first['loc']}: {first['msg']}; train it anew") from error
