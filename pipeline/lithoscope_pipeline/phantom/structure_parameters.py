"""What surrounds the electrodes of a simulated cell, and how the beam passes through."""

from dataclasses import dataclass

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom.materials import Material, Optics


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureParameters:
    """Parts of the cell beside electrodes and electrolyte; a size of 0 leaves one out.

    Parameters
    ----------
    foil_thickness_um
        Aluminium of the pouch's laminate, on either side of the stack.
    foil_distance_um
        From the middle of the stack to the inside of the foil. None puts it beyond the
        reconstructed circle, a gas pocket between; in a cell inside the field it lies on the
        stack.
    tab_thickness_um, tab_length_um, tab_material
        Metal between pouch and electrode, at one end of either electrode: the stripping one at
        low x, the plating one at high x. Nickel and copper let no light through lengthwise.
    shim_window_share
        Share of the cell's width that the shim's window leaves to the membranes; beyond it the
        shim stands between the electrodes. 1 for a cell without a shim.
    interface_um
        Gap between the two membranes, in the middle of the electrolyte.
    impurity_spacing_um
        One particle lies in each square of this side of every pouch and electrode.
    particle_spacing_um
        One particle lies in each square of this side of either membrane.
    is_inside_field
        Whether the cell is so small that all of it lies in the reconstructed circle.

    Raises
    ------
    ParameterError
        If a size is negative or the window is no share.
    """

    foil_thickness_um: float = 40.0
    foil_distance_um: float | None = None
    tab_thickness_um: float = 50.0
    tab_length_um: float = 500.0
    tab_material: Material = Material.ALUMINIUM
    shim_window_share: float = 0.6
    interface_um: float = 1.0
    impurity_spacing_um: float = 40.0
    particle_spacing_um: float = 120.0
    is_inside_field: bool = False

    def __post_init__(self) -> None:
        for name in (
            "foil_thickness_um",
            "tab_thickness_um",
            "tab_length_um",
            "interface_um",
            "impurity_spacing_um",
            "particle_spacing_um",
        ):
            value = getattr(self, name)
            if not value >= 0:
                raise ParameterError(f"{name} is {value}; 0 (left out) or more is needed")
        if not 0 < self.shim_window_share <= 1:
            raise ParameterError(
                f"shim_window_share is {self.shim_window_share}; it must lie in (0, 1]"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticsParameters:
    """The beam behind the sample, and what is not the same in all scans.

    Parameters
    ----------
    energy_keV
        Of the photons; it makes the optical constants of all materials.
    distance_mm
        From the sample to the detector in a parallel beam; 0 for no phase contrast.
    grey_drift
        Largest relative change of all attenuation in a scan against scan 0.
    motion_px
        Largest distance that the sample drifts by during a scan, along each of z, y and x.

    Raises
    ------
    ParameterError
        If the energy lies outside the tables, or anything else is negative.
    """

    energy_keV: float = 27.5  # noqa: N815 - the unit is spelt so
    distance_mm: float = 6.0
    grey_drift: float = 0.02
    motion_px: float = 0.2

    def __post_init__(self) -> None:
        Optics(self.energy_keV)
        for name in ("distance_mm", "grey_drift", "motion_px"):
            value = getattr(self, name)
            if not value >= 0:
                raise ParameterError(f"{name} is {value}; 0 (off) or more is needed")

    def of(self, material: Material) -> complex:
        """Return a material's optical constant, as `Optics.of` does."""
        return Optics(self.energy_keV).of(material)
