"""Local current density from heights, faces from probabilities, and the dose of the beam."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import (
    Beam,
    EarlierScans,
    GrowthStep,
    PreviousScan,
    energy_absorption_cm2_g,
    map_current_density,
    map_unit,
    measure_dose,
    measure_labels,
)

VOXEL_UM = 1.33


def step(
    *, on_time_s: float = 600.0, refined: bool = False, residual_um: float = 0.0
) -> GrowthStep:
    return GrowthStep(
        on_time_s=on_time_s,
        registration_residual_um=residual_um,
        is_refined=refined,
        voxel_um=VOXEL_UM,
    )


def test_one_voxel_a_pulse_is_the_published_current_density() -> None:
    before = np.full((12, 14), 20.0, np.float32)

    found = map_current_density(before + np.float32(VOXEL_UM), before, step())

    # 1.33 um in 10 min: 1.33 / 4.8514 / (1 / 6) = 1.645 mA/cm2.
    np.testing.assert_allclose(found.density_mA_cm2, 1.645, atol=2e-3)


def test_rounded_faces_hide_a_pulse_and_refined_ones_show_it() -> None:
    before = np.full((12, 14), 20.0, np.float32)

    rounded = map_current_density(before, before, step()).limit_mA_cm2
    refined = map_current_density(before, before, step(refined=True)).limit_mA_cm2

    # 3.3 sd of two faces, each anywhere in a voxel: 3.3 sqrt(2 / 12) voxels.
    np.testing.assert_allclose(rounded, 1.645 * 3.3 * (2 / 12) ** 0.5, rtol=2e-3)
    np.testing.assert_allclose(refined, 1.645 * 3.3 * 2**0.5 * 0.1, rtol=2e-3)


def test_rough_growth_is_detected_where_it_is_larger() -> None:
    rng = np.random.default_rng(5)
    before = np.full((60, 60), 20.0, np.float32)
    noisy = (before + 3.0 * rng.standard_normal((60, 60))).astype(np.float32)

    limit = map_current_density(noisy, before, step(refined=True)).limit_mA_cm2

    # 3 um of white noise; a window of 81 pixels gives it to a tenth.
    per_um = 1.645 / VOXEL_UM
    assert np.median(limit) == pytest.approx(3.3 * 3.0 * per_um, rel=0.1)


def test_registration_counts_where_the_surface_is_steep() -> None:
    slope = np.broadcast_to(np.arange(20, dtype=np.float32) * VOXEL_UM, (20, 20)).copy()

    limit = map_current_density(slope, slope, step(residual_um=2.0)).limit_mA_cm2

    per_um = 1.645 / VOXEL_UM
    faces_um = VOXEL_UM * (2 / 12) ** 0.5
    expected = 3.3 * np.hypot(faces_um, 2.0) * per_um
    np.testing.assert_allclose(limit[5:15, 5:15], expected, rtol=2e-3)


def test_columns_without_lithium_have_no_current_density() -> None:
    before = np.full((6, 6), 20.0, np.float32)
    now = before.copy()
    now[2, 3] = np.nan

    found = map_current_density(now, before, step())

    assert np.isnan(found.density_mA_cm2[2, 3])
    assert np.isnan(found.limit_mA_cm2[2, 3])
    assert np.isfinite(found.limit_mA_cm2).sum() == 35


def test_no_current_has_no_density() -> None:
    image = np.zeros((3, 3), np.float32)

    with pytest.raises(ParameterError, match="on_time_s"):
        map_current_density(image, image, step(on_time_s=0.0))
    with pytest.raises(ShapeError, match="one grid"):
        map_current_density(image, image[:2], step())


def two_electrodes(surface_px: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make labels with a plated surface at fractions of voxels, and the shares that say so."""
    n_z, n_x = surface_px.shape
    rows = np.arange(40)[None, :, None]
    # Lithium fills a voxel from the surface on: its share falls over the voxel's edges.
    share = np.clip(rows + 0.5 - surface_px[:, None, :], 0, 1)
    share = np.broadcast_to(share, (n_z, 40, n_x)).copy()
    labels = np.where(share >= 0.5, Label.DEPOSITED, Label.ELECTROLYTE).astype(np.uint8)
    labels[:, 30:36], labels[:, 36:] = Label.PLATING_ELECTRODE, Label.BACKGROUND
    labels[:, :2], labels[:, 2:8] = Label.BACKGROUND, Label.STRIPPING_ELECTRODE
    share[:, 36:], share[:, :2], share[:, 2:8] = 0, 0, 1
    return labels, np.rint(share * 255).astype(np.uint8)


def test_surfaces_are_found_to_a_fraction_of_a_voxel_from_probabilities() -> None:
    surface_px = np.linspace(20.0, 22.0, 16 * 16).reshape(16, 16)
    labels, share = two_electrodes(surface_px)

    refined = measure_labels(labels, voxel_um=1.0, lithium_share=share).maps["plating_surface_um"]
    rounded = measure_labels(labels, voxel_um=1.0).maps["plating_surface_um"]

    # A share of one half lies on the surface; linear between two centres, in 255ths.
    assert np.abs(refined - surface_px).max() < 0.26
    assert np.abs(refined - surface_px).mean() < 0.5 * np.abs(rounded - surface_px).mean()


def test_shares_of_another_volume_are_refused() -> None:
    labels, share = two_electrodes(np.full((8, 8), 20.0))

    with pytest.raises(ShapeError, match="lithium_share"):
        measure_labels(labels, voxel_um=1.0, lithium_share=share[:4])


def test_a_scan_after_another_has_maps_of_the_current_on_both_sides() -> None:
    before, _ = two_electrodes(np.full((12, 12), 22.0))
    now, _ = two_electrodes(np.full((12, 12), 20.0))
    now[:, 7] = Label.PIT
    then = measure_labels(before, voxel_um=VOXEL_UM)
    previous = PreviousScan(
        labels=before, objects=then.objects, n_pulses=1, heights_um=then.maps, step=step()
    )

    maps = measure_labels(now, voxel_um=VOXEL_UM, earlier=EarlierScans(previous=previous)).maps

    np.testing.assert_allclose(maps["plating_current_density_mA_cm2"], 2 * 1.645, atol=4e-3)
    np.testing.assert_allclose(maps["stripping_current_density_mA_cm2"], -1.645, atol=4e-3)
    assert (maps["plating_current_limit_mA_cm2"] > 0).all()


def test_without_a_step_there_is_no_map_of_the_current() -> None:
    labels, _ = two_electrodes(np.full((8, 8), 20.0))
    then = measure_labels(labels, voxel_um=1.0)
    previous = PreviousScan(
        labels=labels, objects=then.objects, n_pulses=0, heights_um=then.maps, step=None
    )

    maps = measure_labels(labels, voxel_um=1.0, earlier=EarlierScans(previous=previous)).maps

    assert not [name for name in maps if "current" in name]


def test_cross_sections_and_edges_are_those_of_the_labels() -> None:
    labels, _ = two_electrodes(np.full((6, 5), 20.0))

    maps = measure_labels(labels, voxel_um=2.0).maps

    deposited = labels == Label.DEPOSITED
    np.testing.assert_allclose(maps["deposited_density_yx"], deposited.mean(axis=0))
    np.testing.assert_allclose(maps["deposited_density_zy"], deposited.mean(axis=2))
    np.testing.assert_allclose(maps["deposited_density"], deposited.mean(axis=1))
    np.testing.assert_allclose(maps["edges_um_yx"][:, 0], [4, 16, 60, 72])
    assert maps["edges_um_zy"].shape == (4, 6)


def test_each_map_has_the_unit_of_its_name() -> None:
    names = (
        "dendrite_thickness_um",
        "edges_um_zy",
        "plating_current_limit_mA_cm2",
        "pit_density_yx",
    )

    assert [map_unit(name) for name in names] == ["um", "um", "mA/cm2", "1"]


@pytest.mark.parametrize(
    ("energy_kev", "published"),
    [(10, 4.944), (15, 1.374), (20, 0.5503), (30, 0.1557), (50, 0.04223)],
)
def test_water_absorbs_the_published_energy(energy_kev: float, published: float) -> None:
    # NIST, mass energy-absorption coefficients of liquid water, cm2/g.
    assert energy_absorption_cm2_g("H2O", energy_kev) == pytest.approx(published, rel=0.02)


def test_the_dose_is_fluence_times_energy_times_absorption() -> None:
    beam = Beam(energy_keV=20, flux_per_s_mm2=1e10, exposure_s=0.1)

    dose = measure_dose(beam, 1000, formula="H2O")

    # 1e12 photons/mm2 of 20 keV are 0.3204 J/cm2; times 0.5503 cm2/g, in Gy.
    assert dose.unit == "kGy"
    assert dose.value == pytest.approx(1e14 * 20 * 1.602177e-16 * 0.5503, rel=0.02)


def test_without_a_beam_there_is_no_dose() -> None:
    assert measure_dose(None, 1000).flags == ("beam_not_known",)


def test_what_is_no_formula_is_named() -> None:
    with pytest.raises(ParameterError, match="no chemical formula"):
        energy_absorption_cm2_g("Xx9(", 20)
