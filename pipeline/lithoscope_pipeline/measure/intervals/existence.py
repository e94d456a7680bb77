"""The chance that an object exists: how often those of its size were there, in held-out cells.

Whether an object is there is settled by the true labels: at least half of its voxels belong to
true objects of its class, or touch them. How often that is so rises with its size, and falls with
noise and blur; a logistic curve through the objects of experiments whose truth is known says how
[1]_. Objects of one experiment hang together, so the spread of the curve is taken over
experiments [2]_.

References
----------
.. [1] J. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin
   Classifiers, MIT Press, 61 (1999).
.. [2] K.-Y. Liang, S. Zeger, Biometrika 73, 13 (1986). doi:10.1093/biomet/73.1.13
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.measure.intervals.table import ExistenceTable
from lithoscope_pipeline.metric import Z95

Vector = NDArray[np.float64]

#: Experiments from which a curve may be fitted.
LEAST_EXPERIMENTS: Final = 25
_SMALL: Final = 27.0
#: Keeps the curve finite where all objects of a sample are there, or none.
_RIDGE: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistenceSample:
    """Objects of one kind, of which it is known whether they are there.

    Parameters
    ----------
    voxels
        Their sizes, shape (n,).
    cnr, blur_px
        Contrast-to-noise of their scans, and blur of the outer faces, shape (n,).
    exists
        Whether each is there, shape (n,).
    experiment
        Number of its experiment, shape (n,).
    """

    voxels: Vector
    cnr: Vector
    blur_px: Vector
    exists: NDArray[np.bool_]
    experiment: NDArray[np.intp]

    def __post_init__(self) -> None:
        lengths = {len(self.voxels), len(self.cnr), len(self.blur_px), len(self.exists)}
        if len(lengths | {len(self.experiment)}) != 1:
            raise ShapeError(
                f"objects have columns of lengths {sorted(lengths)}; equal are needed"
            )

    def where(self, chosen: NDArray[np.bool_]) -> "ExistenceSample":
        """Keep some objects."""
        return ExistenceSample(
            voxels=self.voxels[chosen],
            cnr=self.cnr[chosen],
            blur_px=self.blur_px[chosen],
            exists=self.exists[chosen],
            experiment=self.experiment[chosen],
        )


def fit_existence(sample: ExistenceSample) -> ExistenceTable:
    """Fit the chance that an object exists.

    Parameters
    ----------
    sample
        Objects of experiments that neither network nor thresholds have seen.

    Raises
    ------
    ParameterError
        If they come from fewer than 25 experiments.

    Notes
    -----
    The logit is ``a + b ln(voxels / 27) + c / cnr**2 + d blur_px**2``. Its covariance is that of
    the scores summed over each experiment, the sandwich of Liang and Zeger.
    """
    n_experiments = len(np.unique(sample.experiment))
    if n_experiments < LEAST_EXPERIMENTS:
        raise ParameterError(
            f"objects of {n_experiments} experiments, at least {LEAST_EXPERIMENTS} are needed; "
            "make more"
        )
    features = _features(sample.voxels, sample.cnr, sample.blur_px)
    exists = sample.exists.astype(np.float64)

    def loss(weights: Vector) -> tuple[float, Vector]:
        logit = features @ weights
        value = float((np.logaddexp(0.0, logit) - exists * logit).sum())
        slope = features.T @ (special.expit(logit) - exists)
        return value + _RIDGE * float(weights @ weights), slope + 2 * _RIDGE * weights

    found = optimize.minimize(loss, np.zeros(features.shape[1]), jac=True, method="BFGS")
    weights: Vector = found.x
    share = special.expit(features @ weights)
    scores = features * (exists - share)[:, None]
    _, index = np.unique(sample.experiment, return_inverse=True)
    of_experiments = np.zeros((n_experiments, features.shape[1]))
    np.add.at(of_experiments, index, scores)
    curvature = (features * (share * (1 - share))[:, None]).T @ features
    inverse = np.linalg.inv(curvature + 2 * _RIDGE * np.eye(len(weights)))
    spread = inverse @ (of_experiments.T @ of_experiments) @ inverse
    spread *= n_experiments / (n_experiments - 1)
    return ExistenceTable(
        weights=tuple(float(each) for each in weights),
        covariance=tuple(tuple(float(each) for each in row) for row in spread),
        n_objects=len(exists),
        n_experiments=n_experiments,
    )


def existence_of(
    table: ExistenceTable, voxels: Vector, *, cnr: float, blur_px: float
) -> tuple[Vector, Vector, Vector]:
    """Give the chance that objects of one scan exist, each shape (n,).

    Parameters
    ----------
    table
        Of their kind.
    voxels
        Their sizes, shape (n,).
    cnr, blur_px
        Contrast-to-noise of the scan, and blur of its outer faces.

    Returns
    -------
    tuple
        The chance, and the ends of its 95 % interval.
    """
    features = _features(voxels, np.full(len(voxels), cnr), np.full(len(voxels), blur_px))
    logit = features @ np.array(table.weights)
    spread = np.array(table.covariance)
    error = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", features, spread, features), 0.0))
    return (
        special.expit(logit),
        special.expit(logit - Z95 * error),
        special.expit(logit + Z95 * error),
    )


def _features(voxels: Vector, cnr: Vector, blur_px: Vector) -> Vector:
    return np.column_stack(
        [np.ones(len(voxels)), np.log(voxels / _SMALL), 1.0 / cnr**2, blur_px**2]
    )
