"""Foil, tabs, shim, interface, particles and the beam: each by itself, switched on and off."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phantom import SIZES, CellParameters, SimulatedCell, make_cell
from lithoscope_pipeline.phantom.drift import motion_px
from lithoscope_pipeline.phantom.impurities import impurities
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.structure import Box, boxes, foil_distance_um, interface_um
from lithoscope_pipeline.phantom.structure_parameters import OpticsParameters, StructureParameters

BARE = StructureParameters(
    foil_thickness_um=0.0,
    tab_thickness_um=0.0,
    shim_window_share=1.0,
    interface_um=0.0,
    impurity_spacing_um=0.0,
    particle_spacing_um=0.0,
)
CONTACT = OpticsParameters(distance_mm=0.0, grey_drift=0.0, motion_px=0.0)
# Rotating in steps: edge-on is edge-on.
DETECTOR = replace(
    SIZES["tiny"], n_rows=4, n_columns=96, n_angles=24, voxel_um=9.0, exposure_share=0.0
)
FACE_ON, EDGE_ON = 0, 12


def cell_with(
    structure: StructureParameters = BARE, optics: OpticsParameters = CONTACT
) -> SimulatedCell:
    cell = CellParameters(seed=2, structure=structure, optics=optics)
    return make_cell(seed=2, n_scans=3, cell=cell, detector=DETECTOR)


def change_by(structure: StructureParameters, scan: int = 0) -> FloatStack:
    """Return what a part adds to the projections of a cell without it."""
    without = cell_with().line_integrals(scan, n_rows=4)
    return np.asarray(cell_with(structure).line_integrals(scan, n_rows=4) - without)


def boxes_of(simulated: SimulatedCell, scan: int = 0) -> list[Box]:
    return boxes(simulated.cell, simulated.planes(scan), simulated.detector)


def test_without_its_parts_a_cell_has_none() -> None:
    simulated = cell_with()

    assert boxes_of(simulated) == []
    assert impurities(simulated.cell, simulated.planes(0), z_um=(0, 500), x_um=(0, 500)) == []


def test_foil_darkens_the_cell_face_on_and_stays_beside_the_view_edge_on() -> None:
    change = change_by(replace(BARE, foil_thickness_um=40.0))

    # Twice 40 um of aluminium, 3.83 /cm.
    np.testing.assert_allclose(change[FACE_ON], 2 * 40e-4 * 3.83, rtol=0.01)
    np.testing.assert_allclose(change[EDGE_ON], 0.0, atol=1e-4)
    # In between, rays run through it lengthwise.
    assert change.max() > 3 * change[FACE_ON].max()


def test_foil_lies_beyond_the_field_by_default_and_on_the_stack_of_a_small_cell() -> None:
    wide, small = cell_with(), cell_with(replace(BARE, is_inside_field=True))
    radius_um = DETECTOR.n_columns * DETECTOR.voxel_um / 2

    assert foil_distance_um(wide.cell, DETECTOR) > radius_um
    assert foil_distance_um(small.cell, DETECTOR) == small.cell.thickest_stack_um / 2


def test_foil_lies_where_it_is_put() -> None:
    placed = cell_with(replace(BARE, foil_distance_um=350.0))

    assert foil_distance_um(placed.cell, DETECTOR) == 350.0


def test_a_small_cell_lies_in_the_field_with_all_its_parts() -> None:
    small = cell_with(StructureParameters(is_inside_field=True))
    radius_um = DETECTOR.n_columns * DETECTOR.voxel_um / 2

    corners = [np.hypot(x, y) for box in boxes_of(small) for x in box.x_um for y in box.y_um]

    assert max(corners) < radius_um
    outside = small.line_integrals(0, n_rows=1)[..., [0, -1]]
    np.testing.assert_allclose(outside, 0.0, atol=2e-3)


def test_tabs_stand_in_the_beam_only_away_from_face_on() -> None:
    change = change_by(replace(BARE, tab_thickness_um=50.0))

    np.testing.assert_allclose(change[FACE_ON], 0.0, atol=1e-4)
    # Edge-on each is crossed lengthwise, 500 um: 3.83 /cm less 0.46 of the pouch.
    assert change[EDGE_ON].max() == pytest.approx(0.05 * (3.83 - 0.46), rel=0.1)


def test_a_tab_of_nickel_is_darker() -> None:
    thin = replace(BARE, tab_thickness_um=10.0, tab_length_um=50.0)

    nickel = change_by(replace(thin, tab_material=Material.NICKEL))

    assert nickel.max() > 20 * change_by(thin).max()


def test_the_shim_frames_the_active_area() -> None:
    change = change_by(replace(BARE, shim_window_share=0.6))

    np.testing.assert_allclose(change[FACE_ON], 0.0, atol=1e-4)
    # 0.4 of a width of 4.5 x 864 um: PTFE for polymer.
    expected = 0.4 * 4.5 * 96 * 9e-4 * (1.027 - 0.398)
    assert np.median(change[EDGE_ON, :, 40:56]) == pytest.approx(expected, rel=0.05)


def test_membranes_leave_a_gap_between_them() -> None:
    simulated = cell_with(replace(BARE, interface_um=1.0))
    change = change_by(replace(BARE, interface_um=1.0))
    low_um, high_um = interface_um(simulated.cell, simulated.planes(0))

    assert high_um - low_um == pytest.approx(1.0)
    np.testing.assert_allclose(change[FACE_ON], -1e-4 * 0.398, atol=2e-6)
    # A ninth of a pixel, 3.9 mm long.
    assert change[EDGE_ON].min() == pytest.approx(-0.3888 * 0.398 / 9, rel=0.05)


def test_lithium_that_grew_through_the_gap_has_closed_it() -> None:
    gap = replace(BARE, interface_um=6.0)
    structure = change_by(gap, scan=1)[FACE_ON]

    depth = -np.asarray(structure) / 6e-4 / 0.398

    # The tallest dendrite crosses the middle of the electrolyte at half-cycle.
    assert depth.max() == pytest.approx(1.0, abs=0.02)
    assert depth.min() < 0.8


def excesses(structure: StructureParameters) -> dict[complex, list[float]]:
    """Return the places along y of all particles, by how much brighter they are."""
    simulated = cell_with(structure)
    found: dict[complex, list[float]] = {}
    for each in impurities(simulated.cell, simulated.planes(0), z_um=(0, 500), x_um=(0, 500)):
        found.setdefault(each.excess_per_cm, []).append(each.y_um)
    return found


def test_particles_lie_in_pouches_and_electrodes_or_in_membranes() -> None:
    planes = cell_with().planes(0)

    in_foil = excesses(replace(BARE, impurity_spacing_um=40.0))
    in_membranes = excesses(replace(BARE, particle_spacing_um=40.0))

    assert len(in_foil) == 2
    (places,) = in_membranes.values()
    assert planes.stripping_surface_um < min(places)
    assert max(places) < planes.plated_surface_um
    assert all(excess.real > 0.5 for excess in (*in_foil, *in_membranes))


def test_particles_in_membranes_stay_where_they_are_without_those_in_foil() -> None:
    alone = excesses(replace(BARE, particle_spacing_um=60.0))
    both = excesses(replace(BARE, particle_spacing_um=60.0, impurity_spacing_um=40.0))

    assert alone.items() <= both.items()


@pytest.mark.parametrize("name", ["impurity_spacing_um", "particle_spacing_um"])
def test_particles_make_bright_spots(name: str) -> None:
    change = change_by(replace(BARE, **cast(Any, {name: 60.0})))

    # A particle of 12 um is crossed in full by few rays of 9 um: 12e-4 cm x 0.75 /cm.
    assert 3e-4 < change[FACE_ON].max() < 4e-3
    assert change.mean() > 0


def test_a_distance_makes_fringes_and_keeps_the_mean() -> None:
    flat = cell_with().line_integrals(0, n_rows=4)
    far = cell_with(optics=replace(CONTACT, distance_mm=60.0)).line_integrals(0, n_rows=4)

    edge_on = far[EDGE_ON] - flat[EDGE_ON]
    assert np.ptp(edge_on) > 5 * np.abs(edge_on.mean())
    assert np.ptp(edge_on) > 0.1


def test_grey_levels_drift_from_scan_to_scan() -> None:
    steady = cell_with()
    drifting = cell_with(optics=replace(CONTACT, grey_drift=0.02))
    factors = [drifting.grey_factor(scan) for scan in range(3)]

    assert factors[0] == 1.0
    assert all(0.98 <= factor <= 1.02 for factor in factors)
    assert len(set(factors)) == 3
    np.testing.assert_allclose(
        drifting.line_integrals(1, n_rows=1),
        factors[1] * steady.line_integrals(1, n_rows=1),
        rtol=1e-5,
    )


def test_a_sample_that_moves_within_a_scan_stands_in_its_place_in_the_middle() -> None:
    way = motion_px(np.random.default_rng(1), 24, largest_px=4.0)

    np.testing.assert_allclose(way.mean(axis=0), 0.0, atol=1e-12)
    assert (np.abs(way[-1] - way[0]) <= 4.0).all()
    assert np.abs(way[0]).max() > 0.5


def test_motion_within_a_scan_moves_the_image() -> None:
    still = cell_with().line_integrals(1, n_rows=1)
    moved = cell_with(optics=replace(CONTACT, motion_px=4.0)).line_integrals(1, n_rows=1)

    # Most where it has gone farthest: at either end, face-on, where texture alone has edges.
    change = np.abs(moved - still).max(axis=(1, 2))
    assert change[FACE_ON] > 1e-4
    assert change[FACE_ON] > 3 * change[EDGE_ON - 4]


@pytest.mark.parametrize("name", ["foil_thickness_um", "interface_um", "particle_spacing_um"])
def test_a_negative_size_is_refused_by_name(name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        replace(BARE, **cast(Any, {name: -1.0}))


@pytest.mark.parametrize("name", ["distance_mm", "grey_drift", "motion_px"])
def test_negative_optics_are_refused_by_name(name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        replace(CONTACT, **{name: -1.0})


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_window_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ParameterError, match="shim_window_share"):
        replace(BARE, shim_window_share=share)
