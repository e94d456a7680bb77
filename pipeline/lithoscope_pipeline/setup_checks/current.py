"""Whether sign of current and sides are right: by the first pulse, and by where lithium grows."""

from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.setup_checks.finding import SetupFinding

_SIGN: Final = "sign of current"
_SIDES: Final = "sides"
#: Resolutions by which one side must have grown more than the other.
_LEAST_RESOLVED: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthEvidence:
    """What the cycler passed and what the images gained, within the first half-cycle.

    Parameters
    ----------
    first_current_mA
        Median current of the first pulse, signed as the cycler does; None if no current flowed.
    plating_gain_um, stripping_gain_um
        Change of the thickness of the lithium of either side since the first scan; None if
        there is no second scan.
    resolution_um
        Below which a change means nothing: an edge of a voxel, or the spread of scans at rest.
    """

    first_current_mA: float | None  # noqa: N815 - the unit is mA
    plating_gain_um: float | None = None
    stripping_gain_um: float | None = None
    resolution_um: float = 0.0

    @property
    def difference_um(self) -> float | None:
        """By how much the plating side gained more than the other; None if that is not known."""
        if self.plating_gain_um is None or self.stripping_gain_um is None:
            return None
        difference = self.plating_gain_um - self.stripping_gain_um
        return difference if abs(difference) >= _LEAST_RESOLVED * self.resolution_um else None

    @property
    def numbers(self) -> dict[str, float]:
        """What is known, by name."""
        known = {
            "first_current_mA": self.first_current_mA,
            "plating_gain_um": self.plating_gain_um,
            "stripping_gain_um": self.stripping_gain_um,
            "resolution_um": self.resolution_um,
        }
        return {name: value for name, value in known.items() if value is not None}


def check_current_sign(evidence: GrowthEvidence, first_current_sign: int) -> SetupFinding:
    """Compare the current of the first pulse with the sign that was set up.

    Parameters
    ----------
    evidence
        Of cycler and images.
    first_current_sign
        1 or -1, as it was set up.
    """
    current = evidence.first_current_mA
    if current is None or current == 0.0:
        text = "no current has flowed yet"
        return SetupFinding(check=_SIGN, verdict="unknown", text=text, evidence=evidence.numbers)
    text = f"the first pulse flowed at {current:+.4g} mA"
    if current * first_current_sign > 0:
        return SetupFinding(check=_SIGN, verdict="right", text=text, evidence=evidence.numbers)
    difference = evidence.difference_um
    grown = ""
    if difference is not None:
        side = "plating" if difference > 0 else "stripping"
        grown = f"; lithium grew by {abs(difference):.0f} µm more on the {side} side"
    return SetupFinding(
        check=_SIGN,
        verdict="wrong",
        text=f"{text}, experiment.first_current_sign says {first_current_sign:+d}: lithium would "
        f"have to grow on the other side{grown}",
        advice=f"set experiment.first_current_sign = {-first_current_sign}, or turn the sign in "
        "the cycler's record",
        evidence=evidence.numbers,
    )


def check_sides(evidence: GrowthEvidence) -> SetupFinding:
    """Tell whether the side that was named plating side is the one that received lithium first.

    In the first half-cycle it is, whatever sign a cycler gives its current.
    """
    difference = evidence.difference_um
    if evidence.first_current_mA is None or difference is None:
        text = "neither side has grown enough to tell which one is plated first"
        return SetupFinding(check=_SIDES, verdict="unknown", text=text, evidence=evidence.numbers)
    gains = (
        f"plating side {evidence.plating_gain_um:+.0f} µm, stripping side "
        f"{evidence.stripping_gain_um:+.0f} µm since the first scan"
    )
    if difference > 0:
        return SetupFinding(check=_SIDES, verdict="right", text=gains, evidence=evidence.numbers)
    return SetupFinding(
        check=_SIDES,
        verdict="wrong",
        text=f"{gains}: in the first half-cycle lithium grew on what is taken for the stripping "
        "side",
        advice="the sides are swapped: add 180 to experiment.edge_on_deg (or "
        "lithoscope new --first-plating-side low) and take the scans in again",
        evidence=evidence.numbers,
    )
