"""Optical constants against published ones."""

import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom.materials import Material, Optics

OPTICS = Optics(27.5)


@pytest.mark.parametrize(
    ("material", "mu_per_cm"),
    [
        # NIST XCOM, total with coherent scattering, interpolated between 20 and 30 keV (log-log).
        (Material.LITHIUM, 0.090),
        (Material.ALUMINIUM, 3.81),
        (Material.NICKEL, 117.0),
        # What the reference experiment states for its electrolyte.
        (Material.POLYMER, 0.40),
    ],
)
def test_attenuation_is_the_total_one(material: Material, mu_per_cm: float) -> None:
    assert OPTICS.of(material).real == pytest.approx(mu_per_cm, rel=0.03)


@pytest.mark.parametrize(
    ("material", "electrons_per_cm3"),
    [
        # Avogadro's number x Z / A x density.
        (Material.LITHIUM, 6.022e23 * 3 / 6.94 * 0.534),
        (Material.ALUMINIUM, 6.022e23 * 13 / 26.98 * 2.699),
        (Material.SHIM, 6.022e23 * 48 / 100.02 * 2.2),
    ],
)
def test_far_above_its_edges_delta_counts_the_electrons(
    material: Material, electrons_per_cm3: float
) -> None:
    wavelength_cm, electron_radius_cm = 12.3984 / 27.5 * 1e-8, 2.818e-13

    expected = electron_radius_cm * wavelength_cm**2 / 6.28319 * electrons_per_cm3 * 1e8

    # What the edges add to the forward scattering is below 1 % for these.
    assert OPTICS.of(material).imag == pytest.approx(expected, rel=0.01)


def test_nothing_has_no_optical_constant() -> None:
    assert OPTICS.of(Material.VOID) == 0


def test_every_material_has_one() -> None:
    solid = [OPTICS.of(material) for material in Material if material is not Material.VOID]

    assert all(constant.real > 0 and constant.imag > 10 for constant in solid)


def test_an_energy_outside_the_tables_is_refused() -> None:
    with pytest.raises(ParameterError, match="5 to 100"):
        Optics(0.0275)
