"""Split conformal intervals over experiments: the residuals of held-out ones, by noise and size.

Scans of one experiment hang together, so experiments are what is counted: each has a weight of
one in a cell, shared out over its scans there [1]_. Residuals are scaled with the size of the
metric and the noise [2]_, and the two sides of an interval differ, for labels are biased.

References
----------
.. [1] R. Dunn, L. Wasserman, A. Ramdas, J. Am. Stat. Assoc. 118, 2491 (2023), "pooling".
   doi:10.1080/01621459.2022.2060112
.. [2] J. Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018). doi:10.1080/01621459.2017.1307116
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.measure.intervals.table import IntervalCell, MetricTable

Vector = NDArray[np.float64]
Indices = NDArray[np.intp]

_MISS: Final = 0.05
_SHAPE: Final = (0.1, 0.5, 0.9)
# Residuals beyond this quantile do not bend the scale.
_CLIP: Final = 0.98
_ZERO: Final = 1e-9
# Below a contrast-to-noise of 3 the errors of labels rise as steeply, measured on the calibration.
_NOISE_POWER: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResiduals:
    """One metric of many scans.

    Parameters
    ----------
    measured, truth
        Values, shape (n,), finite.
    cnr, blur_px
        Contrast-to-noise of each scan, and blur of its outer faces, shape (n,).
    experiment, family
        Number of the experiment, and of its generator family, of each scan, shape (n,).
    """

    measured: Vector
    truth: Vector
    cnr: Vector
    blur_px: Vector
    experiment: Indices
    family: Indices

    def __post_init__(self) -> None:
        shapes = {
            len(each)
            for each in (
                *(self.measured, self.truth, self.cnr, self.blur_px),
                *(self.experiment, self.family),
            )
        }
        if len(shapes) != 1:
            raise ShapeError(
                f"residuals have lengths {sorted(shapes)}; one value a scan is needed"
            )

    def where(self, chosen: NDArray[np.bool_]) -> "MetricResiduals":
        """Keep some scans."""
        return MetricResiduals(
            measured=self.measured[chosen],
            truth=self.truth[chosen],
            cnr=self.cnr[chosen],
            blur_px=self.blur_px[chosen],
            experiment=self.experiment[chosen],
            family=self.family[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FitParameters:
    """How a table is fitted.

    Parameters
    ----------
    is_per_area, least, most
        As in `MetricTable`.
    resolution
        Smallest scale: what one step of the metric is worth.
    n_cnr, n_size
        Cells of noise and of size at most.
    least_experiments
        That a cell needs; from fewer than 19 no 95 % interval can be read.
    widening
        Factors by which all intervals are widened about their middle: the least is taken that
        covers `target` of each family left out; the first one where none does.
    target
        Share of the scans of a family left out that must be covered.
    """

    is_per_area: bool = False
    least: float | None = None
    most: float | None = None
    resolution: float = 1e-6
    n_cnr: int = 2
    n_size: int = 3
    least_experiments: int = 25
    widening: tuple[float, ...] = (1.0, 1.1, 1.2, 1.3)
    target: float = 0.9


def fit_metric(residuals: MetricResiduals, parameters: FitParameters) -> MetricTable:
    """Fit the intervals of one metric.

    Parameters
    ----------
    residuals
        Of experiments that neither network nor thresholds have seen.
    parameters
        How.

    Returns
    -------
    MetricTable
        Widened until the worst family, left out, is covered as asked, if that is in reach.

    Raises
    ------
    ParameterError
        If there are too few experiments for a single cell.
    """
    plain = _fit_plain(residuals, parameters)
    families = np.unique(residuals.family)
    if len(families) < 2:
        return plain
    left_out = []
    for family in families:
        others = residuals.where(residuals.family != family)
        if len(np.unique(others.experiment)) < parameters.least_experiments:
            return plain
        left_out.append(
            (_fit_plain(others, parameters), residuals.where(residuals.family == family))
        )
    for factor in parameters.widening:
        worst = min(coverage(widened(table, factor), rest) for table, rest in left_out)
        if worst >= parameters.target:
            return widened(plain, factor)
    return widened(plain, parameters.widening[0])


def interval_of(
    table: MetricTable, size: float, *, cnr: float, blur_px: float
) -> tuple[float, float]:
    """Give the 95 % interval of a value.

    Parameters
    ----------
    table
        Of its metric.
    size
        The value; divided by the area, where the table says so.
    cnr, blur_px
        Contrast-to-noise of its scan, and blur of its outer faces.

    Returns
    -------
    tuple
        Lower and upper end, in the unit of ``size``. The value itself lies between them.
    """
    low, high = intervals_of(table, np.array([size]), np.array([cnr]), np.array([blur_px]))
    return float(low[0]), float(high[0])


def intervals_of(
    table: MetricTable, size: Vector, cnr: Vector, blur_px: Vector
) -> tuple[Vector, Vector]:
    """Give the lower and the upper ends of many intervals, each shape (n,)."""
    cell = _cells_of(table, size, cnr)
    scale = _features(size, cnr, blur_px) @ np.array(table.scale)
    low = size + np.array([each.low for each in table.cells])[cell] * scale
    high = size + np.array([each.high for each in table.cells])[cell] * scale
    if table.least is not None:
        low, high = np.maximum(low, table.least), np.maximum(high, table.least)
    if table.most is not None:
        low, high = np.minimum(low, table.most), np.minimum(high, table.most)
    return np.minimum(low, size), np.maximum(high, size)


def covered(table: MetricTable, residuals: MetricResiduals) -> NDArray[np.bool_]:
    """Say of each scan whether the truth lies in its interval."""
    low, high = intervals_of(table, residuals.measured, residuals.cnr, residuals.blur_px)
    return np.asarray((low - _ZERO <= residuals.truth) & (residuals.truth <= high + _ZERO))


def coverage(table: MetricTable, residuals: MetricResiduals) -> float:
    """Give the share of truths that lie in their intervals, each experiment counted once."""
    return float(
        np.average(covered(table, residuals), weights=experiment_weights(residuals.experiment))
    )


def widened(table: MetricTable, factor: float) -> MetricTable:
    """Widen all cells about their middle."""
    cells = []
    for cell in table.cells:
        middle, half = (cell.high + cell.low) / 2, factor * (cell.high - cell.low) / 2
        cells.append(replace(cell, low=middle - half, high=middle + half))
    return replace(table, cells=tuple(cells))


def _fit_plain(residuals: MetricResiduals, parameters: FitParameters) -> MetricTable:
    n_experiments = len(np.unique(residuals.experiment))
    if n_experiments < parameters.least_experiments:
        raise ParameterError(
            f"{n_experiments} experiments, at least {parameters.least_experiments} are needed; "
            "make more"
        )
    missing = residuals.truth - residuals.measured
    features = _features(residuals.measured, residuals.cnr, residuals.blur_px)
    scale = _scale(features, np.abs(missing), parameters.resolution)
    scores = missing / (features @ np.array(scale))
    cells = [
        _cell(scores, residuals.experiment, chosen, cnr_below, size_below)
        for chosen, cnr_below, size_below in _partition(residuals, parameters)
    ]
    return MetricTable(
        is_per_area=parameters.is_per_area,
        scale=scale,
        least=parameters.least,
        most=parameters.most,
        cells=tuple(cells),
    )


def _features(size: Vector, cnr: Vector, blur_px: Vector) -> NDArray[np.float64]:
    """Give what errors grow with: size, noise, blur, and both with size; shape (n, 6)."""
    one, size = np.ones_like(size), np.abs(size)
    noise, blur = cnr**-_NOISE_POWER, blur_px**2
    return np.column_stack([one, size, noise, size * noise, blur, size * blur])


def _scale(
    features: NDArray[np.float64], errors: Vector, resolution: float
) -> tuple[float, float, float, float, float, float]:
    """Fit the size of errors to the features, with no weight negative."""
    clipped = np.minimum(errors, np.quantile(errors, _CLIP))
    # Features differ by orders of magnitude; columns of one size keep the fit sound.
    units = np.maximum(features.max(axis=0), _ZERO)
    weights, _ = optimize.nnls(features / units, clipped)
    a, b, c, d, e, f = (float(each) for each in weights / units)
    return max(a, resolution), b, c, d, e, f


def _partition(
    residuals: MetricResiduals, parameters: FitParameters
) -> list[tuple[NDArray[np.bool_], float | None, float | None]]:
    """Cut by noise, each part by size; a part with too few experiments is not cut."""
    out: list[tuple[NDArray[np.bool_], float | None, float | None]] = []
    size = np.abs(residuals.measured)
    rest = size >= _ZERO
    # What is not there at all is a part of its own, whatever the noise.
    has_none = _n_experiments(residuals, ~rest) >= parameters.least_experiments
    if has_none and _n_experiments(residuals, rest) >= parameters.least_experiments:
        out.append((~rest, None, _ZERO))
    else:
        rest = np.ones(len(size), dtype=bool)
    for by_cnr, cnr_below in _cut(residuals, residuals.cnr, rest, parameters.n_cnr, parameters):
        for chosen, size_below in _cut(residuals, size, by_cnr, parameters.n_size, parameters):
            out.append((chosen, cnr_below, size_below))
    return out


def _cut(
    residuals: MetricResiduals,
    values: Vector,
    chosen: NDArray[np.bool_],
    n_parts: int,
    parameters: FitParameters,
) -> list[tuple[NDArray[np.bool_], float | None]]:
    """Cut scans by quantiles of a value into as many parts as have enough experiments each."""
    for n in range(n_parts, 1, -1):
        edges = np.unique(np.quantile(values[chosen], np.arange(1, n) / n))
        index = np.searchsorted(edges, values, side="right")
        parts = [chosen & (index == i) for i in range(len(edges) + 1)]
        if all(_n_experiments(residuals, part) >= parameters.least_experiments for part in parts):
            ends = [*map(float, edges), None]
            return list(zip(parts, ends, strict=True))
    return [(chosen, None)]


def _n_experiments(residuals: MetricResiduals, chosen: NDArray[np.bool_]) -> int:
    return len(np.unique(residuals.experiment[chosen]))


def _cell(
    scores: Vector,
    experiment: Indices,
    chosen: NDArray[np.bool_],
    cnr_below: float | None,
    size_below: float | None,
) -> IntervalCell:
    """Find the interval of a cell: lopsided as its scores are, as wide as 95 % of them need.

    One number is calibrated, how many times the distances from the middle to the quantiles of
    10 and 90 % reach to either side; two calibrated ends would each need twice the experiments.
    """
    values, weights = scores[chosen], experiment_weights(experiment[chosen])
    n = len(np.unique(experiment[chosen]))
    lowest, middle, highest = (_quantile(values, weights, level) for level in _SHAPE)
    below, above = max(middle - lowest, _ZERO), max(highest - middle, _ZERO)
    # Neither side is a hair: a tenth of the other is left to it.
    below, above = max(below, above / 10), max(above, below / 10)
    reach = np.maximum((middle - values) / below, (values - middle) / above)
    most = _quantile(reach, weights, min(1.0, (1 - _MISS) * (1 + 1 / n)))
    return IntervalCell(
        cnr_below=cnr_below,
        size_below=size_below,
        low=middle - most * below,
        high=middle + most * above,
        n_experiments=n,
    )


def experiment_weights(experiment: Indices) -> Vector:
    """Share the weight of each experiment out over its scans."""
    _, index, counts = np.unique(experiment, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[index])


def _quantile(values: Vector, weights: Vector, level: float) -> float:
    """Give the least value that has at least a share of the weight at or below it."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    at = int(np.searchsorted(share, level - _ZERO))
    return float(values[order][min(at, len(values) - 1)])


def _cells_of(table: MetricTable, size: Vector, cnr: Vector) -> Indices:
    """Give the first cell that each value lies below both ends of."""
    out = np.full(len(size), len(table.cells) - 1, np.intp)
    for i in range(len(table.cells) - 1, -1, -1):
        cell = table.cells[i]
        below_cnr = np.inf if cell.cnr_below is None else cell.cnr_below
        below_size = np.inf if cell.size_below is None else cell.size_below
        out[(cnr < below_cnr) & (np.abs(size) < below_size)] = i
    return out
