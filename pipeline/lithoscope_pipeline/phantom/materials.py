"""Optical constants of what a cell is made of, from tables of cross sections.

Lithium barely absorbs: at 27.5 keV two thirds of what it takes from the beam it scatters. Only
the total cross section counts, and the imaginary part of the refractive index, which holds
absorption alone, is 40 times too small for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from lithoscope_pipeline.errors import ParameterError

DELTA_SCALE: Final = 1.0e8
_EV_PER_KEV: Final = 1.0e3
_ENERGIES_KEV: Final = (5.0, 100.0)  # where the tables are smooth and complete for these elements


class Material(StrEnum):
    """What a part of the cell is made of."""

    LITHIUM = "lithium"
    POLYMER = "polymer"
    VOID = "void"
    ALUMINIUM = "aluminium"
    POUCH_POLYMER = "pouch_polymer"
    NICKEL = "nickel"
    COPPER = "copper"
    SHIM = "shim"
    PARTICLE = "particle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """A substance: atoms by element, in any common measure, and grams a cubic centimetre."""

    name: str
    atoms: Mapping[str, float]
    density_g_cm3: float

    @property
    def formula(self) -> str:
        """The atoms written one after the other."""
        return "".join(f"{element}{count:g}" for element, count in self.atoms.items())


SUBSTANCES: Final[Mapping[Material, Substance]] = MappingProxyType(
    {
        Material.LITHIUM: Substance(name="lithium", atoms={"Li": 1}, density_g_cm3=0.534),
        # Polystyrene and poly(ethylene oxide), equal in mass, one LiTFSI to 50 ethylene oxides;
        # the density is that of the volumes added up (1.05, 1.13 and 2.2 g/cm3).
        Material.POLYMER: Substance(
            name="PS-PEO with LiTFSI",
            atoms={
                "C": 5.4237,
                "H": 7.3837,
                "O": 1.08,
                "Li": 0.02,
                "N": 0.02,
                "S": 0.04,
                "F": 0.12,
            },
            density_g_cm3=1.123,
        ),
        Material.ALUMINIUM: Substance(name="aluminium", atoms={"Al": 1}, density_g_cm3=2.699),
        Material.POUCH_POLYMER: Substance(
            name="polyester", atoms={"C": 10, "H": 8, "O": 4}, density_g_cm3=1.38
        ),
        Material.NICKEL: Substance(name="nickel", atoms={"Ni": 1}, density_g_cm3=8.902),
        Material.COPPER: Substance(name="copper", atoms={"Cu": 1}, density_g_cm3=8.96),
        Material.SHIM: Substance(name="PTFE", atoms={"C": 2, "F": 4}, density_g_cm3=2.2),
        Material.PARTICLE: Substance(
            name="lithium fluoride", atoms={"Li": 1, "F": 1}, density_g_cm3=2.64
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Optics:
    """Optical constants at one energy.

    Parameters
    ----------
    energy_keV
        Of the photons, 5 to 100.

    Raises
    ------
    ParameterError
        If the energy lies outside the tables.
    """

    energy_keV: float  # noqa: N815 - the unit is spelt so

    def __post_init__(self) -> None:
        low, high = _ENERGIES_KEV
        if not low <= self.energy_keV <= high:
            msg = f"energy_keV is {self.energy_keV}; the tables serve {low:g} to {high:g}"
            raise ParameterError(msg)

    def of(self, material: Material) -> complex:
        """Return the optical constant of a material.

        Parameters
        ----------
        material
            Any of them; a void has none, 0.

        Returns
        -------
        complex
            Real part: linear attenuation from the total cross section, 1/cm. Imaginary part:
            refractive index decrement delta times 1e8.
        """
        if material is Material.VOID:
            return 0j
        return _constant(material, self.energy_keV)


@cache
def _constant(material: Material, energy_kev: float) -> complex:
    """Look a material up."""
    import xraydb  # opens its database: nothing that does not simulate should pay for it

    substance, energy_ev = SUBSTANCES[material], energy_kev * _EV_PER_KEV
    mass, cross_section = 0.0, 0.0
    # Element by element: by name, xraydb would prefer what stands in a file of the user.
    for element, count in substance.atoms.items():
        grams = count * float(xraydb.atomic_mass(element))
        mass += grams
        cross_section += grams * float(xraydb.mu_elam(element, energy_ev, kind="total"))
    mu_per_cm = substance.density_g_cm3 * cross_section / mass
    delta, _, _ = xraydb.xray_delta_beta(substance.formula, substance.density_g_cm3, energy_ev)
    return complex(mu_per_cm, float(delta) * DELTA_SCALE)
