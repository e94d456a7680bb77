"""Labelled scans as PyTorch reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset

from lithoscope_models.data.augment import NO_AUGMENTATION, Augmentation, padded
from lithoscope_models.data.files import StoredExperiment
from lithoscope_models.data.samples import SampleParameters, Samples
from lithoscope_models.data.slices import sample_at
from lithoscope_models.train.recipe import Recipe
from lithoscope_pipeline.networks import FACE_STEP_PX

_MAX_SCORED = 24  # slices at each validation; volumes are set and temperature found on all
Pair = tuple[torch.Tensor, torch.Tensor]


class DrawnPatches(Dataset[Pair]):  # type: ignore[misc, unused-ignore]  # torch has no types here
    """Patches from a number on: what one validation is apart from the next."""

    def __init__(self, samples: Samples, first: int, n: int) -> None:
        self._samples = samples
        self._first = first
        self._n = n

    def __len__(self) -> int:
        """Patches."""
        return self._n

    def __getitem__(self, index: int) -> Pair:
        """Draw one."""
        sample = self._samples.draw(self._first + index)
        return torch.from_numpy(sample.x), torch.from_numpy(sample.classes.astype(np.int64))


class WholeSlices(Dataset[Pair]):  # type: ignore[misc, unused-ignore]  # torch has no types here
    """Some slices of each scan, as they are, with the scan before and the first one.

    Parameters
    ----------
    experiments
        Where from.
    recipe
        Channels; slices are padded to a multiple of the patch's smallest power of two.
    slices_of
        Places of the slices that may be taken, by the name of the experiment; all by default.
    """

    def __init__(
        self,
        experiments: Sequence[StoredExperiment],
        recipe: Recipe,
        *,
        divisor: int,
        fixed_px: int,
    ) -> None:
        self._inputs = recipe.inputs.inputs
        self._divisor = divisor
        self._fixed_px = fixed_px
        self._places = [
            (experiment, index, int(at))
            for experiment in experiments
            for index, scan in enumerate(experiment.scans)
            for at in _spread(scan.allowed(self._inputs.slice_axis), recipe.n_validation_slices)
        ]

    def __len__(self) -> int:
        """Slices."""
        return len(self._places)

    def __getitem__(self, number: int) -> Pair:
        """Give one, with the truth unlabelled where it was padded."""
        experiment, index, at = self._places[number]
        earlier = index - 1 if index else None
        sample = sample_at(
            experiment, index, at, self._inputs, previous=earlier, first=0 if index else None
        )
        shape = self._shape(sample.classes.shape)
        start = self._start(number, sample.classes.shape, shape)
        x, classes = padded(sample.x, sample.classes, shape, start)
        return torch.from_numpy(x), torch.from_numpy(classes.astype(np.int64))

    def _start(
        self, number: int, whole: tuple[int, ...], shape: tuple[int, int]
    ) -> tuple[int, int]:
        """Cut out of the middle; of a slice that is too large, around an inner face, by turns."""
        rows, columns = ((n - edge) // 2 for n, edge in zip(whole, shape, strict=True))
        experiment, index, _ = self._places[number]
        edges_px = experiment.scans[index].references.edges_px
        if rows > 0 and self._inputs.slice_axis == 0:
            face_px = edges_px[1 + number % 2]
            rows = int(np.clip(round(face_px - shape[0] / 2), 0, whole[0] - shape[0]))
        if self._inputs.face_phase_px is not None:
            rows = self._inputs.aligned_row(max(rows, 0), edges_px[1])
        return rows, columns

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if self._fixed_px:
            return self._fixed_px, self._fixed_px
        spare = 0 if self._inputs.face_phase_px is None else FACE_STEP_PX - 1
        rows, columns = (
            -(-n // self._divisor) * self._divisor for n in (shape[0] + spare, shape[1])
        )
        return rows, columns


def _spread(allowed: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Choose ``n`` of the allowed slices, evenly."""
    if len(allowed) == 0:
        return allowed
    places = (np.arange(n) + 0.5) / n * len(allowed)
    return allowed[np.unique(places.astype(np.intp))]


class TrainingData(LightningDataModule):  # type: ignore[misc, unused-ignore]  # no types here
    """What a recipe trains on and is validated on.

    Patches are numbered through the whole training, so that one that goes on after a kill draws
    those it would have drawn.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: Sequence[StoredExperiment],
        validation: Sequence[StoredExperiment],
        *,
        divisor: int,
        fixed_px: int,
        n_workers: int,
    ) -> None:
        super().__init__()
        table = recipe.samples
        self._recipe = recipe
        self._n_workers = n_workers
        self._samples = Samples(
            training,
            recipe.inputs.inputs,
            SampleParameters(
                **table.model_dump(exclude={"is_augmented"}),
                augmentation=Augmentation() if table.is_augmented else NO_AUGMENTATION,
            ),
            seed=recipe.seed,
        )
        self.slices = WholeSlices(validation, recipe, divisor=divisor, fixed_px=fixed_px)

    def train_dataloader(self) -> Any:
        """Give the patches until the next validation."""
        recipe, trainer = self._recipe, self.trainer
        n_devices = trainer.world_size
        n = recipe.validate_every * recipe.batch * n_devices
        patches = DrawnPatches(self._samples, trainer.current_epoch * n, n)
        sampler = DistributedSampler(patches, shuffle=False) if n_devices > 1 else None
        return DataLoader(
            patches,
            batch_size=recipe.batch,
            sampler=sampler,
            shuffle=False,
            num_workers=self._n_workers,
        )

    def val_dataloader(self) -> Any:
        """Give the slices that are scored."""
        n_devices = self.trainer.world_size
        step = max(1, -(-len(self.slices) // _MAX_SCORED))
        scored = Subset(self.slices, range(0, len(self.slices), step))
        sampler = DistributedSampler(scored, shuffle=False) if n_devices > 1 else None
        return DataLoader(scored, batch_size=1, sampler=sampler)
