"""A network in training, for Lightning: loss, optimiser, and scores on other experiments."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lithoscope_models.train.losses import make_loss
from lithoscope_models.train.recipe import Recipe
from lithoscope_pipeline.evaluate import confusion_of, iou_of
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
        self.average = _average_of(self.network, recipe.averaging)
        self.loss = make_loss(recipe.loss, torch.from_numpy(np.asarray(frequencies)))
        self._confusion: Counts = np.zeros((len(class_names),) * 2, np.int64)
        self._alone = np.zeros_like(self._confusion)
        self._losses: list[float] = []

    def training_step(self, batch: tuple[Any, Any], index: int) -> Any:
        """Give the loss of a batch."""
        x, classes = batch
        loss = self.loss(self._logits(x, self.network), classes)
        self._losses.append(float(loss.detach()))
        return loss

    def _logits(self, x: torch.Tensor, network: Any) -> torch.Tensor:
        return network(x.contiguous(memory_format=torch.channels_last))

    @property
    def best_network(self) -> Any:
        """What is scored and kept: the mean of the weights so far, or the last ones."""
        return self.network if self.average is None else self.average.module

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the new weights into the mean."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the last count."""
        self._confusion[:] = 0
        self._alone[:] = 0

    def validation_step(self, batch: tuple[Any, Any], index: int) -> None:
        """Count the voxels of a batch by truth and finding."""
        x, classes = batch
        self._confusion += self._counted(x, classes)
        earlier = self.recipe.inputs.inputs.earlier_channels
        if earlier:
            alone = x.clone()
            alone[:, list(earlier)] = 0.0
            self._alone += self._counted(alone, classes)

    def _counted(self, x: torch.Tensor, classes: torch.Tensor) -> Counts:
        found = self._logits(x, self.best_network).float().max(dim=1).indices
        return confusion_of(classes.cpu().numpy(), found.cpu().numpy(), len(self._confusion))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of this validation and the mean loss since the last one."""
        if self.trainer.sanity_checking:
            return
        iou = iou_of(self._gathered(self._confusion))
        scores = {f"iou_{name}": iou[i] for i, name in enumerate(self.class_names)}
        scores["macro_iou"] = float(np.nanmean(iou))
        alone = self._gathered(self._alone)
        if alone.any():
            scores["single_scan_macro_iou"] = float(np.nanmean(iou_of(alone)))
        scores["loss"] = float(np.mean(self._losses)) if self._losses else float("nan")
        scores["step"] = float(self.trainer.global_step)
        self._losses.clear()
        self.log_dict(scores, rank_zero_only=True)

    def _gathered(self, counts: Counts) -> Counts:
        """Add the counts of all devices."""
        if self.trainer.world_size == 1:
            return counts
        gathered = self.all_gather(torch.from_numpy(counts).to(self.device))
        return np.asarray(gathered.sum(dim=0).cpu().numpy())

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


def _average_of(network: Any, kept: float) -> AveragedModel | None:
    """Begin a moving mean of weights and of what batch normalisation has seen; 0 for none."""
    if kept == 0:
        return None
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(kept), use_buffers=True)
    return mean.requires_grad_(False)
