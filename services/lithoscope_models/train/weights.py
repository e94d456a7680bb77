"""Weights of a model for a network in training."""

from typing import Any

from lithoscope_models.errors import RecipeError
from lithoscope_models.model_file import Model
from lithoscope_models.train.recipe import Recipe


def load_weights(network: Any, model: Model, recipe: Recipe) -> None:
    """Give a network the weights of a model of the same kind.

    Parameters
    ----------
    network
        Built as the recipe says, a torch.nn.Module; it is changed.
    model
        Whose weights.
    recipe
        What the network is.

    Raises
    ------
    RecipeError
        If the model is of another kind.
    """
    from safetensors.torch import load

    card = model.card
    if (card.architecture, card.arguments) != (recipe.architecture, recipe.arguments) or (
        card.inputs.inputs.n_channels != recipe.inputs.inputs.n_channels
    ):
        raise RecipeError(
            f"{model.folder} is a {card.architecture} with {card.inputs.inputs.n_channels} "
            f"channels, the recipe wants a {recipe.architecture} with "
            f"{recipe.inputs.inputs.n_channels}; begin with a model of the same kind"
        )
    network.load_state_dict(load(model.weights()))
