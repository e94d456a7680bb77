"""How far a scan lies from those that its network was trained on.

A scan is described by some numbers: its noise, how far noise hangs together, how even its grey
values are, how thick its layers, what grey values the network calls what, how bright the
electrolyte beside both sides is, and how sure the network is.
Each is compared with its mean and spread over scans of the training; the distance is the root
mean square of all deviations in standard deviations; one number that is five of them off counts
as much as the limit, however usual the others are. Being surer or less noisy counts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.segment import GreyReferences

#: Less of these is no reason for doubt.
ONE_SIDED: Final = frozenset(
    {
        "bright_in_lithium",
        "dark_in_electrolyte",
        "dim_by_plating_side",
        "dim_by_stripping_side",
        "doubt",
        "doubt_at_edges",
        "grain_of_lithium",
        "noise",
        "unevenness",
    }
)
_LARGEST: Final = 10.0  # of a deviation: one number alone says no more
_ALONE: Final = 5.0  # of a deviation that is as unlike as the limit whatever the others are
_FLOOR: Final = 0.05  # of a spread, so that what hardly varies does not count for everything
_FOIL: Final = (0.2, 0.7)  # of the stripping electrode, away from its faces
_LARGE_PX: Final = 9
_SD_PER_MAD: Final = 1.4826
_FEWEST: Final = 200  # voxels of a class of which a grey value can be told
_LITHIUM: Final = (SegmentClass.ELECTRODE, SegmentClass.DEPOSITED, SegmentClass.DENDRITE)
_TAIL_PERCENT: Final = 2.0  # of a material in which another may hide
_BESIDE_PX: Final = 3  # from a side: nearer, its edge is in the grey value
_BESIDE_UM: Final = 20.0
_TINY: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledScan:
    """Some slices of a scan, and what a network made of them.

    Parameters
    ----------
    slices
        Grey values of pairs of neighbouring slices, shape (n, 2, n_y, n_x).
    segments
        `SegmentClass` in the first slice of each pair, shape (n, n_y, n_x).
    references
        Grey values of the scan.
    mean_confidence
        Mean probability of the best class in the whole scan.
    voxel_um
        Edge of a voxel.
    """

    slices: NDArray[np.float32]
    segments: LabelVolume
    references: GreyReferences
    mean_confidence: float
    voxel_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingScans:
    """What scans of a training look like.

    Parameters
    ----------
    mean, spread
        Of each number, over the scans.
    limit
        Distance within which 99 of 100 of them lie.
    """

    mean: Mapping[str, float]
    spread: Mapping[str, float]
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDistance:
    """How far a scan lies from those of a training, and the numbers that differ most."""

    distance: float
    farthest: tuple[str, ...]


def describe_scan(scan: SampledScan) -> dict[str, float]:
    """Describe a scan by numbers; those that cannot be told are left out.

    Raises
    ------
    ParameterError
        If electrode and electrolyte have the same grey value.
    """
    references = scan.references
    contrast = references.electrolyte - references.electrode
    if contrast == 0:
        raise ParameterError("electrode and electrolyte have the same grey value")
    grey = np.asarray((scan.slices - references.electrode) / contrast, np.float32)
    found = {
        **_of_layers(references, scan.voxel_um),
        **_of_foil(grey, references),
        **_of_labels(grey[:, 0], scan),
        **_beside_sides(grey[:, 0], scan),
    }
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _of_layers(references: GreyReferences, voxel_um: float) -> dict[str, float]:
    """Look at how thick the first foil and the whole stack are."""
    low_px, inner_px, _, high_px = references.edges_px
    thick_px = {"foil_thickness": inner_px - low_px, "stack_thickness": high_px - low_px}
    return {name: np.log(max(each * voxel_um, _TINY)) for name, each in thick_px.items()}


def _of_foil(grey: NDArray[np.float32], references: GreyReferences) -> dict[str, float]:
    """Look at the inside of the stripping electrode, in which nothing is."""
    low_px, inner_px = references.edges_px[:2]
    thick_px = inner_px - low_px
    rows = slice(int(low_px + _FOIL[0] * thick_px), int(low_px + _FOIL[1] * thick_px))
    foil = grey[:, :, rows]
    if foil.shape[2] < _LARGE_PX or foil.shape[3] < _LARGE_PX:
        return {}
    foil = foil - np.median(foil, axis=(0, 1, 3), keepdims=True)
    noise = _SD_PER_MAD * float(np.median(np.abs(foil)))
    blocks = ndimage.uniform_filter(foil[:, 0], (0, _LARGE_PX, _LARGE_PX))
    half = _LARGE_PX // 2
    large = float(blocks[:, half::_LARGE_PX, half::_LARGE_PX].std())
    return {
        "noise": np.log(max(noise, _TINY)),
        "unevenness": np.log(max(large, _TINY) / max(noise, _TINY)),
        "grain_x": _correlation(foil[..., 2:], foil[..., :-2]),
        "grain_y": _correlation(foil[:, :, 1:], foil[:, :, :-1]),
        "grain_z": _correlation(foil[:, 0], foil[:, 1]),
    }


def _of_labels(grey: NDArray[np.float32], scan: SampledScan) -> dict[str, float]:
    """Look at what the network found, and at the grey values away from its edges."""
    segments = scan.segments
    edges = np.zeros(segments.shape, bool)
    edges[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    edges[:, :, 1:] |= segments[:, :, 1:] != segments[:, :, :-1]
    inner = ~ndimage.binary_dilation(edges, np.ones((1, 3, 3), bool))
    smooth = ndimage.uniform_filter(grey, (0, 3, 3))
    doubt = max(1.0 - scan.mean_confidence, _TINY)
    found = {
        "doubt": np.log(doubt),
        "doubt_at_edges": np.log(doubt / max(float(edges.mean()), _TINY)),
    }
    lithium = smooth[inner & np.isin(segments, _LITHIUM)]
    if lithium.size >= _FEWEST:
        low, high = np.percentile(lithium, (16, 84))
        found["grain_of_lithium"] = np.log(max(float(high - low), _TINY))
    smoother = ndimage.uniform_filter(grey, (0, 5, 5))
    for name, classes, sign in (
        ("bright_in_lithium", _LITHIUM, 1.0),
        ("dark_in_electrolyte", (SegmentClass.ELECTROLYTE,), -1.0),
    ):
        values = sign * smoother[inner & np.isin(segments, classes)]
        if values.size >= _FEWEST:
            found[name] = float(np.percentile(values, 100.0 - _TAIL_PERCENT))
    for each in (SegmentClass.DEPOSITED, SegmentClass.DENDRITE):
        values = grey[inner & (segments == each)]
        if values.size >= _FEWEST:
            found[f"grey_of_{each.key}"] = float(np.median(values))
    return found


def _beside_sides(grey: NDArray[np.float32], scan: SampledScan) -> dict[str, float]:
    """Look at the electrolyte along both sides: lithium that looks like it lies there if anywhere.

    Its mean grey value says so where single voxels, and the tail of all of it, do not.
    """
    is_electrolyte = scan.segments == SegmentClass.ELECTROLYTE
    inner = ndimage.binary_erosion(is_electrolyte, np.ones((1, 3, 3), bool))
    n_rows = grey.shape[1]
    rows = np.arange(n_rows)[:, None]
    first = is_electrolyte.argmax(axis=1)[:, None]
    last = n_rows - 1 - is_electrolyte[:, ::-1].argmax(axis=1)[:, None]
    reach_px = max(_BESIDE_UM / scan.voxel_um, _BESIDE_PX + 1.0)
    found = {}
    for name, away_px in (("plating", last - rows), ("stripping", rows - first)):
        values = grey[inner & (away_px >= _BESIDE_PX) & (away_px <= reach_px)]
        if values.size >= _FEWEST:
            found[f"dim_by_{name}_side"] = -float(values.mean(dtype=np.float64))
    return found


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    size = float(np.sqrt(np.mean(a**2, dtype=np.float64) * np.mean(b**2, dtype=np.float64)))
    return float(np.mean(a * b, dtype=np.float64)) / size if size > 0 else float("nan")


def fit_training(scans: Sequence[Mapping[str, float]]) -> TrainingScans:
    """Find what the scans of a training look like.

    Parameters
    ----------
    scans
        From `describe_scan`, at least two of each number.
    """
    names = sorted({name for each in scans for name in each})
    values = {name: np.array([each[name] for each in scans if name in each]) for name in names}
    values = {name: each for name, each in values.items() if len(each) > 1}
    found = TrainingScans(
        mean={name: float(each.mean()) for name, each in values.items()},
        spread={name: max(float(each.std(ddof=1)), _FLOOR) for name, each in values.items()},
        limit=1.0,
    )
    distances = [_root_mean_square(_deviations(each, found)) for each in scans]
    return replace(found, limit=float(np.quantile(distances, 0.99)))


def centred_on(training: TrainingScans, scans: Sequence[Mapping[str, float]]) -> TrainingScans:
    """Move what a training looks like to where other scans lie, as spread out as before."""
    mean = dict(training.mean)
    for name in mean:
        values = [each[name] for each in scans if name in each]
        if values:
            mean[name] = float(np.mean(values))
    return replace(training, mean=mean)


def training_distance(scan: Mapping[str, float], training: TrainingScans) -> TrainingDistance:
    """Say how far a scan lies from those of a training.

    Parameters
    ----------
    scan
        From `describe_scan`.
    training
        From `fit_training`. Numbers that either lacks do not count.
    """
    deviations = _deviations(scan, training)
    if not deviations:
        return TrainingDistance(distance=0.0, farthest=())
    alone = training.limit * max(deviations.values()) / _ALONE
    order = sorted(deviations, key=lambda name: -deviations[name])
    return TrainingDistance(
        distance=max(_root_mean_square(deviations), alone), farthest=tuple(order[:3])
    )


def _deviations(scan: Mapping[str, float], training: TrainingScans) -> dict[str, float]:
    """Compare the numbers that both know, in standard deviations."""
    deviations = {}
    for name in sorted(scan.keys() & training.mean.keys()):
        deviation = (scan[name] - training.mean[name]) / training.spread[name]
        size = max(deviation, 0.0) if name in ONE_SIDED else abs(deviation)
        deviations[name] = min(size, _LARGEST)
    return deviations


def _root_mean_square(deviations: Mapping[str, float]) -> float:
    if not deviations:
        return 0.0
    return float(np.sqrt(np.mean([each**2 for each in deviations.values()])))


def sample_pairs(n_z: int, n: int = 12) -> list[int]:
    """Choose where pairs of neighbouring slices begin, evenly over a scan."""
    if n_z < 2:
        return []
    return np.unique(np.linspace(0, n_z - 2, min(n, n_z - 1)).round().astype(int)).tolist()


def sampled(
    slices: Sequence[FloatVolume],
    segments: Sequence[LabelVolume],
    references: GreyReferences,
    *,
    mean_confidence: float,
    voxel_um: float,
) -> SampledScan:
    """Put together pairs of slices, (2, n_y, n_x), and what was found in the first of each."""
    return SampledScan(
        slices=np.stack(slices),
        segments=np.stack(segments),
        references=references,
        mean_confidence=mean_confidence,
        voxel_um=voxel_um,
    )
