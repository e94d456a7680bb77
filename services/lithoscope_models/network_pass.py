"""A network over a whole region, slab by slab: the same for the stage and for a single file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol

import numpy as np

from lithoscope_models.engines import Chosen, EngineName, EngineRequest, Precision, choose_engine
from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.model_file import Model, load_model
from lithoscope_pipeline.anatomy import (
    ColumnMaps,
    find_dendrite_limit,
    label_slab,
    measure_columns,
)
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.inference import InferenceParameters, TilePlan, infer_slab, plan_tiles
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import SeenScan, network_inputs
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
# Beyond the outer faces lies packaging, and beyond that air as dark as lithium: networks are
# shown no more of it than they have learned from, and all the rest is background.
_MARGIN_UM: Final = 20.0
_ROWS_STEP: Final = 32


class Earlier(Protocol):
    """An earlier scan that can be laid over the present one."""

    @property
    def which(self) -> Literal["previous", "first"]:
        """What it is to the present one."""

    def seen(self, z0: int, z1: int) -> SeenScan:
        """Give some slices over the present scan."""


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
    mean_confidence, low_share
        Mean probability of the best class, in the rows of the cell; share of their voxels in
        which it is low.
    """

    segments: LabelVolume
    lithium_share: LabelVolume
    probabilities: LabelVolume | None
    soft_voxels: dict[str, float]
    mean_confidence: float
    low_share: float


def known_rows(references: GreyReferences, n_y: int, voxel_um: float) -> tuple[int, int]:
    """Give the first row that a network may see and one past the last: what it has learned."""
    margin_px = _MARGIN_UM / voxel_um
    first = max(int(np.floor(references.edges_px[0] - margin_px)), 0)
    return first, min(int(np.ceil(references.edges_px[3] + margin_px)) + 1, n_y)


def cell_rows(references: GreyReferences, n_y: int, voxel_um: float) -> tuple[int, int]:
    """Give the first row of the cell and one past its last, with a margin beyond its faces.

    Their number is a multiple of 32 where the region is high enough, so that a network that was
    loaded for one scan of a swelling cell fits the next.
    """
    first, stop = known_rows(references, n_y, voxel_um)
    return first, min(first + -(-(stop - first) // _ROWS_STEP) * _ROWS_STEP, n_y)


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
        Loaded for slices of the rows of the cell (`cell_rows`) and all columns.
    volume, references
        The present scan and its grey values.
    earlier
        Scans that are shown beside it; none for a pass of the present scan alone.
    voxel_um
        Edge of a voxel.
    slab_rows
        Slices that are worked on at a time at most; the result does not depend on it.
    with_probabilities
        Whether the probability of each class is wanted.
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
    step = max(1, min(slab_rows, _INPUT_BYTES // (4 * inputs.n_channels * n_y * n_x)))
    y0, y1 = cell_rows(references, n_y, voxel_um)
    _, y_known = known_rows(references, n_y, voxel_um)
    segments = np.full((n_z, n_y, n_x), SegmentClass.BACKGROUND, np.uint8)
    share = np.zeros_like(segments)
    probabilities = None
    if with_probabilities:
        probabilities = np.zeros((n_z, parameters.n_classes, n_y, n_x), np.uint8)
        probabilities[:, SegmentClass.BACKGROUND] = 255
    soft_px, confidence, n_low = [], [], 0
    for z0 in range(0, n_z, step):
        z1 = min(z0 + step, n_z)
        low, high = max(z0 - inputs.halo, 0), min(z1 + inputs.halo, n_z)
        part: FloatVolume = volume[slice(low, high), slice(y0, y1), slice(None)]
        part = _without_air(part, y_known - y0)
        seen = {scan.which: _rows_of(scan.seen(low, high), y0, y1, y_known) for scan in earlier}
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
        segments[z0:z1, y0:y1], share[z0:z1, y0:y1] = found.labels, found.share
        if probabilities is not None and found.probabilities is not None:
            probabilities[z0:z1, :, y0:y1] = found.probabilities
        soft_px.append(found.soft_px)
        confidence.append(found.confidence_sum)
        n_low += int(found.n_low.sum())
    # One sum over all slices in their order, so that slabs do not show in the last digit.
    sums = np.cumsum(np.concatenate(soft_px), axis=0)[-1]
    n_seen = n_z * (y1 - y0) * n_x
    sums[SegmentClass.BACKGROUND] += segments.size - n_seen
    names = network.model.card.classes
    return NetworkPass(
        segments=segments,
        lithium_share=share,
        probabilities=probabilities,
        soft_voxels={name: float(n) for name, n in zip(names, sums, strict=True)},
        mean_confidence=min(1.0, float(np.cumsum(np.concatenate(confidence))[-1]) / n_seen),
        low_share=n_low / n_seen,
    )


def _rows_of(scan: SeenScan, y0: int, y1: int, y_known: int) -> SeenScan:
    volume = _without_air(scan.volume[:, y0:y1], y_known - y0)
    return SeenScan(volume=volume, references=scan.references)


def _without_air(volume: FloatVolume, n_known: int) -> FloatVolume:
    """Repeat the last row that may be seen in the rows that only fill up the tile."""
    if n_known >= volume.shape[1]:
        return volume
    filled = np.array(volume)
    filled[:, n_known:] = volume[:, n_known - 1 : n_known]
    return filled


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
