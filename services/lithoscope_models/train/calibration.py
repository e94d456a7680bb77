"""After training: volumes as large as they are, and probabilities as sure as they should be.

Losses that reward overlap make rare classes too large where a voxel could be either. A constant
added to the logits of each class, which is a bias of the last layer, takes that back on validation
data; then one temperature for all classes makes the probabilities as sure as they are right.
"""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import Dataset

from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.labels import UNLABELLED

_TEMPERATURES: Final = torch.exp(torch.linspace(-1.0, 1.2, 45))
_MAX_SLICES: Final = 80
_EVERY: Final = 2  # neighbouring voxels say the same
_ROUNDS: Final = 40
_STEP: Final = 0.5
_LARGEST: Final = 2.0  # of a bias: more would mean that something else is wrong
_FEWEST: Final = 50  # voxels of a class that its bias is found from


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLogits:
    """Logits of voxels, shape (n, classes), and their classes, shape (n,)."""

    logits: torch.Tensor
    classes: torch.Tensor


def logits_of(network: Any, slices: Dataset[Any]) -> SeenLogits:
    """Let a network look at validation slices and keep some of the voxels.

    Parameters
    ----------
    network
        Trained, on the CPU; it is put into evaluation.
    slices
        Channels and classes of each slice.

    Raises
    ------
    TrainingDataError
        If no voxel is labelled.
    """
    n = len(slices)  # type: ignore[arg-type, unused-ignore]  # all of ours have a length
    logits, truth = [], []
    network.eval()
    with torch.inference_mode():
        for index in range(0, n, max(1, -(-n // _MAX_SLICES))):
            x, classes = slices[index]
            found = network(x[None])[0, :, ::_EVERY, ::_EVERY].float()
            known = classes[::_EVERY, ::_EVERY] != UNLABELLED
            logits.append(found[:, known].T)
            truth.append(classes[::_EVERY, ::_EVERY][known])
    if not logits or not sum(each.numel() for each in truth):
        raise TrainingDataError("no validation voxel has a label; name validation data")
    return SeenLogits(logits=torch.cat(logits), classes=torch.cat(truth))


def volume_biases(seen: SeenLogits) -> torch.Tensor:
    """Find what to add to the logits so that each class is found as often as it is there.

    Parameters
    ----------
    seen
        Logits of validation voxels.

    Returns
    -------
    torch.Tensor
        One number a class, of zero mean; 0 for a class of fewer than 50 voxels.
    """
    n_classes = seen.logits.shape[1]
    truth = torch.bincount(seen.classes, minlength=n_classes).float()
    is_known = truth >= _FEWEST
    biases = torch.zeros(n_classes)
    for _ in range(_ROUNDS):
        # max and not argmax, which takes many times as long on a processor.
        found = torch.bincount(
            (seen.logits + biases).max(dim=1).indices, minlength=n_classes
        ).float()
        change = torch.log((truth + 1.0) / (found + 1.0))
        biases += _STEP * torch.where(is_known, change, torch.zeros(n_classes))
        biases.clamp_(-_LARGEST, _LARGEST)
    return biases - biases.mean()


def add_biases(network: nn.Module, biases: torch.Tensor) -> None:
    """Add constants to the logits of a network, in the biases of its last convolution."""
    last = [
        each
        for each in network.modules()
        if isinstance(each, nn.Conv2d)
        and each.out_channels == len(biases)
        and each.bias is not None
    ]
    with torch.no_grad():
        last[-1].bias += biases.to(last[-1].bias)


def find_temperature(seen: SeenLogits) -> float:
    """Find what divides the logits so that validation data is most likely."""
    losses = torch.stack(
        [functional.cross_entropy(seen.logits / each, seen.classes) for each in _TEMPERATURES]
    )
    return round(float(_TEMPERATURES[losses.argmin()]), 3)
