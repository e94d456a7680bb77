"""Pits that are filled, half filled or left; and correlations with what shifts give."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import EarlierScans, correlate_maps, measure_labels
from lithoscope_pipeline.metric import Metric

Labels = NDArray[np.uint8]
VOXEL_UM = 2.0
PITS = {2: slice(2, 6), 10: slice(10, 14), 18: slice(18, 22)}


def charged() -> Labels:
    """Make three pits of 4 x 4 columns, 6 voxels deep, in the face of the stripping electrode."""
    labels = np.full((24, 60, 24), Label.ELECTROLYTE, np.uint8)
    labels[:, :4], labels[:, 56:] = Label.BACKGROUND, Label.BACKGROUND
    labels[:, 4:20], labels[:, 44:56] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    labels[:, 42:44] = Label.DEPOSITED
    for x in PITS.values():
        labels[10:14, 14:20, x] = Label.PIT
    return labels


def discharged() -> Labels:
    """Fill one pit, half fill another from its mouth on, and leave the third."""
    labels = charged()
    labels[10:14, 14:20, PITS[2]] = Label.REDEPOSITED
    labels[10:14, 17:20, PITS[10]] = Label.REDEPOSITED
    labels[10:14, 14:17, PITS[10]] = Label.VOID
    labels[:, 42] = Label.ELECTROLYTE
    return labels


def value(metrics: dict[str, Metric], name: str) -> float:
    found = metrics[name].value
    assert found is not None, metrics[name].flags
    return found


def test_half_filled_and_empty_pits_are_unfilled() -> None:
    metrics = measure_labels(
        discharged(), voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged())
    ).metrics

    assert value(metrics, "unfilled_pit_fraction") == pytest.approx(2 / 3)
    assert metrics["unfilled_pit_fraction"].voxels == 48


def test_voids_are_what_was_pit_and_holds_no_lithium_now() -> None:
    measurement = measure_labels(
        discharged(), voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged())
    )

    # 3 voxels of the half-filled pit and 6 of the empty one, 16 columns each of 576.
    assert value(measurement.metrics, "void_area_fraction") == pytest.approx(32 / 576)
    assert value(measurement.metrics, "contact_area_fraction") == pytest.approx(544 / 576)
    depth_um = measurement.maps["void_depth_um"]
    assert depth_um[12, 3] == 0
    assert depth_um[12, 11] == pytest.approx(3 * VOXEL_UM)
    assert depth_um[12, 19] == pytest.approx(6 * VOXEL_UM)
    assert depth_um[0, 0] == 0


def test_a_void_of_one_voxel_is_not_counted() -> None:
    now = discharged()
    now[10:14, 15:17, PITS[10]] = Label.REDEPOSITED

    metrics = measure_labels(
        now, voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged())
    ).metrics

    assert value(metrics, "void_area_fraction") == pytest.approx(16 / 576)


def test_swelling_makes_no_void() -> None:
    now = charged()
    for x in PITS.values():
        now[10:14, 14:20, x] = Label.REDEPOSITED
    moved = np.roll(now, 3, axis=1)

    metrics = measure_labels(
        moved, voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged())
    ).metrics

    assert value(metrics, "void_area_fraction") == 0
    assert value(metrics, "contact_area_fraction") == 1


def test_the_first_half_cycle_has_no_scan_to_compare_with() -> None:
    metrics = measure_labels(charged(), voxel_um=VOXEL_UM).metrics

    for name in ("unfilled_pit_fraction", "void_area_fraction", "pearson_loss_gain"):
        assert metrics[name].value is None
        assert metrics[name].flags == ("no_reference_scan",)


def test_pits_that_are_not_segmented_are_compared_with_nothing() -> None:
    metrics = measure_labels(
        discharged(),
        voxel_um=VOXEL_UM,
        unsegmented=(Label.PIT, Label.VOID),
        earlier=EarlierScans(charged=charged()),
    ).metrics

    for name in ("unfilled_pit_fraction", "void_area_fraction", "pearson_pit_dendrite"):
        assert metrics[name].flags == ("class_not_segmented",)
    assert metrics["pearson_loss_gain"].flags == ("no_variation",)


def test_scans_on_two_grids_are_refused() -> None:
    with pytest.raises(ShapeError, match="charged scan"):
        measure_labels(
            discharged(), voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged()[:20])
        )


def test_pits_and_dendrites_are_correlated_as_by_scipy() -> None:
    now = discharged()
    now[10:14, 30:42, 3:7] = Label.DENDRITE

    metric = measure_labels(
        now, voxel_um=VOXEL_UM, earlier=EarlierScans(charged=charged())
    ).metrics["pearson_pit_dendrite"]

    pits = (charged() == Label.PIT).sum(axis=1).ravel()
    dendrites = (now == Label.DENDRITE).sum(axis=1).ravel()
    assert metric.value == pytest.approx(stats.pearsonr(pits, dendrites).statistic, abs=1e-12)
    assert metric.p_value is not None
    # 48 x 48 shifts; those that lay the dendrite as well over one of three pits count.
    assert 0 < metric.p_value < 0.05


def test_maps_that_are_equal_are_like_no_shift() -> None:
    image = np.random.default_rng(1).standard_normal((20, 30))

    metric = correlate_maps(image, image)

    assert metric.value == pytest.approx(1)
    # The other map goes on as its mirror image: 40 x 60 windows.
    assert metric.p_value == pytest.approx(1 / 2400)


def test_an_even_map_correlates_with_nothing() -> None:
    image = np.random.default_rng(1).standard_normal((6, 7))

    metric = correlate_maps(image, np.ones((6, 7)))

    assert (metric.value, metric.p_value) == (None, None)
    assert metric.flags == ("no_variation",)


@pytest.mark.parametrize("sigma", [0.0, 2.0, 10.0])
def test_p_values_of_unrelated_maps_are_uniform(
    sigma: float, request: pytest.FixtureRequest
) -> None:
    n_pairs = 4000 if request.config.getoption("--soak") else 400
    rng = np.random.default_rng(20261122)

    def image() -> NDArray[np.float64]:
        # A view of something larger: nothing joins its edges.
        beyond = int(3 * sigma)
        noise = rng.standard_normal((48 + 2 * beyond, 56 + 2 * beyond))
        smooth = ndimage.gaussian_filter(noise, sigma) if sigma else noise
        return np.asarray(smooth[beyond : beyond + 48, beyond : beyond + 56])

    p_values = [correlate_maps(image(), image()).p_value for _ in range(n_pairs)]

    known = np.array([p for p in p_values if p is not None])
    assert len(known) == n_pairs
    # One test in a thousand of a true null fails; the seed is fixed.
    assert stats.kstest(known, "uniform").pvalue > 1e-3
    assert np.mean(known <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n_pairs))
