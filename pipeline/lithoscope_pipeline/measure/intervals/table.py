"""What a calibration knows: for each metric, how far it lies from the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What labels were made by: a network that was shown earlier scans, the same without them, or
#: thresholds and the order of layers.
LabelOrigin = Literal["network", "single_scan", "layers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasTerm:
    """What one feature of a scan adds to the bias: ``weight * (feature - middle)``.

    Parameters
    ----------
    weight, middle
        As in the formula.
    least, most
        Of the feature, in the calibration: beyond them the bias does not go on.
    """

    weight: float
    middle: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far intervals reach in regions of one size.

    Parameters
    ----------
    n_regions
        How many times as large as those of the calibration; counts for extremes alone.
    reach
        How many times `MetricTable.below` and ``above``.
    """

    n_regions: int
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTable:
    """One metric: where its true value lies, told from the measured one and from the scan.

    An interval lies about ``size + offset + bias + middle * scale`` and reaches ``reach * below *
    scale`` down and ``reach * above * scale`` up. It always holds the value.

    Parameters
    ----------
    is_per_area
        Whether the metric is divided by the area of the region before all else: a volume.
    least, most
        Bounds of what is possible, None for none.
    offset, bias
        Mean of truth less measured value, and how it changes with each of `bias_features`.
    scale
        ``a + b |size| + (c + d |size|) / cnr**4 + (e + f |size|) blur_px**2``: these six numbers.
    middle, below, above
        Of what is left, in scales: its middle, and how far a reach of one goes to either side.
    reaches
        For regions of rising size.
    grain
        Least and largest that was seen; beyond, intervals are up to twice as wide.
    of_nothing
        Interval where nothing was measured at all, None where that is no case of its own.
    n_experiments
        It was found from.
    """

    is_per_area: bool
    least: float | None
    most: float | None
    offset: float
    bias: tuple[BiasTerm, ...]
    scale: tuple[float, float, float, float, float, float]
    middle: float
    below: float
    above: float
    reaches: tuple[Reach, ...]
    grain: tuple[float, float]
    of_nothing: tuple[float, float] | None
    n_experiments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistenceTable:
    """How likely an object of one kind exists, by its size and the image it is seen in.

    Parameters
    ----------
    weights
        The logit is ``a + b ln(voxels / 27) + c / cnr**2 + d blur_px**2``: these four numbers.
    covariance
        Of the weights, over experiments, shape (4, 4).
    n_objects, n_experiments
        What it was fitted to.
    """

    weights: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    n_objects: int
    n_experiments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRange:
    """Where a calibration holds.

    Parameters
    ----------
    voxel_um
        Edge of the voxels.
    area_um2
        Of the regions that were measured.
    cnr, blur_px
        Least and largest contrast-to-noise of lithium against electrolyte, and blur of the outer
        faces.
    registration_px
        Largest error of where earlier scans lie.
    """

    voxel_um: float
    area_um2: float
    cnr: tuple[float, float]
    blur_px: tuple[float, float]
    registration_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is known of the labels of one origin.

    Parameters
    ----------
    origin
        What made the labels.
    model_sha256
        Which network; empty for labels without one.
    measure_version
        Of the measurement.
    holds
        Where.
    n_experiments
        Held-out experiments in all.
    metrics
        By name.
    existence
        By kind of object: ``dendrite``, ``pit``.
    """

    origin: LabelOrigin
    model_sha256: str
    measure_version: int
    holds: CalibrationRange
    n_experiments: int
    metrics: Mapping[str, MetricTable]
    existence: Mapping[str, ExistenceTable] = field(default_factory=dict)
