"""A network over a whole region, slab by slab: the same for the stage and for a single file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.cell_rows import cell_rows, known_rows, without_air
from lithoscope_models.engines import Chosen, EngineName, EngineRequest, Precision, choose_engine
from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.model_file import Model, load_model
from lithoscope_models.settled import Earlier, settle
from lithoscope_pipeline.anatomy import (
    ColumnMaps,
    find_dendrite_limit,
    label_slab,
    measure_columns,
)
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.inference import InferenceParameters, TilePlan, infer_slab, plan_tiles
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import ModelInputs, SeenScan, network_inputs
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences, find_grey_references

_LITHIUM: Final = (
    int(SegmentClass.ELECTRODE),
    int(SegmentClass.DEPOSITED),
    int(SegmentClass.DENDRITE),
)
# What the network is shown of a slab, at most: the result does not depend on it.
_INPUT_BYTES: Final = 256 * 2**20
_REFERENCE_SLICES: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChoice:
    """Which network is wanted, and what is to run it.

    Parameters
    ----------
    model, polarity
        As for `load_model`.
    engine, precision
        Or ``auto``.
    n_threads
        At least 1.
    """

    model: str
    polarity: str
    engine: EngineName | Literal["auto"]
    precision: Precision | Literal["auto"]
    n_threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedNetwork:
    """A network that is ready for slices of one size."""

    model: Model
    chosen: Chosen
    plan: TilePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicesPass:
    """What a network makes of some slices of a region.

    Parameters
    ----------
    segments, lithium_share, probabilities, shown
        As for `NetworkPass`, of these slices.
    soft_px
        Sum of the probability of each class in the rows that were seen, shape (n_slices,
        n_classes).
    confidence_sum, n_low
        Sum of the probability of the best class over these rows, and how many of their voxels have
        a low one, shape (n_slices,).
    n_rows
        That were seen.
    """

    segments: LabelVolume
    lithium_share: LabelVolume
    probabilities: LabelVolume | None
    soft_px: NDArray[np.float64]
    confidence_sum: NDArray[np.float64]
    n_low: NDArray[np.int64]
    n_rows: int
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPass:
    """What a network makes of a region.

    Parameters
    ----------
    segments
        `SegmentClass` of each voxel, shape (n_z, n_y, n_x).
    lithium_share
        Probability of lithium of any class in 255ths, same shape.
    probabilities
        Of each class in 255ths, shape (n_z, n_classes, n_y, n_x), or None.
    soft_voxels
        Sum of the probability of each class, by its name.
    shown
        Which earlier scans it was shown: those that lie where the present one does.
    mean_confidence, low_share
        Mean probability of the best class, in the rows of the cell; share of their voxels in
        which it is low.
    """

    segments: LabelVolume
    lithium_share: LabelVolume
    probabilities: LabelVolume | None
    soft_voxels: dict[str, float]
    shown: tuple[str, ...]
    mean_confidence: float
    low_share: float


def load_for(
    choice: NetworkChoice, references: GreyReferences, shape: tuple[int, ...], voxel_um: float
) -> LoadedNetwork:
    """Load a network for the rows of a cell in a region of shape (n_z, n_y, n_x).

    Raises
    ------
    ModelError
        As for `load_network`.
    """
    first, stop = cell_rows(references, shape[1], voxel_um, _inputs_of(choice))
    return load_network(choice, (stop - first, shape[2]))


@lru_cache(maxsize=4)
def _inputs_of(choice: NetworkChoice) -> ModelInputs:
    return load_model(choice.model, polarity=choice.polarity).card.inputs.inputs


@lru_cache(maxsize=4)
def load_network(choice: NetworkChoice, shape: tuple[int, int]) -> LoadedNetwork:
    """Load a network for slices of one size; a process keeps the last four.

    Raises
    ------
    ModelError
        If the model is refused or no engine works here; the text has the reason.
    """
    model = load_model(choice.model, polarity=choice.polarity)
    card = model.card
    rows, columns = card.tile_px
    plan = plan_tiles(
        shape, largest=(rows, columns), divisor=card.divisor, is_fixed=card.is_fixed_size
    )
    inputs = card.inputs.inputs
    if inputs.view != "cross-section":
        raise ModelRefusedError(
            f"{model.folder}: was trained on {inputs.view} slices, registered scans are "
            "segmented in cross-sections"
        )
    request = EngineRequest(
        patch=(inputs.n_channels, *plan.tile),
        n_threads=choice.n_threads,
        precision=None if choice.precision == "auto" else choice.precision,
    )
    chosen = choose_engine(model, request, choice.engine)
    return LoadedNetwork(model=model, chosen=chosen, plan=plan)


def region_references(volume: VolumeSource) -> GreyReferences:
    """Find the grey values of a region; of a tall one, from slices spread evenly over it."""
    n_z = volume.shape[0]
    everything = slice(None)
    if n_z <= _REFERENCE_SLICES:
        return find_grey_references(volume[everything, everything, everything])
    chosen = np.unique(np.linspace(0, n_z - 1, _REFERENCE_SLICES).round().astype(int))
    slices = [volume[slice(z, z + 1), everything, everything] for z in chosen]
    return find_grey_references(np.concatenate(slices))


def run_network(
    network: LoadedNetwork,
    volume: VolumeSource,
    references: GreyReferences,
    earlier: Sequence[Earlier],
    *,
    voxel_um: float,
    slab_rows: int,
    with_probabilities: bool = False,
) -> NetworkPass:
    """Run a network over a region, slab by slab.

    Parameters
    ----------
    network
        Loaded for the rows of the cell and all columns (`load_for`).
    volume, references
        The present scan and its grey values.
    earlier
        Scans that are shown beside it, each once more laid over it (`settle`); none for a pass of
        the present scan alone.
    voxel_um
        Edge of a voxel.
    slab_rows
        Slices that are worked on at a time at most; the result does not depend on it.
    with_probabilities
        Whether the probability of each class is wanted.
    """
    return join_slices(
        network,
        [
            run_slices(
                network,
                volume,
                references,
                settle(earlier, volume, references, voxel_um=voxel_um),
                voxel_um=voxel_um,
                slab_rows=slab_rows,
                with_probabilities=with_probabilities,
            )
        ],
    )


def run_slices(
    network: LoadedNetwork,
    volume: VolumeSource,
    references: GreyReferences,
    settled: Sequence[Earlier],
    *,
    voxel_um: float,
    slab_rows: int,
    slices: tuple[int, int] | None = None,
    with_probabilities: bool = False,
) -> SlicesPass:
    """Run a network over some slices of a region: what they become does not depend on which.

    Parameters
    ----------
    network, volume, references, voxel_um, slab_rows, with_probabilities
        As for `run_network`.
    settled
        Earlier scans, settled.
    slices
        First slice and one past the last, or all.
    """
    inputs = network.model.card.inputs.inputs
    parameters = InferenceParameters(
        plan=network.plan,
        batch=network.chosen.engine.batch,
        n_classes=len(network.model.card.classes),
        temperature=network.model.card.temperature,
        share_of=_LITHIUM,
        with_probabilities=with_probabilities,
    )
    n_z, n_y, n_x = volume.shape
    first, stop = (0, n_z) if slices is None else slices
    step = max(1, min(slab_rows, _INPUT_BYTES // (4 * inputs.n_channels * n_y * n_x)))
    y0, y1 = cell_rows(references, n_y, voxel_um, inputs)
    known = slice(*(row - y0 for row in known_rows(references, n_y, voxel_um)))
    segments = np.full((stop - first, n_y, n_x), SegmentClass.BACKGROUND, np.uint8)
    share = np.zeros_like(segments)
    probabilities = None
    if with_probabilities:
        probabilities = np.zeros((stop - first, parameters.n_classes, n_y, n_x), np.uint8)
        probabilities[:, SegmentClass.BACKGROUND] = 255
    soft_px, confidence, n_low = [], [], []
    for z0 in range(first, stop, step):
        z1 = min(z0 + step, stop)
        low, high = max(z0 - inputs.halo, 0), min(z1 + inputs.halo, n_z)
        part: FloatVolume = volume[slice(low, high), slice(y0, y1), slice(None)]
        part = without_air(part, known)
        seen = {scan.which: _rows_of(scan.seen(low, high), y0, y1, known) for scan in settled}
        channels = network_inputs(
            SeenScan(volume=part, references=references),
            previous=seen.get("previous"),
            first=seen.get("first"),
            inputs=inputs,
            voxel_um=voxel_um,
            slices=(z0 - low, z1 - low),
            first_row=y0,
        )
        found = infer_slab(channels, network.chosen.engine.run, parameters)
        here = slice(z0 - first, z1 - first)
        segments[here, y0:y1], share[here, y0:y1] = found.labels, found.share
        if probabilities is not None and found.probabilities is not None:
            probabilities[here, :, y0:y1] = found.probabilities
        soft_px.append(found.soft_px)
        confidence.append(found.confidence_sum)
        n_low.append(found.n_low)
    return SlicesPass(
        segments=segments,
        lithium_share=share,
        probabilities=probabilities,
        soft_px=np.concatenate(soft_px),
        confidence_sum=np.concatenate(confidence),
        n_low=np.concatenate(n_low),
        n_rows=y1 - y0,
        shown=tuple(scan.which for scan in settled),
    )


def join_slices(network: LoadedNetwork, parts: Sequence[SlicesPass]) -> NetworkPass:
    """Put the slices of a region together, in their order."""
    segments = _joined([part.segments for part in parts])
    # One sum over all slices in their order, so that slabs do not show in the last digit.
    sums = np.cumsum(np.concatenate([part.soft_px for part in parts]), axis=0)[-1]
    confidence_sum = np.cumsum(np.concatenate([part.confidence_sum for part in parts]))[-1]
    n_seen = segments.shape[0] * parts[0].n_rows * segments.shape[2]
    sums[SegmentClass.BACKGROUND] += segments.size - n_seen
    names = network.model.card.classes
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return NetworkPass(
        segments=segments,
        lithium_share=_joined([part.lithium_share for part in parts]),
        probabilities=_joined(probabilities) if probabilities else None,
        soft_voxels={name: float(n) for name, n in zip(names, sums, strict=True)},
        shown=parts[0].shown,
        mean_confidence=min(1.0, float(confidence_sum) / n_seen),
        low_share=sum(int(part.n_low.sum()) for part in parts) / n_seen,
    )


def _joined(parts: Sequence[LabelVolume]) -> LabelVolume:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows_of(scan: SeenScan, y0: int, y1: int, known: slice) -> SeenScan:
    volume = without_air(scan.volume[:, y0:y1], known)
    return SeenScan(volume=volume, references=scan.references)


def label_region(
    found: NetworkPass,
    references: GreyReferences,
    *,
    voxel_um: float,
    slab_rows: int,
    half_cycle: int,
    is_first_scan: bool,
) -> tuple[LabelVolume, dict[str, int]]:
    """Give the final labels of a region, and how many voxels each rule changed."""
    middle_px = (references.edges_px[1] + references.edges_px[2]) / 2
    slabs = [
        (z0, min(z0 + slab_rows, len(found.segments)))
        for z0 in range(0, len(found.segments), slab_rows)
    ]
    columns = [
        measure_columns(found.segments[a:b], found.lithium_share[a:b], middle_px=middle_px)
        for a, b in slabs
    ]
    limit = find_dendrite_limit(ColumnMaps.joined(columns), voxel_um=voxel_um)
    labels = np.empty_like(found.segments)
    counts: dict[str, int] = {}
    for a, b in slabs:
        anatomy = label_slab(
            found.segments[a:b],
            limit.rows(a, b),
            middle_px=middle_px,
            half_cycle=half_cycle,
            is_first_scan=is_first_scan,
        )
        labels[a:b] = anatomy.labels
        for name, n in anatomy.relabelled.items():
            counts[name] = counts.get(name, 0) + n
    return labels, counts
