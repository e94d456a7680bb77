"""What methods are compared on: some slices of held-out scans, with the scans before them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lithoscope_models.cell_rows import cell_rows, known_rows
from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.files import StoredExperiment, make_experiment, read_experiment
from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.networks import ModelInputs
from lithoscope_pipeline.phantom import FamilyName, SizeName
from lithoscope_pipeline.segment import GreyReferences


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Simulated experiments that nothing was trained on.

    Parameters
    ----------
    seeds
        One cell each.
    scans
        That are scored; each one is shown with the scan right before it and the first.
    n_slices
        Side by side in the middle of each scan.
    size, family
        Of the cells.
    """

    seeds: tuple[int, ...] = (201, 202)
    scans: tuple[int, ...] = (4, 8, 12, 16, 20)
    n_slices: int = 12
    size: SizeName = "small"
    family: FamilyName = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Some slices of a scan.

    Parameters
    ----------
    experiment, index
        The scan by its place in its experiment.
    first_slice, n_slices
        Which slices.
    """

    experiment: StoredExperiment
    index: int
    first_slice: int
    n_slices: int

    @property
    def slices(self) -> range:
        """Places of the slices along z."""
        return range(self.first_slice, self.first_slice + self.n_slices)

    @property
    def references(self) -> GreyReferences:
        """Grey values of the scan."""
        return self.experiment.scans[self.index].references

    @property
    def rows(self) -> slice:
        """Rows along y that are scored."""
        return slice(*known_rows(self.references, self._n_y, self.experiment.voxel_um))

    def shown_rows(self, inputs: ModelInputs) -> slice:
        """Give the rows along y that a network is shown: those, from where it wants to begin."""
        first, _ = cell_rows(self.references, self._n_y, self.experiment.voxel_um, inputs)
        return slice(min(first, self.rows.start), self.rows.stop)

    @property
    def _n_y(self) -> int:
        return int(self.experiment.scans[self.index].grey.shape[1])

    @property
    def truth(self) -> LabelVolume:
        """True classes of the rows, shape (n_slices, n_y, n_x)."""
        classes = self.experiment.scans[self.index].classes
        chosen = slice(self.first_slice, self.first_slice + self.n_slices)
        return np.array(classes[chosen, self.rows])

    @property
    def grey(self) -> FloatVolume:
        """Grey values, electrode 0 and electrolyte 1, same shape."""
        scan = self.experiment.scans[self.index]
        chosen = slice(self.first_slice, self.first_slice + self.n_slices)
        part = np.asarray(scan.grey[chosen, self.rows], np.float32)
        contrast = self.references.electrolyte - self.references.electrode
        return (part - np.float32(self.references.electrode)) / np.float32(contrast)


def held_out_cases(held_out: HeldOut, folder: Path) -> Iterator[Case]:
    """Make or open the experiments and give their scans.

    Parameters
    ----------
    held_out
        Which.
    folder
        Where simulated experiments are kept.
    """
    wanted = tuple(sorted({0} | {s for scan in held_out.scans for s in (scan, max(scan - 1, 0))}))
    for seed in held_out.seeds:
        draw = CellDraw(seed=seed, size=held_out.size, family=held_out.family)
        experiment = read_experiment(make_experiment(folder, draw, wanted, "chain"))
        yield from cases_of(experiment, held_out.scans, held_out.n_slices)


def cases_of(experiment: StoredExperiment, scans: Sequence[int], n_slices: int) -> Iterator[Case]:
    """Give some scans of an experiment, the slices in their middle."""
    for index, scan in enumerate(experiment.scans):
        if scan.scan in scans:
            n = min(n_slices, len(scan.grey))
            first = (len(scan.grey) - n) // 2
            yield Case(experiment=experiment, index=index, first_slice=first, n_slices=n)


def check_seeds(held_out: HeldOut, trained_on: Sequence[str], name: str) -> None:
    """Refuse to score a network on experiments that it was trained or validated on.

    Raises
    ------
    TrainingDataError
        If one of them was; names of experiments are those of its card.
    """
    for seed in held_out.seeds:
        key = f"-{held_out.size}-{held_out.family}-{seed}-"
        if any(key in each for each in trained_on):
            raise TrainingDataError(
                f"{name} was trained or validated on cell {seed}; name other --seeds"
            )
