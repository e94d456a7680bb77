"""Families of cells: each differs from the reference experiment in what it says."""

from typing import get_args

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import (
    FAMILIES,
    SIZES,
    CellParameters,
    FamilyName,
    between,
    dendrite_widths,
    make_cell,
)
from lithoscope_pipeline.phantom.materials import Material


def test_every_family_has_a_name_and_a_statement() -> None:
    assert set(FAMILIES) == set(get_args(FamilyName))
    statements = [family.differs for family in FAMILIES.values()]

    assert len(set(statements)) == len(statements) >= 5
    for respect in ("growth law", "contrast", "noise spectrum", "blur"):
        assert any(statement.startswith(respect) for statement in statements)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "default"])
def test_a_family_differs_from_the_default(family: FamilyName) -> None:
    usual, other = make_cell(n_scans=1), make_cell(n_scans=1, family=family)

    assert (usual.cell, usual.detector) != (other.cell, other.detector)


def test_mossy_lumps_are_wider_and_filaments_thinner() -> None:
    names: tuple[FamilyName, ...] = ("default", "mossy", "filaments")
    widths = {}
    for family in names:
        simulated = make_cell("small", seed=2, n_scans=3, family=family)
        found = dendrite_widths(simulated, 1, simulated.roi)
        assert found is not None
        widths[family] = found.median_px

    assert widths["mossy"] > 1.3 * widths["default"]
    assert widths["filaments"] < 0.75 * widths["default"]


def test_the_soft_family_has_less_contrast() -> None:
    def contrast(family: FamilyName) -> float:
        optics = make_cell(n_scans=1, family=family).cell.optics
        return (optics.of(Material.POLYMER) - optics.of(Material.LITHIUM)).real

    assert 0.5 < contrast("soft_contrast") / contrast("default") < 0.85


def test_between_two_families_each_parameter_of_growth_goes_its_own_way_half_way_on_average() -> (
    None
):
    cell, detector = CellParameters(seed=1), SIZES["small"]
    first, second = (
        FAMILIES[name].turn(cell, detector) for name in ("soft_contrast", "filaments")
    )
    mixed, looking = between(first, second, 0.5, np.random.default_rng(5))

    ends = [each[0].growth.dendrites for each in (first, second)]
    found = mixed.growth.dendrites
    names = ("spacing_um", "height_um", "trunk_radius_um", "branch_radius_um", "branch_length_um")
    shares = [
        (np.max(getattr(found, name)) - np.max(getattr(ends[0], name)))
        / (np.max(getattr(ends[1], name)) - np.max(getattr(ends[0], name)))
        for name in names
    ]
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert np.ptp(shares) > 0.2
    assert np.mean(shares) == pytest.approx(0.5, abs=0.25)  # five of eight that differ
    energies = (first[0].optics.energy_keV, second[0].optics.energy_keV)
    assert mixed.optics.energy_keV == pytest.approx(np.mean(energies))
    assert looking == detector


def test_nothing_lies_between_a_family_and_itself() -> None:
    pair = FAMILIES["mossy"].turn(CellParameters(seed=1), SIZES["small"])

    assert between(pair, pair, 0.5, np.random.default_rng(1)) == pair


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="default, mossy, filaments"):
        make_cell(family="spongy")  # type: ignore[arg-type]  # what a caller without types may do
