"""Every wrong value of the set-up that can be seen in the data is seen, and no right one is."""

import numpy as np
import pytest
from setup_cases import CHECK_OF, FAULTS, Fault, SetupCase, right_case, wrong_case

from lithoscope_pipeline.setup_checks import (
    GrowthEvidence,
    ScanTime,
    SetupFinding,
    check_angles,
    check_clock,
    check_current_sign,
    check_pixel_agreement,
    check_pixel_size,
    check_polarity,
    check_sides,
    find_cell_layers,
    find_marker,
    measure_light,
    measure_rings,
)

N_SEEDS = 10
SEEDS_NOW = (0, 7)


def look(case: SetupCase) -> dict[str, SetupFinding]:
    """Ask all checks of a cell."""
    first = find_cell_layers(case.first, case.voxel_um)
    last = find_cell_layers(case.last, case.voxel_um)
    gains = (0.0, 0.0)
    if first.side_px is not None and last.side_px is not None:
        gains = (last.side_px[0] - first.side_px[0], last.side_px[1] - first.side_px[1])
    evidence = GrowthEvidence(
        first_current_mA=case.first_current_mA,
        stripping_gain_um=gains[0] * case.voxel_um,
        plating_gain_um=gains[1] * case.voxel_um,
        resolution_um=case.voxel_um,
    )
    scans = [ScanTime(scan=n, begin_s=b, end_s=e) for n, (b, e) in enumerate(case.scans)]
    found = (
        check_pixel_size(first.stack_px, case.voxel_um, case.stack_um),
        check_angles(case.thetas_deg),
        check_current_sign(evidence, case.first_current_sign),
        check_sides(evidence),
        check_polarity(first),
        check_clock(scans, case.pulses),
    )
    return {finding.check: finding for finding in found}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_a_wrong_value_is_named_with_what_to_do(fault: Fault, seed: int, is_soak: bool) -> None:
    if not is_soak and seed not in SEEDS_NOW:
        pytest.skip("two seeds of ten; --soak runs all 60 cases")
    found = look(wrong_case(seed, fault))

    named = [each for each in found.values() if each.verdict == "wrong"]

    assert [each.check for each in named] == [CHECK_OF[fault]]
    assert named[0].advice
    assert named[0].evidence


@pytest.mark.parametrize("seed", range(100, 120))
def test_a_right_set_up_gives_no_message(seed: int, is_soak: bool) -> None:
    if not is_soak and seed % 5:
        pytest.skip("four seeds of twenty; --soak runs all")
    found = look(right_case(seed))

    assert {each.check: each.verdict for each in found.values()} == dict.fromkeys(found, "right")


def test_the_pixel_that_would_fit_is_told() -> None:
    finding = check_pixel_size(200.0, 2.66, 266.0)

    assert finding.evidence["fitting_voxel_um"] == pytest.approx(1.33)
    assert "1.33" in finding.advice


def test_the_offset_of_the_clock_is_told() -> None:
    pulses = [(1200.0, 1800.0), (3000.0, 3600.0)]
    scans = [ScanTime(scan=0, begin_s=700.0, end_s=1150.0)]
    scans += [ScanTime(scan=1, begin_s=2500.0, end_s=2950.0)]

    finding = check_clock(scans, [(begin - 300.0, end - 300.0) for begin, end in pulses])

    # Scans end 50 s before a pulse: 250 s of it are in them, and a whole step of 5 s fewer counts.
    assert finding.verdict == "wrong"
    assert 245.0 <= finding.evidence["offset_s"] <= 250.0


def test_golden_angles_and_few_angles_are_no_radians() -> None:
    golden = np.mod(np.arange(180) * 111.246, 180.0)

    assert check_angles(golden).verdict == "right"
    assert check_angles(golden[:10]).verdict == "unknown"


def test_a_pixel_that_two_sources_say_differently_is_named() -> None:
    assert check_pixel_agreement(1.33, 1.33, "the file").verdict == "right"
    assert "the file says 0.65" in check_pixel_agreement(1.3, 0.65, "the file").text


def test_the_marker_is_the_first_short_pulse() -> None:
    time_s = np.arange(3000.0)
    current = np.where((time_s >= 40) & (time_s < 50), 0.1, 0.0)
    current += np.where((time_s >= 600) & (time_s < 1200), 0.75, 0.0)

    assert find_marker(time_s, current) == 40.0
    assert find_marker(time_s, np.where(time_s >= 600, 0.75, 0.0)) is None


def test_photons_follow_from_the_noise_of_flats() -> None:
    rng = np.random.default_rng(2)
    flats, views = (rng.poisson(n, (20, 8, 64)) * 4.0 + 100.0 for n in (5000, 1500))
    darks = np.full((5, 8, 64), 100.0)

    levels = measure_light(flats, darks, views, views, full_counts=None)

    # 20 000 counts of 5000 photons; the variance of 10 000 pixels is right to 1.5 %.
    assert levels.photons_per_count == pytest.approx(0.25, rel=0.05)
    assert levels.edge_on_photons == pytest.approx(1500, rel=0.05)
    assert levels.truncated_share == 1.0


def test_rings_are_told_from_layers_and_noise() -> None:
    rng = np.random.default_rng(3)
    y, x = np.indices((192, 192)) - 95.5
    layers = np.where(np.abs(y) < 30, 0.4, 0.09) + rng.normal(0, 0.1, y.shape)
    rings = 0.05 * np.random.default_rng(4).normal(size=140)[np.hypot(y, x).astype(int)]

    without = measure_rings(layers.astype(np.float32))
    with_rings = measure_rings((layers + rings).astype(np.float32))

    assert without.ratio < 0.15
    # A median filter of 11 keeps most of what changes from pixel to pixel; rounding to pixels and
    # interpolation take a third.
    assert with_rings.rms == pytest.approx(0.05, rel=0.45)
    assert with_rings.ratio > 2 * without.ratio
