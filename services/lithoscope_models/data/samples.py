"""Patches for training, drawn by their number from stored experiments."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.augment import NO_AUGMENTATION, Augmentation, augment, padded
from lithoscope_models.data.files import StoredExperiment, StoredScan
from lithoscope_models.data.slices import WHOLE, Error, Sample, sample_at
from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.networks import ModelInputs

_FOCUS_PX = 24.0  # standard deviation of where a face lies in a patch
_FACE_SD_PX = 0.15  # of where faces are found


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleParameters:
    """How patches are drawn.

    Parameters
    ----------
    patch_px
        Rows and columns.
    absent_share
        Share of patches without the previous scan; as many lack the first one, as many both.
    alone_share
        Share of further patches without either: the pass of a single scan is as much of a task as
        that with time, and nothing may hang on what earlier scans alone can say.
    pristine_share
        Share of patches of the first scan of a cell, in which there is little to learn.
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
    labelled_share
        Share of patches that hold a labelled voxel for certain: of slices that were painted here
        and there most others would hold none.
    face_share, face_error_px
        Share of patches in which the faces of the scan were found in the wrong place, and the
        largest error then; in the others they are off by a seventh of a voxel.
    augmentation
        What else is changed.
    """

    patch_px: tuple[int, int] = (256, 192)
    absent_share: float = 0.08
    alone_share: float = 0.0
    pristine_share: float = 0.05
    misregistration_px: float = 3.0
    rough_share: float = 0.25
    focus_share: float = 0.85
    unlike_share: float = 0.03
    labelled_share: float = 0.0
    face_share: float = 0.1
    face_error_px: float = 1.5
    augmentation: Augmentation = field(default_factory=Augmentation)


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
        drawable = [
            [at for at, scan in enumerate(each.scans) if len(scan.allowed(inputs.slice_axis))]
            for each in experiments
        ]
        if not all(drawable) or not drawable:
            raise TrainingDataError("no labelled scans were given; make or name some")
        self._experiments = list(experiments)
        self._drawable = drawable
        self._inputs = inputs
        self._parameters = parameters
        self._seed = seed

    def draw(self, number: int) -> Sample:
        """Give the patch of a number, changed as the parameters say."""
        rng = np.random.default_rng([self._seed, number])
        how = self._parameters
        number_of = int(rng.integers(len(self._experiments)))
        experiment = self._experiments[number_of]
        index = self._drawn_scan(experiment, self._drawable[number_of], rng)
        scan = experiment.scans[index]
        axis = self._inputs.slice_axis
        allowed = scan.allowed(axis)
        at = int(allowed[rng.integers(len(allowed))])
        shape = tuple(n for place, n in enumerate(scan.grey.shape) if place != axis)
        start = self._drawn_place(scan, shape, rng)
        if how.labelled_share and rng.random() < how.labelled_share:
            start = _around_labelled(np.take(scan.classes, at, axis), how.patch_px, rng)
        previous, first = self._drawn_earlier(experiment, index, rng)
        inside = [
            slice(max(low, 0), min(low + n, edge))
            for low, n, edge in zip(start, how.patch_px, shape, strict=True)
        ]
        sample = sample_at(
            experiment,
            index,
            at,
            self._inputs,
            previous=previous,
            first=first,
            errors=(self._drawn_error(experiment, rng), self._drawn_error(experiment, rng)),
            faces_px=self._drawn_faces(rng),
            # Earlier scans are warped along y: only across the electrodes can rows be left out.
            box=(inside[0], inside[1]) if axis == 0 else WHOLE,
        )
        if axis == 0:
            start = (min(start[0], 0), min(start[1], 0))
        x, classes = padded(sample.x, sample.classes, how.patch_px, start)
        x, classes = _flipped(x, classes, self._inputs, rng.random(2) < 0.5)
        x, classes = augment(x, classes, self._inputs.channels, rng, how=how.augmentation)
        return Sample(x=x, classes=classes)

    def _drawn_scan(
        self, experiment: StoredExperiment, drawable: list[int], rng: np.random.Generator
    ) -> int:
        has_pristine = experiment.scans[drawable[0]].scan == 0
        is_pristine = rng.random() < self._parameters.pristine_share and has_pristine
        if len(drawable) == 1 or is_pristine:
            return drawable[0]
        return drawable[int(rng.integers(has_pristine, len(drawable)))]

    def _drawn_place(
        self, scan: StoredScan, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[int, int]:
        how = self._parameters
        rows, columns = (_drawn_start(n, p, rng) for n, p in zip(shape, how.patch_px, strict=True))
        if self._inputs.slice_axis == 0 and rng.random() < how.focus_share:
            face_px = scan.references.edges_px[1 + int(rng.random() < 0.6)]
            middle = face_px + rng.normal(0.0, _FOCUS_PX) - how.patch_px[0] / 2
            rows = int(np.clip(round(middle), *_room(shape[0], how.patch_px[0])))
        aligned = self._inputs.aligned_row(rows, scan.references.edges_px[1])
        return (aligned if aligned >= 0 else rows), columns

    def _drawn_faces(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        how = self._parameters
        if rng.random() < how.face_share:
            errors = rng.uniform(-how.face_error_px, how.face_error_px, 4)
        else:
            errors = rng.normal(0.0, min(_FACE_SD_PX, how.face_error_px), 4)
        return float(errors[0]), float(errors[1]), float(errors[2]), float(errors[3])

    def _drawn_earlier(
        self, experiment: StoredExperiment, index: int, rng: np.random.Generator
    ) -> tuple[int | None, int | None]:
        """Draw which scans are shown as the previous one and the first; None for none."""
        share = self._parameters.absent_share
        u = rng.random()
        is_alone = rng.random() < self._parameters.alone_share
        # Half of the time the one right before, else any: experiments are scanned as often as
        # one likes, and scans get lost.
        back = 1 if rng.random() < 0.5 else int(rng.integers(1, max(index, 1) + 1))
        previous = max(index - back, 0) if index else None
        first = 0 if index else None
        if u < 2 * share or experiment.scans[0].scan != 0:
            first = None
        if u < share or 2 * share <= u < 3 * share:
            previous = None
        return (None, None) if is_alone else (previous, first)

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


def _flipped(
    x: NDArray[np.float32],
    classes: NDArray[np.uint8],
    inputs: ModelInputs,
    flips: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Flip a slice along x, and along z: the order of neighbours in a cross-section."""
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


def _around_labelled(
    classes: NDArray[np.uint8], patch_px: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """Let a patch begin so that a labelled voxel lies anywhere in its middle half."""
    known = np.flatnonzero(classes != UNLABELLED)
    place = np.unravel_index(int(known[rng.integers(len(known))]), classes.shape)
    start = []
    for at, n, patch in zip(place, classes.shape, patch_px, strict=True):
        offset = int(rng.integers(patch // 4, patch - patch // 4))
        start.append(int(np.clip(int(at) - offset, *_room(n, patch))))
    return start[0], start[1]


def _drawn_start(n: int, patch: int, rng: np.random.Generator) -> int:
    low, high = _room(n, patch)
    return int(rng.integers(low, high + 1))


PLAIN = SampleParameters(
    absent_share=0.0,
    misregistration_px=0.0,
    unlike_share=0.0,
    face_share=0.0,
    face_error_px=0.0,
    augmentation=NO_AUGMENTATION,
)
