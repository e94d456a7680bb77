"""How lithium moves inside a simulated cell, with the reference experiment as default.

Rates and coverages reproduce the lithium/polymer/lithium cell of [1]_; the rest is chosen to look
like its pictures. A length, share or number of 0 switches a feature off.

References
----------
.. [1] Huang et al., npj Comput. Mater. 9, 93 (2023). doi:10.1038/s41524-023-01039-y
"""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from lithoscope_pipeline.errors import ParameterError

Bridge = Literal["none", "inside", "outside"]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DendriteParameters:
    """Dendrites: upright trunks with branches at an angle, and what is left of them.

    Parameters
    ----------
    spacing_um
        One dendrite grows in each square of this side; 0 for no common dendrites.
    height_um
        Least height of a trunk above the plated layer at the end of charging; a tail above it
        is exponential with the same scale.
    trunk_radius_um, branch_radius_um
        Smallest and largest radius.
    n_branches
        Branches of each dendrite.
    branch_length_um
        Smallest and largest length of a full-grown branch.
    branch_elevation_deg
        Smallest and largest angle between a branch and the electrode.
    n_threats
        Threatening dendrites: that many stand close to the middle of the view, the first is the
        tallest.
    threat_height_um
        Height of the tallest above the plated layer at the end of charging.
    surviving_share
        Share of the common dendrites that discharge leaves standing.
    stranded_share
        Share of the branches of the others that it leaves behind, without their trunk.
    dead_root_um
        Height below which roots are dissolved at the end of discharge; at 0 nothing comes off
        the electrode, and no branch is left without its trunk.
    """

    spacing_um: float = 27.5
    height_um: float = 17.0
    trunk_radius_um: Range = (2.8, 5.2)
    branch_radius_um: Range = (2.6, 4.4)
    n_branches: int = 3
    branch_length_um: Range = (8.0, 20.0)
    branch_elevation_deg: Range = (25.0, 70.0)
    n_threats: int = 3
    threat_height_um: float = 215.0
    surviving_share: float = 0.4
    stranded_share: float = 0.1
    dead_root_um: float = 9.0

    def __post_init__(self) -> None:
        _refuse_negative(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PitParameters:
    """Pits of the stripping electrode, and voids on either side.

    Parameters
    ----------
    depth_um
        Depth of shallow pits when the stripping electrode is at its thinnest.
    coverage
        Share of the electrode that shallow pits cover.
    bowl_depth_um
        Depth of the deepest of the bowl-shaped pits.
    bowl_spacing_um
        One bowl lies in each square of this side; 0 for none.
    filled_share
        Share of the pitted area in which redeposited lithium fills pits; over the rest it leaves
        voids between itself and the electrode.
    lift_um
        Greatest height of the voids between the plating electrode and the deposited layer.
    lift_spacing_um
        One such void lies in each square of this side; 0 for none.
    """

    depth_um: float = 2.9
    coverage: float = 0.54
    bowl_depth_um: float = 16.0
    bowl_spacing_um: float = 85.0
    filled_share: float = 0.05
    lift_um: float = 7.0
    lift_spacing_um: float = 90.0

    def __post_init__(self) -> None:
        _refuse_negative(self)
        if self.coverage >= 1 or self.filled_share > 1:
            msg = f"pit coverage {self.coverage} and filled_share {self.filled_share} are shares"
            raise ParameterError(f"{msg}; below 1 and up to 1 are possible")


@dataclass(frozen=True, slots=True, kw_only=True)
class PorosityParameters:
    """What tells plated lithium from foil, for on average both attenuate alike.

    Parameters
    ----------
    texture
        Standard deviation of the texture of plated and redeposited lithium, of zero mean, as a
        share of the contrast between lithium and electrolyte.
    correlation_um
        Length over which the texture changes.
    interface_um
        Thickness of the line at the plating electrode's original surface, where it is covered.
    interface_salt
        Share of salts in the line, against lithium.
    electrolyte_share
        Share of the contrast between lithium and electrolyte that plated lithium has lost, for
        electrolyte fills its pores; below 1.
    """

    texture: float = 0.12
    correlation_um: float = 3.0
    interface_um: float = 0.4
    interface_salt: float = 0.3
    electrolyte_share: float = 0.0

    def __post_init__(self) -> None:
        _refuse_negative(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthParameters:
    """Where the lithium goes.

    Parameters
    ----------
    efficiency
        Share of the charge that moves lithium (0.93 of 1.2128 um a pulse [1]_).
    plated_porosity
        Share of the plated volume that is not metal at the end of the first charge, and from
        then on.
    slows_at
        Share of the first charge after which the plated side thickens more slowly, for later
        pulses densify it; 0 for a porosity that is the same in all pulses.
    redeposited_porosity
        The same of redeposited lithium (2.47 um a pulse [1]_).
    layer_roughness_um
        Standard deviation of the surface of a full layer.
    swelling_um
        Growth of the electrolyte at the end of charging, reversible.
    dendrites, pits, porosity
        What is not a layer.
    bridge
        Whether lithium ends up bridging both electrodes: ``inside`` the view, where the tallest
        dendrite gets there, ``outside`` of it, or not at all.
    bridge_pulse
        Pulses of the first charge after which it does.
    short_share
        Share of the current that a bridge carries from then on, moving no lithium.
    control_um
        Extent along z of a control region beside the view that the beam never meets; 0 for none.

    References
    ----------
    .. [1] Huang et al., npj Comput. Mater. 9, 93 (2023). doi:10.1038/s41524-023-01039-y
    """

    efficiency: float = 0.7668
    plated_porosity: float = 0.69
    slows_at: float = 0.66
    redeposited_porosity: float = 0.6235
    layer_roughness_um: float = 4.2
    swelling_um: float = 1.0
    dendrites: DendriteParameters = field(default_factory=DendriteParameters)
    pits: PitParameters = field(default_factory=PitParameters)
    porosity: PorosityParameters = field(default_factory=PorosityParameters)
    bridge: Bridge = "none"
    bridge_pulse: float = 11.0
    short_share: float = 0.6
    control_um: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.efficiency <= 1:
            raise ParameterError(f"efficiency is {self.efficiency}; it must lie in (0, 1]")
        if self.bridge not in get_args(Bridge):
            kinds = ", ".join(get_args(Bridge))
            raise ParameterError(f"bridge is {self.bridge!r}; one of {kinds} is needed")
        for name in ("plated_porosity", "redeposited_porosity", "slows_at", "short_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must lie in [0, 1)")
        if self.bridge_pulse <= 0 or self.control_um < 0 or self.layer_roughness_um < 0:
            msg = "bridge_pulse must be positive, control_um and layer_roughness_um not negative"
            raise ParameterError(msg)


def _refuse_negative(group: DendriteParameters | PitParameters | PorosityParameters) -> None:
    for each in fields(group):
        value = getattr(group, each.name)
        if (min(value) if isinstance(value, tuple) else value) < 0:
            raise ParameterError(f"{each.name} is {value}; nothing below 0 is possible")
