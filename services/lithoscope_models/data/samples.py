"""Patches for training: a slice, earlier scans as registration would leave them, and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.augment import NO_AUGMENTATION, Augmentation, augment, padded
from lithoscope_models.data.files import StoredExperiment, StoredScan
from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.networks import ModelInputs, SeenScan, network_inputs, warp_earlier

_FOCUS_PX = 24.0  # standard deviation of where a face lies in a patch


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleParameters:
    """How patches are drawn.

    Parameters
    ----------
    patch_px
        Rows and columns.
    absent_share
        Share of patches without the previous scan; as many lack the first one, as many both.
    misregistration_px
        Largest error of where an earlier scan lies, along each axis and for each side apart.
    rough_share
        Share of patches with such an error; the others are off by a quarter of a voxel.
    focus_share
        Share of cross-section patches around one of the inner faces, where things grow; the
        others lie anywhere. Along the electrode patches are drawn evenly in any case, so that
        every class is as frequent beside an electrode as it is in truth.
    unlike_share
        Share of patches whose earlier scans show another place.
    augmentation
        What else is changed.
    """

    patch_px: tuple[int, int] = (256, 192)
    absent_share: float = 0.08
    misregistration_px: float = 3.0
    rough_share: float = 0.25
    focus_share: float = 0.85
    unlike_share: float = 0.03
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Channels of a patch, (n_channels, rows, columns), and its classes, (rows, columns)."""

    x: NDArray[np.float32]
    classes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """How far an earlier scan lies from where it is thought to be, voxels.

    Parameters
    ----------
    z_px, x_px
        In the plane, whole voxels.
    stripping_px, plating_px
        Of each face along y, shape (n_x,) or a number.
    """

    z_px: int = 0
    x_px: int = 0
    stripping_px: float | NDArray[np.float64] = 0.0
    plating_px: float | NDArray[np.float64] = 0.0


class Samples:
    """Patches by their number: the same number gives the same patch.

    Parameters
    ----------
    experiments
        Where from. Scans are numbered by their place in each.
    inputs
        Channels.
    parameters
        How they are drawn.
    seed
        Of all choices.
    """

    def __init__(
        self,
        experiments: Sequence[StoredExperiment],
        inputs: ModelInputs,
        parameters: SampleParameters,
        *,
        seed: int,
    ) -> None:
        if not any(experiment.scans for experiment in experiments):
            raise TrainingDataError("no labelled scans were given; make or name some")
        self._experiments = list(experiments)
        self._inputs = inputs
        self._parameters = parameters
        self._seed = seed

    def draw(self, number: int) -> Sample:
        """Give the patch of a number, changed as the parameters say."""
        rng = np.random.default_rng([self._seed, number])
        how = self._parameters
        experiment = self._experiments[int(rng.integers(len(self._experiments)))]
        index = int(rng.integers(len(experiment.scans)))
        axis = self._inputs.slice_axis
        allowed = experiment.scans[index].allowed(axis)
        at = int(allowed[rng.integers(len(allowed))])
        previous, first = self._drawn_earlier(experiment, index, rng)
        flips = rng.random(2) < 0.5
        sample = sample_at(
            experiment,
            index,
            at,
            self._inputs,
            previous=previous,
            first=first,
            errors=(self._drawn_error(experiment, rng), self._drawn_error(experiment, rng)),
        )
        x, classes = _flipped(sample, self._inputs, flips)
        start = [_drawn_start(n, p, rng) for n, p in zip(classes.shape, how.patch_px, strict=True)]
        if axis == 0 and rng.random() < how.focus_share:
            face_px = experiment.scans[index].references.edges_px[1 + int(rng.random() < 0.6)]
            middle = face_px + rng.normal(0.0, _FOCUS_PX) - how.patch_px[0] / 2
            start[0] = int(np.clip(round(middle), *_room(classes.shape[0], how.patch_px[0])))
        x, classes = padded(x, classes, how.patch_px, (start[0], start[1]))
        x, classes = augment(x, classes, self._inputs.channels, rng, how=how.augmentation)
        return Sample(x=x, classes=classes)

    def _drawn_earlier(
        self, experiment: StoredExperiment, index: int, rng: np.random.Generator
    ) -> tuple[int | None, int | None]:
        """Draw which scans are shown as the previous one and the first; None for none."""
        share = self._parameters.absent_share
        u = rng.random()
        # Half of the time the one right before, else any: experiments are scanned as often as
        # one likes, and scans get lost.
        back = 1 if rng.random() < 0.5 else int(rng.integers(1, max(index, 1) + 1))
        previous = max(index - back, 0) if index else None
        first = 0 if index else None
        if u < 2 * share or experiment.scans[0].scan != 0:
            first = None
        if u < share or 2 * share <= u < 3 * share:
            previous = None
        return previous, first

    def _drawn_error(self, experiment: StoredExperiment, rng: np.random.Generator) -> Error:
        how = self._parameters
        n_z, _, n_x = experiment.scans[0].grey.shape
        along = np.linspace(-1.0, 1.0, n_x)
        if rng.random() < how.unlike_share:
            return Error(z_px=int(rng.integers(n_z)), x_px=int(rng.integers(n_x)))
        reach = how.misregistration_px * rng.random()
        if rng.random() >= how.rough_share:
            low, high, slope = rng.normal(0.0, min(0.25, how.misregistration_px), 3)
            return Error(stripping_px=low + slope * along / 2, plating_px=high + slope * along / 2)
        z, x, low, high, slope = rng.uniform(-reach, reach, 5)
        return Error(
            z_px=round(z / 2),
            x_px=round(x / 2),
            stripping_px=low + slope * along / 4,
            plating_px=high + slope * along / 4,
        )


def sample_at(
    experiment: StoredExperiment,
    index: int,
    at: int,
    inputs: ModelInputs,
    *,
    previous: int | None,
    first: int | None,
    errors: tuple[Error, Error] | None = None,
) -> Sample:
    """Give a whole slice with its channels.

    Parameters
    ----------
    experiment
        Where from.
    index
        Place of the scan in it.
    at
        The slice.
    inputs
        Channels.
    previous, first
        Places of the earlier scans that are shown, None for none.
    errors
        What registration has left of the previous scan and of the first one.
    """
    now = experiment.scans[index]
    wrong = errors or (Error(), Error())
    z_rows, middle = _rows(now, at, inputs)
    seen = []
    for place, error in zip((previous, first), wrong, strict=True):
        shown = None if place is None else experiment.scans[place]
        seen.append(_over(now, shown, experiment.scans[0], z_rows, error))
    x = network_inputs(
        SeenScan(volume=_grey(now, z_rows), references=now.references),
        previous=seen[0],
        first=seen[1],
        inputs=inputs,
        voxel_um=experiment.voxel_um,
        slices=(middle, middle + 1),
    )[0]
    classes = now.classes[at] if inputs.slice_axis == 0 else now.classes[:, at]
    return Sample(x=x, classes=np.array(classes))


def _rows(scan: StoredScan, at: int, inputs: ModelInputs) -> tuple[NDArray[np.intp], int]:
    """Give the rows along z that a slice needs, and its place in them along the slice axis."""
    n_z = scan.grey.shape[0]
    if inputs.slice_axis == 1:
        return np.arange(n_z), at
    halo = inputs.halo
    return np.clip(np.arange(at - halo, at + halo + 1), 0, n_z - 1), halo


def _grey(scan: StoredScan, z_rows: NDArray[np.intp]) -> NDArray[np.float32]:
    return np.asarray(scan.grey[z_rows], np.float32)


def _over(
    now: StoredScan,
    earlier: StoredScan | None,
    pristine: StoredScan,
    z_rows: NDArray[np.intp],
    error: Error,
) -> SeenScan | None:
    """Lay an earlier scan over the present one; None if there is none or a face is missing."""
    if earlier is None or now.shifts_px is None or earlier.shifts_px is None:
        return None
    n_z, _, n_x = now.grey.shape
    rows = (z_rows + error.z_px) % n_z if abs(error.z_px) > 3 else z_rows + error.z_px
    grey = _grey(earlier, np.clip(rows, 0, n_z - 1))
    columns = (np.arange(n_x) + error.x_px) % n_x
    stripping = now.shifts_px[0][z_rows] - earlier.shifts_px[0][z_rows] + error.stripping_px
    plating = now.shifts_px[1][z_rows] - earlier.shifts_px[1][z_rows] + error.plating_px
    inner_px = pristine.references.edges_px[2] + float(earlier.shifts_px[1].mean())
    volume = warp_earlier(
        grey[:, :, columns],
        stripping.astype(np.float32),
        plating.astype(np.float32),
        plating_inner_px=inner_px,
    )
    return SeenScan(volume=volume, references=earlier.references)


def _flipped(
    sample: Sample, inputs: ModelInputs, flips: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Flip a slice along x, and along z: the order of neighbours in a cross-section."""
    x, classes = sample.x, sample.classes
    if flips[0]:
        x, classes = x[:, :, ::-1], classes[:, ::-1]
    if flips[1] and inputs.slice_axis == 1:
        x, classes = x[:, ::-1], classes[::-1]
    elif flips[1]:
        opposite = {name: index for index, name in enumerate(inputs.channels)}
        swap = str.maketrans("+-", "-+")
        order = [
            opposite.get(name.translate(swap), index) for index, name in enumerate(inputs.channels)
        ]
        x = x[order]
    return np.array(x), np.array(classes)


def _room(n: int, patch: int) -> tuple[int, int]:
    """Give the first and the last place where a patch may begin."""
    return min(n - patch, 0), max(n - patch, 0)


def _drawn_start(n: int, patch: int, rng: np.random.Generator) -> int:
    low, high = _room(n, patch)
    return int(rng.integers(low, high + 1))


PLAIN = SampleParameters(
    absent_share=0.0, misregistration_px=0.0, unlike_share=0.0, augmentation=NO_AUGMENTATION
)
