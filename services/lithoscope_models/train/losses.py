"""What training makes small; voxels without a label count nowhere."""

from collections.abc import Callable
from typing import Any, Final

import torch
from monai.losses import TverskyLoss
from torch.nn import functional

from lithoscope_pipeline.labels import UNLABELLED

Loss = Callable[[Any, Any], Any]  # of torch.Tensor, which has no types here

_CLASS_POWER: Final = 0.5  # weights fall with the root of the frequency of a class
_MISSED_WEIGHT: Final = 0.5  # of false negatives in Tversky's index; the rest for positives
_FOCUS: Final = 0.75  # exponent of the focal Tversky loss (Abraham and Khan 2019)
_MIXED_CLASS_POWER: Final = 0.25


def make_loss(name: str, frequencies: torch.Tensor) -> Loss:
    """Make a loss of logits (n, classes, h, w) and classes (n, h, w).

    Parameters
    ----------
    name
        ``cross-entropy``; ``balanced``, weighted by the root of the inverse frequency;
        ``tversky``, ``focal-tversky``; ``mixed``, Tversky's and a slightly balanced cross-entropy.
    frequencies
        Share of each class in the labels, shape (classes,).
    """
    if name == "cross-entropy":
        return _cross_entropy(frequencies, 0.0)
    if name == "balanced":
        return _cross_entropy(frequencies, _CLASS_POWER)
    if name == "tversky":
        return _tversky(1.0)
    if name == "focal-tversky":
        return _tversky(_FOCUS)
    entropy, overlap = _cross_entropy(frequencies, _MIXED_CLASS_POWER), _tversky(1.0)
    return lambda logits, classes: entropy(logits, classes) + overlap(logits, classes)


def _cross_entropy(frequencies: torch.Tensor, power: float) -> Loss:
    weights = frequencies.clamp(min=1e-5) ** -power
    weights = (weights / weights.mean()).float()

    def loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            logits, classes, weight=weights.to(logits.device), ignore_index=UNLABELLED
        )

    return loss


def _tversky(focus: float) -> Loss:
    """Mean over the classes that occur of (1 - Tversky's index) ** focus, over the whole batch."""
    index = TverskyLoss(
        softmax=False,
        alpha=1.0 - _MISSED_WEIGHT,
        beta=_MISSED_WEIGHT,
        batch=True,
        reduction="none",
    )

    def loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        known = (classes != UNLABELLED).unsqueeze(1)
        shares = functional.softmax(logits.float(), dim=1) * known
        # Not one_hot, whose int64 takes twice as long; what is unlabelled is no class.
        kinds = torch.arange(logits.shape[1], device=classes.device)[:, None, None]
        truth = (classes.unsqueeze(1) == kinds).to(shares.dtype)
        occurs = truth.sum(dim=(0, 2, 3)) > 0
        missing = index(shares, truth).reshape(-1).clamp(min=1e-6)
        return (missing[occurs] ** focus).mean()

    return loss
