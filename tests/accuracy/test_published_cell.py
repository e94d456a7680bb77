"""The default experiment reproduces the published cell within 20 %.

Numbers of Huang et al., npj Comput. Mater. 9, 93 (2023), doi:10.1038/s41524-023-01039-y, at its
pixel of 1.33 um, on a part of its region of interest of 6.884 mm2.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.phantom import SIZES, make_cell

Series = Callable[[str], NDArray[np.float64]]
PUBLISHED_ROI_UM2 = 1707 * 2280 * 1.33**2


@pytest.fixture(scope="module")
def series() -> Series:
    detector = replace(SIZES["medium"], n_rows=256, n_columns=900)
    simulated = make_cell("medium", seed=0, n_scans=25, detector=detector)
    scans = simulated.truth(simulated.roi)["scans"]

    def of(name: str) -> NDArray[np.float64]:
        return np.array([scan["metrics"].get(name, {"value": np.nan})["value"] for scan in scans])

    return of


def test_the_plating_side_thickens_as_published(series: Series) -> None:
    thickness_um = series("plating_side_thickness_um")

    assert thickness_um[0] == pytest.approx(107.7, rel=0.01)
    # The change, not only the total.
    assert thickness_um[12] - thickness_um[0] == pytest.approx(140.1 - 107.7, rel=0.2)


def test_the_plating_side_slows_after_the_seventh_and_stops_after_the_ninth_pulse(
    series: Series,
) -> None:
    rates_um = np.diff(series("plating_side_thickness_um")[:13])

    early_um = rates_um[:7].mean()
    assert (rates_um[:7] > 0.8 * early_um).all()
    assert (rates_um[7:9] < 0.8 * early_um).all()
    assert (np.abs(rates_um[9:]) < 0.15 * early_um).all()


def test_the_stripping_side_thins_and_thickens_as_published(series: Series) -> None:
    thickness_um = series("stripping_side_thickness_um")

    assert (thickness_um[12] - thickness_um[0]) / 12 == pytest.approx(-0.93, rel=0.02)
    assert (thickness_um[24] - thickness_um[12]) / 12 == pytest.approx(2.47, rel=0.02)
    assert thickness_um[24] == pytest.approx(130.5, rel=0.02)


def test_the_deposit_covers_and_leaves_what_was_published(series: Series) -> None:
    coverage = series("deposited_coverage")

    assert coverage[12] == pytest.approx(0.984, rel=0.02)
    # About 27 scraps make it up here: their number varies by a few.
    assert coverage[24] == pytest.approx(0.0016, rel=0.35)


def test_dendrites_cover_what_was_published(series: Series) -> None:
    coverage = series("dendrite_coverage")

    assert coverage[12] == pytest.approx(0.30, rel=0.2)
    assert coverage[24] == pytest.approx(0.12, rel=0.2)


def test_the_remaining_dendrites_have_the_published_volume(series: Series) -> None:
    remaining_um3 = series("dendrite_thickness_um")[24] * PUBLISHED_ROI_UM2

    assert remaining_um3 == pytest.approx(1.11e7, rel=0.2)


def test_voids_cover_what_was_published(series: Series) -> None:
    assert series("void_area_fraction")[24] == pytest.approx(0.539, rel=0.2)
    assert series("contact_area_fraction")[24] == pytest.approx(0.461, rel=0.2)


def test_the_gap_widens_as_published(series: Series) -> None:
    gap_um = series("electrode_gap_um")

    assert gap_um[12] - gap_um[0] == pytest.approx(39.3, rel=0.2)


def test_pits_and_dendrites_do_not_correlate(series: Series) -> None:
    # Some 300 dendrites: a coefficient of 0.06 is one standard deviation.
    assert np.nanmax(np.abs(series("pearson_pit_dendrite"))) < 0.15
