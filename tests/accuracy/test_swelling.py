"""Thickness of the stack, its gap and its motion, from noisy frames to metrics over a chain.

Between scans the sample drifts by up to 3 voxels and 0.3 degrees and its grey scale by 2 %.
"""

from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import pytest

from lithoscope_messages import RoiVoxels
from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.faces import Swelling, measure_swelling
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.measure import measure_labels
from lithoscope_pipeline.phantom import (
    CellParameters,
    CyclingParameters,
    DendriteParameters,
    GrowthParameters,
    PitParameters,
    PorosityParameters,
    SimulatedCell,
    make_cell,
)
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.reference_frame import ReferenceFrame, find_reference_frame
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_pipeline.segment import find_grey_references, lithium_share, segment_layers
from lithoscope_services.stages.register_pair import ScanPair, Way, place_in_frame

SETTINGS = {
    "engine": "auto",
    "max_shift_px": 12.0,
    "residual_limit_px": 1.0,
    "max_bytes": 2**28,
}
LENGTHS = (
    "stack_thickness_um",
    "electrode_gap_um",
    "plating_side_thickness_um",
    "stripping_side_thickness_um",
)
VOLUMES = ("stripping_electrode_volume_um3", "plating_electrode_volume_um3", "li_total_volume_um3")
# Nothing but the electrolyte changes: hardly any current, and nothing on the electrodes.
MOVED_UM = 39.0
ONLY_SWELLING = GrowthParameters(
    swelling_um=MOVED_UM,
    layer_roughness_um=0.0,
    dendrites=DendriteParameters(spacing_um=0.0, n_threats=0),
    pits=PitParameters(
        depth_um=0.0, coverage=0.0, bowl_depth_um=0.0, bowl_spacing_um=0.0, lift_spacing_um=0.0
    ),
    porosity=PorosityParameters(texture=0.0, interface_um=0.0),
)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What was measured of a cell, one entry a scan."""

    frame: ReferenceFrame
    swelling: list[Swelling]
    metrics: list[dict[str, float]]
    voxel_um: float

    def of(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([each[name] for each in self.metrics])


def reconstructed(cell: SimulatedCell, scan: int) -> FloatVolume:
    frames, optics = cell.frames(scan), cell.cell.optics
    paganin = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.deg2rad(cell.scan_thetas_deg(scan)),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        correction=Correction(phase=paganin),
    )


class Places:
    """Lay each scan over the one before, every fourth over the first, as the service does."""

    def __init__(self, cell: SimulatedCell, frame: ReferenceFrame, first: FloatVolume) -> None:
        self.voxel_um = cell.voxel_um
        self.frame = frame
        self.first = self.previous = Way(scan=0, volume=first, transform=frame.transform)
        self.roi = RoiVoxels(**asdict(frame.roi))

    def of(self, scan: int, moving: FloatVolume) -> RigidTransform:
        pair = ScanPair(
            scan=scan,
            moving=moving,
            first=self.first,
            previous=self.previous,
            roi=self.roi,
            planes_px=self.frame.planes_px,
            voxel_um=self.voxel_um,
        )
        found = place_in_frame(pair, SETTINGS | {"is_anchor_due": scan % 4 == 0})
        assert found.reason == ""
        return found.transform


def measured(cell: SimulatedCell) -> Chain:
    """Take all scans of a cell through frame, registration, segmentation and measurement."""
    first = reconstructed(cell, 0)
    frame = find_reference_frame(first, cell.voxel_um)
    assert frame.faces is not None
    anatomy: AnatomyReference | None = None
    swelling, metrics = [], []
    places = Places(cell, frame, first)
    for point in cell.schedule:
        scan = reconstructed(cell, point.scan) if point.scan else first
        place = places.of(point.scan, scan) if point.scan else frame.transform
        seen = measure_swelling(scan, place, frame.faces)
        swelling.append(seen)
        places.previous = Way(
            scan=point.scan, volume=scan, transform=place, lift_px=seen.plating.mean_px
        )
        region = resample_region(scan, place, roi=frame.roi).volume
        references = find_grey_references(region)
        classes = segment_layers(region, references)
        share = lithium_share(region, references)
        labels = label_anatomy(classes, anatomy, voxel_um=cell.voxel_um, lithium_share=share)
        if anatomy is None:
            thickness = find_side_thickness(classes, lithium_share=share)
            anatomy = AnatomyReference.from_first_scan(thickness)
        found = measure_labels(labels, voxel_um=cell.voxel_um).metrics
        metrics.append({name: found[name].value or 0.0 for name in (*LENGTHS, *VOLUMES)})
    return Chain(frame=frame, swelling=swelling, metrics=metrics, voxel_um=cell.voxel_um)


@cache
def chain_at_rest(seed: int, n_scans: int) -> Chain:
    at_rest = CellParameters(seed=seed, cycling=CyclingParameters(n_null_scans=n_scans))
    return measured(make_cell("tiny", seed=seed, n_scans=n_scans, cell=at_rest))


@cache
def chain_that_swells(seed: int) -> Chain:
    swelling = CellParameters(seed=seed, current_mA_cm2=1.0e-6, growth=ONLY_SWELLING)
    return measured(make_cell("tiny", seed=seed, n_scans=3, cell=swelling))


def seeds_at_rest(is_soak: bool) -> list[tuple[int, int]]:
    return [(seed, 25) for seed in range(1, 5)] if is_soak else [(1, 4)]


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_a_cell_at_rest_stay_constant(is_soak: bool, name: str) -> None:
    for seed, n_scans in seeds_at_rest(is_soak):
        length_px = chain_at_rest(seed, n_scans).of(name) / 4.5

        assert length_px.std() < 0.15
        assert np.abs(length_px - np.median(length_px)).max() < 0.2


def test_faces_of_a_cell_at_rest_stay_where_they_were(is_soak: bool) -> None:
    for seed, n_scans in seeds_at_rest(is_soak):
        for swelling in chain_at_rest(seed, n_scans).swelling:
            assert swelling.stripping.verdict == swelling.plating.verdict == "resolved"
            # What registration leaves.
            assert abs(swelling.stripping.mean_px) < (0.3 if is_soak else 0.2)
            assert swelling.stack_change_px == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize("seed", [1])
def test_stack_says_39_micrometres_where_one_electrode_moves_by_so_much(seed: int) -> None:
    chain = chain_that_swells(seed)

    moved_px = MOVED_UM / chain.voxel_um
    stack_px = chain.of("stack_thickness_um") / chain.voxel_um
    assert stack_px[1] - stack_px[0] == pytest.approx(moved_px, abs=0.5)
    assert stack_px[2] - stack_px[0] == pytest.approx(0.0, abs=0.5)
    assert chain.swelling[1].stack_change_px == pytest.approx(moved_px, abs=0.3)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", VOLUMES)
def test_no_lithium_comes_or_goes_where_one_electrode_moves(seed: int, name: str) -> None:
    chain = chain_that_swells(seed)

    roi = chain.frame.roi
    layer_um3 = roi.shape[0] * roi.shape[2] * chain.voxel_um**3
    layers = chain.of(name) / layer_um3
    # Two faces a side, each to 0.2 voxel, independently of each other.
    assert np.abs(layers - layers[0]).max() < 0.3
