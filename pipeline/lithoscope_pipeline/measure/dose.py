"""What the beam leaves in the electrolyte: polymers age at hundreds of kilogray.

The dose is that of the beam as it enters the sample: what the stack in front absorbs is not taken
off, nor what electrons carry out of thin layers. So it is an upper bound.
"""

from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.metric import Metric, measured, not_measured

_J_PER_KEV: Final = 1.602176634e-16
_ELECTRON_KEV: Final = 510.99895
_MM2_PER_CM2: Final = 100.0
_G_PER_KG: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """The beam that a projection is taken with.

    Parameters
    ----------
    energy_keV
        Photon energy.
    flux_per_s_mm2
        Photons on the sample per second and square millimetre.
    exposure_s
        Exposure of one projection.
    """

    energy_keV: float  # noqa: N815 - a unit, spelt as units are
    flux_per_s_mm2: float
    exposure_s: float


def measure_dose(beam: Beam | None, n_projections: int, *, formula: str = "C2H4O") -> Metric:
    """Add up the dose of all projections so far.

    Parameters
    ----------
    beam
        None when it is not known.
    n_projections
        Taken of this cell up to now, whether they were stored or not.
    formula
        Chemical formula of the electrolyte; poly(ethylene oxide) by default.

    Returns
    -------
    Metric
        ``fluence x energy x mass energy-absorption coefficient``, kGy.
    """
    if beam is None:
        return not_measured("kGy", "beam_not_known")
    per_cm2 = beam.flux_per_s_mm2 * _MM2_PER_CM2 * beam.exposure_s * n_projections
    joule_per_cm2 = per_cm2 * beam.energy_keV * _J_PER_KEV
    gray = joule_per_cm2 * energy_absorption_cm2_g(formula, beam.energy_keV) * _G_PER_KG
    return measured(gray / 1000.0, "kGy", voxels=0)


def energy_absorption_cm2_g(formula: str, energy_keV: float) -> float:  # noqa: N803
    """Give the mass energy-absorption coefficient of a light material.

    Parameters
    ----------
    formula
        Chemical formula of elements up to sulphur or so: fluorescence is taken to stay inside.
    energy_keV
        Photon energy, 1 to 150 keV.

    Returns
    -------
    float
        Photoelectric cross-section, and the share of the Compton cross-section that electrons
        keep, ``a / (1 + 2 a)`` with the energy a in electron masses, which holds to 2 %; cm2/g.

    Raises
    ------
    ParameterError
        If there is no such formula.
    """
    import xraydb  # opens its database: only who knows the beam should pay for it

    try:
        atoms = xraydb.chemparse(formula)
        masses = {name: count * float(xraydb.atomic_mass(name)) for name, count in atoms.items()}
    except ValueError as error:
        msg = f"{formula!r} is no chemical formula ({error}); give one such as C2H4O"
        raise ParameterError(msg) from error
    alpha = energy_keV / _ELECTRON_KEV
    kept = alpha / (1.0 + 2.0 * alpha)
    energy_ev = energy_keV * 1000.0
    total = sum(
        mass
        * (
            float(xraydb.mu_elam(name, energy_ev, kind="photo"))
            + kept * float(xraydb.mu_elam(name, energy_ev, kind="incoh"))
        )
        for name, mass in masses.items()
    )
    return total / sum(masses.values())
