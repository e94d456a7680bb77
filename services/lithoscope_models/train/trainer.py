"""Lightning's trainer as a recipe wants it: steps, checkpoints, early stop, curves."""

import csv
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer, TQDMProgressBar
from torch.utils import deterministic

from lithoscope_models.train.curves import CURVES_CSV
from lithoscope_models.train.machine import CHECKPOINTS, Machine
from lithoscope_models.train.recipe import Recipe


def make_trainer(
    recipe: Recipe,
    out: Path,
    use: Machine,
    *,
    is_watched: bool,
    on_step: Callable[[int], None] | None = None,
) -> Trainer:
    """Make the trainer; what is stochastic in it follows from the seed of the recipe."""
    keeper = ModelCheckpoint(
        dirpath=out / CHECKPOINTS,
        filename="best",
        monitor="macro_iou",
        mode="max",
        save_last=True,
        # At its end an epoch is whole; one saved within it cannot be gone on with.
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [
        Curves(out / CURVES_CSV),
        keeper,
        EarlyStopping(
            monitor="macro_iou",
            mode="max",
            patience=recipe.patience,
            # A resumed training ends its last epoch anew, before it has scores.
            check_on_train_epoch_end=False,
        ),
    ]
    if use.time_limit_s is not None:
        callbacks.append(Timer(duration=timedelta(seconds=use.time_limit_s), interval="epoch"))
    if is_watched:
        callbacks.append(TQDMProgressBar())
    if on_step is not None:
        callbacks.append(Steps(on_step))
    # Asked for determinism torch also fills memory that it is about to write: a tenth of a step.
    deterministic.fill_uninitialized_memory = False
    return Trainer(
        accelerator=use.accelerator,
        devices=use.n_devices,
        strategy="ddp" if use.n_devices > 1 else "auto",
        precision=recipe.precision,
        deterministic=True,
        max_steps=recipe.n_steps,
        max_epochs=-1,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=is_watched,
        enable_model_summary=False,
    )


def is_finished(trainer: Trainer, recipe: Recipe) -> bool:
    """Say whether a training went to its end: all steps, or no progress any more."""
    stopper = trainer.early_stopping_callback
    return bool(trainer.global_step >= recipe.n_steps or (stopper and stopper.stopped_epoch > 0))


class Steps(Callback):  # type: ignore[misc, unused-ignore]  # lightning has no types here
    """Says after each step how many are taken."""

    def __init__(self, on_step: Callable[[int], None]) -> None:
        super().__init__()
        self._on_step = on_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Say it."""
        self._on_step(trainer.global_step)


class Curves(Callback):  # type: ignore[misc, unused-ignore]  # lightning has no types here
    """Writes a row at each validation; rows after the step of a resumed training are dropped."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the scores of this validation."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        row = {name: f"{float(value):.6g}" for name, value in trainer.callback_metrics.items()}
        rows = [each for each in self._rows() if float(each["step"]) < float(row["step"])]
        partial = self._path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            names = ["step", *sorted(name for name in row if name != "step")]
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows([*rows, row])
        os.replace(partial, self._path)

    def _rows(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return list(csv.DictReader(file))
