"""A network in training, for Lightning: loss, optimiser, and scores on other experiments."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray

from lithoscope_models.train.losses import make_loss
from lithoscope_models.train.recipe import Recipe
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.networks import build_network

Counts = NDArray[np.int64]


class NetworkInTraining(LightningModule):  # type: ignore[misc]  # lightning has no types here
    """What Lightning steps through.

    Parameters
    ----------
    recipe
        How the network is trained.
    class_names
        Of its outputs.
    frequencies
        Share of each class in the labels.
    """

    def __init__(
        self, recipe: Recipe, class_names: tuple[str, ...], frequencies: NDArray[np.float64]
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.class_names = class_names
        self.network = build_network(
            recipe.architecture,
            recipe.inputs.inputs,
            n_classes=len(class_names),
            arguments=recipe.arguments,
        ).to(memory_format=torch.channels_last)
        self.loss = make_loss(recipe.loss, torch.from_numpy(np.asarray(frequencies)))
        self._confusion: Counts = np.zeros((len(class_names),) * 2, np.int64)
        self._losses: list[float] = []

    def training_step(self, batch: tuple[Any, Any], index: int) -> Any:
        """Give the loss of a batch."""
        x, classes = batch
        loss = self.loss(self._logits(x), classes)
        self._losses.append(float(loss.detach()))
        return loss

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x.contiguous(memory_format=torch.channels_last))

    def on_validation_epoch_start(self) -> None:
        """Forget the last count."""
        self._confusion[:] = 0

    def validation_step(self, batch: tuple[Any, Any], index: int) -> None:
        """Count the voxels of a batch by truth and finding."""
        x, classes = batch
        found = self._logits(x).float().max(dim=1).indices
        self._confusion += confusion_of(
            classes.cpu().numpy(), found.cpu().numpy(), len(self._confusion)
        )

    def on_validation_epoch_end(self) -> None:
        """Log the scores of this validation and the mean loss since the last one."""
        if self.trainer.sanity_checking:
            return
        counts = torch.from_numpy(self._confusion).to(self.device)
        if self.trainer.world_size > 1:
            counts = self.all_gather(counts).sum(dim=0)
        iou = iou_of(counts.cpu().numpy())
        scores = {f"iou_{name}": iou[i] for i, name in enumerate(self.class_names)}
        scores["macro_iou"] = float(np.nanmean(iou))
        scores["loss"] = float(np.mean(self._losses)) if self._losses else float("nan")
        scores["step"] = float(self.trainer.global_step)
        self._losses.clear()
        self.log_dict(scores, rank_zero_only=True)

    def configure_optimizers(self) -> dict[str, Any]:
        """One cycle of the learning rate over all steps."""
        recipe = self.recipe
        kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
        optimiser = kind(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=recipe.learning_rate, total_steps=recipe.n_steps + 1, pct_start=0.15
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def confusion_of(truth: NDArray[Any], found: NDArray[Any], n_classes: int) -> Counts:
    """Count voxels by (truth, finding), leaving out what is not labelled."""
    known = truth != UNLABELLED
    pairs = n_classes * truth[known].astype(np.int64) + found[known]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def iou_of(confusion: Counts) -> NDArray[np.float64]:
    """Give intersection over union of each class; NaN for one that is nowhere."""
    both = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - both
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)
