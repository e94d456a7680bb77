"""Split conformal intervals over experiments: the residuals of held-out ones, less their bias.

Scans of one experiment hang together, so experiments are what is counted: each has a weight of
one, shared out over its scans [1]_. What of an error goes with the scan is taken away first, by
a ridge regression that has not seen the family it is applied to; the rest is scaled with size,
noise and blur [2]_, and the two sides of an interval differ.

References
----------
.. [1] R. Dunn, L. Wasserman, A. Ramdas, J. Am. Stat. Assoc. 118, 2491 (2023), "pooling".
   doi:10.1080/01621459.2022.2060112
.. [2] J. Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018). doi:10.1080/01621459.2017.1307116
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.measure.intervals.features import (
    Matrix,
    SeenScans,
    Vector,
    bias_features,
    scale_features,
)
from lithoscope_pipeline.measure.intervals.table import BiasTerm, MetricTable, Reach

Indices = NDArray[np.intp]

#: Share of the calibration's scans that an interval misses. Others are missed a little more
#: often, for the bias was fitted to these.
_MISS: Final = 0.036
_SHAPE: Final = (0.05, 0.5, 0.95)
#: Regions so many times as large as those of the calibration: of their extremes as many pieces
#: can each be wrong, so that each may be that much more seldom.
_REGIONS: Final = (1, 2, 4, 8, 16, 32, 64)
# Residuals beyond this quantile bend neither bias nor scale.
_CLIP: Final = 0.98
_ZERO: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResiduals:
    """One metric of many scans.

    Parameters
    ----------
    seen
        What is measured.
    truth
        True values, shape (n,), finite.
    experiment, family
        Number of the experiment, and of its generator family, of each scan, shape (n,).
    """

    seen: SeenScans
    truth: Vector
    experiment: Indices
    family: Indices

    def __post_init__(self) -> None:
        lengths = {
            len(each) for each in (self.seen.size, self.truth, self.experiment, self.family)
        }
        if len(lengths) != 1:
            raise ShapeError(
                f"residuals have lengths {sorted(lengths)}; one value a scan is needed"
            )

    def where(self, chosen: NDArray[np.bool_]) -> "MetricResiduals":
        """Keep some scans."""
        return MetricResiduals(
            seen=self.seen.where(chosen),
            truth=self.truth[chosen],
            experiment=self.experiment[chosen],
            family=self.family[chosen],
        )

    @property
    def n_experiments(self) -> int:
        """How many experiments they are of."""
        return len(np.unique(self.experiment))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitParameters:
    """How a table is fitted.

    Parameters
    ----------
    is_per_area, least, most
        As in `MetricTable`.
    resolution
        Smallest scale: what one step of the metric is worth.
    least_experiments
        That are needed; from fewer than 19 no 95 % interval can be read.
    ridge
        Pull of the bias towards the mean, in weights of all scans.
    """

    is_per_area: bool = False
    least: float | None = None
    most: float | None = None
    resolution: float = 1e-6
    least_experiments: int = 25
    ridge: float = 3.0


def fit_metric(residuals: MetricResiduals, parameters: FitParameters) -> MetricTable:
    """Fit the intervals of one metric.

    Parameters
    ----------
    residuals
        Of experiments that neither network nor thresholds have seen.
    parameters
        How.

    Raises
    ------
    ParameterError
        If there are too few experiments.
    """
    of_nothing, rest = _without_nothing(residuals, parameters)
    if rest.n_experiments < parameters.least_experiments:
        raise ParameterError(
            f"{rest.n_experiments} experiments, at least {parameters.least_experiments} are "
            "needed; make more"
        )
    weights = experiment_weights(rest.experiment)
    offset, bias = _fit_bias(rest, parameters.ridge)
    left = rest.truth - rest.seen.size - _unseen_bias(rest, parameters.ridge)
    features = scale_features(rest.seen)
    scale = _scale(features, np.abs(left), weights, parameters.resolution)
    scores = left / (features @ np.array(scale))
    lowest, middle, highest = (_quantile(scores, weights, level) for level in _SHAPE)
    below, above = max(middle - lowest, _ZERO), max(highest - middle, _ZERO)
    # Neither side is a hair: a tenth of the other is left to it.
    below, above = max(below, above / 10), max(above, below / 10)
    reach = np.maximum((middle - scores) / below, (scores - middle) / above)
    # The interval holds its value whatever its reach, and all between it and the middle.
    centre = rest.truth - (scores - middle) * (features @ np.array(scale))
    between = (rest.truth - rest.seen.size) * (rest.truth - centre) <= 0
    reach = np.where(between, 0.0, np.maximum(reach, 0.0))
    return MetricTable(
        is_per_area=parameters.is_per_area,
        least=parameters.least,
        most=parameters.most,
        offset=offset,
        bias=bias,
        scale=scale,
        middle=middle,
        below=below,
        above=above,
        reaches=tuple(
            Reach(n_regions=n, reach=_quantile(reach, weights, 1 - _MISS / n)) for n in _REGIONS
        ),
        grain=(float(np.min(rest.seen.grain)), float(np.max(rest.seen.grain))),
        of_nothing=of_nothing,
        n_experiments=rest.n_experiments,
    )


def intervals_of(
    table: MetricTable, seen: SeenScans, *, n_regions: float = 1.0
) -> tuple[Vector, Vector]:
    """Give the lower and the upper ends of many 95 % intervals, each shape (n,).

    Parameters
    ----------
    table
        Of the metric.
    seen
        Scans; sizes divided by the area, where the table says so.
    n_regions
        How many times as large as in the calibration the region is, for an extreme of it; one
        for all else.
    """
    centre = seen.size + table.offset + _bias(table.bias, bias_features(seen))
    scale = scale_features(seen) @ np.array(table.scale)
    known = [each.n_regions for each in table.reaches]
    reach = np.interp(np.log(max(n_regions, 1.0)), np.log(known), [e.reach for e in table.reaches])
    low = np.minimum(centre + (table.middle - reach * table.below) * scale, seen.size)
    high = np.maximum(centre + (table.middle + reach * table.above) * scale, seen.size)
    wider = _stretch(table, seen.grain)
    low, high = seen.size - wider * (seen.size - low), seen.size + wider * (high - seen.size)
    if table.of_nothing is not None:
        nothing = np.abs(seen.size) < _ZERO
        low = np.where(nothing, table.of_nothing[0], low)
        high = np.where(nothing, table.of_nothing[1], high)
    if table.least is not None:
        low, high = np.maximum(low, table.least), np.maximum(high, table.least)
    if table.most is not None:
        low, high = np.minimum(low, table.most), np.minimum(high, table.most)
    return np.minimum(low, seen.size), np.maximum(high, seen.size)


def covered(
    table: MetricTable, residuals: MetricResiduals, *, n_regions: float = 1.0
) -> NDArray[np.bool_]:
    """Say of each scan whether the truth lies in its interval."""
    low, high = intervals_of(table, residuals.seen, n_regions=n_regions)
    return np.asarray((low - _ZERO <= residuals.truth) & (residuals.truth <= high + _ZERO))


def coverage(table: MetricTable, residuals: MetricResiduals) -> float:
    """Give the share of truths that lie in their intervals, each experiment counted once."""
    weights = experiment_weights(residuals.experiment)
    return float(np.average(covered(table, residuals), weights=weights))


def experiment_weights(experiment: Indices) -> Vector:
    """Share the weight of each experiment out over its scans."""
    _, index, counts = np.unique(experiment, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[index])


def _without_nothing(
    residuals: MetricResiduals, parameters: FitParameters
) -> tuple[tuple[float, float] | None, MetricResiduals]:
    """Take out the scans in which nothing is measured; say what they hide."""
    is_nothing = np.abs(residuals.seen.size) < _ZERO
    nothing, rest = residuals.where(is_nothing), residuals.where(~is_nothing)
    if min(nothing.n_experiments, rest.n_experiments) < parameters.least_experiments:
        return None, residuals.where(~is_nothing | (np.abs(residuals.truth) >= _ZERO))
    weights = experiment_weights(nothing.experiment)
    low, high = (_quantile(nothing.truth, weights, q) for q in (_MISS / 2, 1 - _MISS / 2))
    return (min(low, 0.0), max(high, 0.0)), rest


def _fit_bias(residuals: MetricResiduals, ridge: float) -> tuple[float, tuple[BiasTerm, ...]]:
    """Fit the mean of truth less measured value: an offset, and a weight for each feature."""
    weights = experiment_weights(residuals.experiment)
    features = bias_features(residuals.seen)
    missing = residuals.truth - residuals.seen.size
    middle = float(np.median(missing))
    most = _quantile(np.abs(missing - middle), weights, _CLIP)
    missing = np.clip(missing, middle - most, middle + most)
    offset = float(np.average(missing, weights=weights))
    known = np.isfinite(features)
    filled = np.where(known, features, 0.0)
    shares = weights[:, None] * known
    means = (shares * filled).sum(axis=0) / np.maximum(shares.sum(axis=0), _ZERO)
    centred = np.where(known, features - means, 0.0)
    spreads = np.sqrt((weights[:, None] * centred**2).sum(axis=0) / weights.sum())
    # What never changes has no weight.
    units = np.where(spreads > _ZERO * np.maximum(np.abs(means), _ZERO), spreads, np.inf)
    z = centred / units
    normal = (z * weights[:, None]).T @ z + ridge * weights.sum() * np.eye(z.shape[1])
    found = np.linalg.solve(normal, (z * weights[:, None]).T @ (missing - offset)) / units
    least = np.where(known, features, np.inf).min(axis=0)
    most_seen = np.where(known, features, -np.inf).max(axis=0)
    terms = tuple(
        BiasTerm(weight=float(w), middle=float(m), least=float(low), most=float(high))
        for w, m, low, high in zip(
            found,
            means,
            np.where(np.isfinite(least), least, 0.0),
            np.where(np.isfinite(most_seen), most_seen, 0.0),
            strict=True,
        )
    )
    return offset, terms


def _bias(terms: tuple[BiasTerm, ...], features: Matrix) -> Vector:
    """Add up the terms; beyond what was seen none goes on, and what is not known is the mean."""
    out = np.zeros(len(features))
    for term, values in zip(terms, features.T, strict=True):
        off = np.clip(values, term.least, term.most) - term.middle
        out += term.weight * np.where(np.isfinite(values), off, 0.0)
    return out


def _unseen_bias(residuals: MetricResiduals, ridge: float) -> Vector:
    """Give the bias of each scan as those of the other families tell it."""
    out = np.zeros(len(residuals.truth))
    parts = residuals.family
    if len(np.unique(parts)) < 2:
        parts = residuals.experiment % 5
    for part in np.unique(parts):
        here = parts == part
        offset, terms = _fit_bias(residuals.where(~here), ridge)
        out[here] = offset + _bias(terms, bias_features(residuals.seen.where(here)))
    return out


def _scale(
    features: Matrix, errors: Vector, weights: Vector, resolution: float
) -> tuple[float, float, float, float, float, float]:
    """Fit the size of errors to the features, with no weight negative."""
    clipped = np.minimum(errors, np.quantile(errors, _CLIP))
    # Features differ by orders of magnitude; columns of one size keep the fit sound.
    units = np.maximum(features.max(axis=0), _ZERO)
    roots = np.sqrt(weights)
    found, _ = optimize.nnls(features / units * roots[:, None], clipped * roots)
    a, b, c, d, e, f = (float(each) for each in found / units)
    return max(a, resolution), b, c, d, e, f


def _stretch(table: MetricTable, grain: Vector) -> Vector:
    """Say by how much intervals are wider where the noise has another grain than was seen."""
    least, most = table.grain
    beyond = np.maximum(grain - most, least - grain) / max(most - least, _ZERO)
    return np.where(np.isfinite(grain), 1.0 + np.clip(beyond, 0.0, 1.0), 1.0)


def _quantile(values: Vector, weights: Vector, level: float) -> float:
    """Give the value below which a share of the weight lies, between values by straight lines."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    share = (total - weights[order] / 2) / total[-1]
    return float(np.interp(level, share, values[order]))
