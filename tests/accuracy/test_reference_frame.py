"""The frame of simulated cells from noisy frames: any edge-on angle, with and without fringes."""

from functools import cache

import numpy as np
import pytest

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.geometry import FloatStack, field_axis_px
from lithoscope_pipeline.phantom import FAMILIES, FamilyName, SimulatedCell, make_cell
from lithoscope_pipeline.phantom.frames import ScanFrames
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.reference_frame import ReferenceFrame, find_reference_frame


@cache
def first_scan(family: FamilyName) -> tuple[SimulatedCell, ScanFrames, FloatStack]:
    cell = make_cell("tiny", seed=1, n_scans=1, family=family)
    frames = cell.frames(0)
    return cell, frames, np.stack(list(frames.projections))


def frame_of(
    family: FamilyName, *, off_deg: float = 0.0, has_phase: bool = True
) -> ReferenceFrame:
    """Find the frame of a scan whose edge-on angle was taken to be too low by ``off_deg``."""
    cell, frames, projections = first_scan(family)
    optics = cell.cell.optics
    paganin = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )
    volume = reconstruct_slab(
        projections,
        frames.flats,
        frames.darks,
        np.deg2rad(cell.scan_thetas_deg(0) + off_deg),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        correction=Correction(phase=paganin if has_phase else None),
    )
    return find_reference_frame(volume, cell.voxel_um)


def true_planes_px(family: FamilyName) -> list[float]:
    cell = first_scan(family)[0]
    planes = cell.planes(0)
    places_um = (
        planes.pouch_low_um,
        planes.outer_low_um,
        planes.stripping_surface_um,
        planes.plated_surface_um,
        planes.outer_high_um,
        planes.pouch_high_um,
    )
    middle = field_axis_px(cell.detector.n_columns)
    return [place / cell.voxel_um + middle for place in places_um]


@pytest.mark.parametrize("has_phase", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_planes_of_every_family_are_found(
    family: FamilyName, has_phase: bool, is_soak: bool
) -> None:
    if family not in ("default", "blurred") and not is_soak:
        pytest.skip("all families run with --soak")

    frame = frame_of(family, has_phase=has_phase)

    assert frame.verdict == "resolved"
    # Fringes that were not taken back, or taken back for another pair of materials, move an edge.
    assert frame.planes_px == pytest.approx(true_planes_px(family), abs=0.4)
    assert frame.transform.rotation_deg == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("off_deg", [23.0, -0.8])
def test_an_edge_on_angle_that_was_wrong_is_put_right(off_deg: float) -> None:
    frame = frame_of("default", off_deg=off_deg)

    assert frame.verdict == "resolved"
    # A tenth of a degree moves the ends of the region, 62 voxels away, by a tenth of a voxel.
    assert frame.edge_on_change_deg == pytest.approx(off_deg, abs=0.1)
    assert frame.planes_px == pytest.approx(true_planes_px("default"), abs=0.4)
