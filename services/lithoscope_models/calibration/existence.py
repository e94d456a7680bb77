"""How likely an object exists, fitted to held-out experiments, and how far to believe that."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.fit import LEAST_CNR
from lithoscope_models.calibration.residuals import ExperimentResiduals
from lithoscope_models.calibration.tables import Reliability
from lithoscope_pipeline.measure.intervals import (
    ExistenceSample,
    ExistenceTable,
    existence_of,
    fit_existence,
)
from lithoscope_pipeline.measure.intervals.existence import LEAST_EXPERIMENTS
from lithoscope_pipeline.measure.objects import KINDS

_FOLDS: Final = 5
_N_BINS: Final = 10
#: Of an object that is there, at least this share of its voxels belongs to a true one.
_LEAST_SHARE: Final = 0.5


def fit_objects(experiments: Sequence[ExperimentResiduals]) -> dict[str, ExistenceTable]:
    """Fit the chance to exist, by kind, where there are enough experiments."""
    tables: dict[str, ExistenceTable] = {}
    for kind, _ in KINDS:
        sample, _ = _sample(experiments, kind)
        # Labels by thresholds know no pits.
        if len(np.unique(sample.experiment)) >= LEAST_EXPERIMENTS:
            tables[kind] = fit_existence(sample)
    return tables


def judge_objects(experiments: Sequence[ExperimentResiduals]) -> dict[str, Reliability]:
    """Judge chances on experiments that they were not fitted to, by kind."""
    out: dict[str, Reliability] = {}
    for kind, _ in KINDS:
        sample, families = _sample(experiments, kind)
        if len(np.unique(sample.experiment)) < LEAST_EXPERIMENTS:
            continue
        # Families take turns in the numbers of experiments: a fold has some of each.
        n_families = len(np.unique(families))
        held_out = _held_out(sample, sample.experiment // n_families % _FOLDS)
        given, found, counts = _in_tenths(held_out, sample.exists)
        left_out = _in_tenths(_held_out(sample, families), sample.exists)
        out[kind] = Reliability(
            given=tuple(map(float, given)),
            found=tuple(map(float, found)),
            n_objects=tuple(map(int, counts)),
            error=_error(given, found, counts),
            error_left_out=_error(*left_out),
        )
    return out


_Column = NDArray[np.float64]


def _held_out(sample: ExistenceSample, fold: NDArray[np.intp]) -> _Column:
    """Give each object the chance from a fit without its own fold."""
    chances = np.empty(len(sample.voxels))
    for each in np.unique(fold):
        table = fit_existence(sample.where(fold != each))
        for cnr, blur_px in {
            (cnr, blur) for cnr, blur in zip(sample.cnr, sample.blur_px, strict=True)
        }:
            chosen = (fold == each) & (sample.cnr == cnr) & (sample.blur_px == blur_px)
            if chosen.any():
                chances[chosen] = existence_of(
                    table, sample.voxels[chosen], cnr=cnr, blur_px=blur_px
                )[0]
    return chances


def _in_tenths(
    chances: _Column, exists: NDArray[np.bool_]
) -> tuple[_Column, _Column, NDArray[np.intp]]:
    tenth = np.minimum((chances * _N_BINS).astype(np.intp), _N_BINS - 1)
    counts = np.bincount(tenth, minlength=_N_BINS)
    filled = counts > 0
    given = np.bincount(tenth, weights=chances, minlength=_N_BINS)[filled] / counts[filled]
    found = np.bincount(tenth, weights=exists, minlength=_N_BINS)[filled] / counts[filled]
    return given, found, counts[filled]


def _error(given: _Column, found: _Column, counts: NDArray[np.intp]) -> float:
    return float(np.average(np.abs(given - found), weights=counts))


def _sample(
    experiments: Sequence[ExperimentResiduals], kind: str
) -> tuple[ExistenceSample, NDArray[np.intp]]:
    """Collect the objects of a kind in scans with enough contrast, and their families."""
    families = sorted({each.family for each in experiments})
    rows = []
    for number, each in enumerate(experiments):
        seen = each.objects.get(kind)
        if seen is None:
            continue
        family = families.index(each.family)
        rows += [
            (voxels, share >= _LEAST_SHARE, each.cnr[at], each.blur_px[at], number, family)
            for at, voxels, share in zip(seen.scan, seen.voxels, seen.share, strict=True)
            if each.cnr[at] >= LEAST_CNR
        ]
    voxels, exists, cnr, blur_px, number_of, family_of = np.array(rows, float).reshape(-1, 6).T
    sample = ExistenceSample(
        voxels=voxels,
        cnr=cnr,
        blur_px=blur_px,
        exists=exists > 0,
        experiment=number_of.astype(np.intp),
    )
    return sample, family_of.astype(np.intp)
