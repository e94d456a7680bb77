"""The cell as it cycles: the surfaces of its layers after any number of pulses.

Lithium is conserved (see `ledger`): averages over the domain, the part of the electrode plane
that a scan can see whole, follow it exactly; texture redistributes within it. Dendrites that
outlast the plated layer are paid for by the electrode below.

The stationary outer face stays at ``outer_low_um``; everything above follows from the
thicknesses: the electrolyte keeps its volume but for a stated swelling, so that the plating side
moves by what both electrodes gain or lose, voids included.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.bodies import BodySamples, Segments
from lithoscope_pipeline.phantom.dendrites import lithium_bodies
from lithoscope_pipeline.phantom.ledger import Ledger, lithium_after
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.pits import Pits
from lithoscope_pipeline.phantom.plated_layer import PlatedShapes, find_level
from lithoscope_pipeline.phantom.texture import Map, RandomField, Sampling, seeded

_FIELD_STREAM: Final = 1
_FOIL_ROUGHNESS_UM: Final = 1.0
_RECESSION_ROUGHNESS: Final = 0.25  # share of the mean, as is the next
_REDEPOSITED_ROUGHNESS: Final = 0.15
_BARE_LIMITS: Final = (0.0, 2.0)  # standard deviations above which no lithium is plated
_BARE_PULSES: Final = 3.0  # after which the bare part has fallen by e
_BARE_RAMP: Final = 0.3
_FILLING_UM: Final = 10.0  # of redeposited lithium, after which no more goes into pits
_NO_LAYER: Final = -10.0  # roughnesses below which the level leaves no layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The random fields that give a cell its texture."""

    stripping_foil: RandomField
    plating_foil: RandomField
    recession: RandomField
    redeposited: RandomField
    layer: RandomField
    bare: RandomField

    @classmethod
    def make(cls, seed: int) -> "Fields":
        """Draw the fields of a seed."""

        def draw(index: int, correlation_um: float) -> RandomField:
            return RandomField.make(
                seeded(seed, _FIELD_STREAM, index), correlation_um=correlation_um
            )

        return cls(
            stripping_foil=draw(0, 12.0),
            plating_foil=draw(1, 12.0),
            recession=draw(2, 20.0),
            redeposited=draw(3, 15.0),
            layer=draw(4, 10.0),
            bare=draw(5, 12.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """Averages over the domain after some pulses; micrometres.

    Parameters
    ----------
    ledger
        Where the lithium is.
    pits
        Growth of the pits, 1 at their deepest.
    filling
        Progress of what fills them, 1 when it ends.
    redeposited_um
        Porous lithium on the stripping electrode.
    cavity_um
        Pits and voids between the stripping electrode and what covers it.
    plated_um
        Porous lithium on the plating electrode: layer, dendrites and detached pieces.
    plating_loss_um
        Lithium lost by the plating electrode itself when the plated layer was used up.
    layer_base_um
        Level of the plated layer before its roughness: what makes the mean ``plated_um``.
    lift_um
        Voids between the plating electrode and the plated layer.
    electrolyte_um
        Volume of the electrolyte per area.
    """

    ledger: Ledger
    pits: float
    filling: float
    redeposited_um: float
    cavity_um: float
    plated_um: float
    plating_loss_um: float
    layer_base_um: float
    lift_um: float
    electrolyte_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Heights on a sampled plane, micrometres, shape (n_z, n_x).

    Parameters
    ----------
    stripping_um
        Thickness of the stripping electrode.
    cavity_um
        Pit or void between it and what covers it.
    redeposited_um
        Thickness of what was redeposited over that.
    plating_um
        Thickness of the plating electrode.
    lift_um
        Void between it and the plated layer.
    layer_um
        Thickness of the plated layer, 0 where bare.
    bodies
        Lithium beyond the layer, in heights above the plating electrode.
    """

    stripping_um: Map
    cavity_um: Map
    redeposited_um: Map
    plating_um: Map
    lift_um: Map
    layer_um: Map
    bodies: Segments

    @property
    def floor_um(self) -> Map:
        """Height of the plated layer's surface above the plating electrode."""
        return self.lift_um + self.layer_um

    @property
    def top_um(self) -> Map:
        """Height of the highest lithium above the plating electrode."""
        return self.bodies.top_um(self.floor_um)

    @property
    def stripping_side_um(self) -> Map:
        """Thickness of the stripping side, its cavities included."""
        return self.stripping_um + self.cavity_um + self.redeposited_um

    @property
    def pit_um(self) -> Map:
        """Thickness of the pits that nothing covers."""
        return np.where(self.redeposited_um > 0, 0.0, self.cavity_um)

    @property
    def buried_void_um(self) -> Map:
        """Thickness of the voids under redeposited lithium."""
        return np.where(self.redeposited_um > 0, self.cavity_um, 0.0)

    def cropped(self, box: tuple[slice, slice]) -> "Surfaces":
        """Return the part of the plane in ``box``, (z, x)."""
        return Surfaces(
            stripping_um=self.stripping_um[box],
            cavity_um=self.cavity_um[box],
            redeposited_um=self.redeposited_um[box],
            plating_um=self.plating_um[box],
            lift_um=self.lift_um[box],
            layer_um=self.layer_um[box],
            bodies=self.bodies.cropped(box),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlanes:
    """Mean planes between the layers, micrometres along y from the rotation axis.

    In this order: outside of the stationary pouch, outer face of the stripping electrode,
    surface of the stripping side, surface of the plated lithium, inner and outer face of the
    plating electrode, outside of the other pouch.
    """

    pouch_low_um: float
    outer_low_um: float
    stripping_surface_um: float
    plated_surface_um: float
    plating_inner_um: float
    outer_high_um: float
    pouch_high_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainMeans:
    """Means over the domain of what must not change a layer's volume."""

    stripping_foil: float
    plating_foil: float
    recession: float
    redeposited: float
    pit_um: float
    filled_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGrowth:
    """A cell that can be looked at after any number of pulses.

    Parameters
    ----------
    cell
        What the cell is.
    domain
        The part of the electrode plane over which lithium is balanced.
    fields, pits, means
        Its texture.
    """

    cell: CellParameters
    domain: Sampling
    fields: Fields
    pits: Pits
    means: DomainMeans
    _states: dict[float, CellState] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def make(cls, cell: CellParameters, domain: Sampling) -> "CellGrowth":
        """Prepare the cell whose lithium is balanced over ``domain``."""
        fields = Fields.make(cell.seed)
        pits = Pits.make(cell.seed, cell.growth.pits)
        depth_um = pits.depth_um(domain)
        means = DomainMeans(
            stripping_foil=float(fields.stripping_foil.sample(domain).mean()),
            plating_foil=float(fields.plating_foil.sample(domain).mean()),
            recession=float(fields.recession.sample(domain).mean()),
            redeposited=float(fields.redeposited.sample(domain).mean()),
            pit_um=float(depth_um.mean()),
            filled_um=float((depth_um * pits.filled_share(domain)).mean()),
        )
        return cls(cell=cell, domain=domain, fields=fields, pits=pits, means=means)

    def state(self, n_pulses: float) -> CellState:
        """Return the averages after ``n_pulses``, counted through all half-cycles."""
        if n_pulses not in self._states:
            self._states[n_pulses] = self._solve(n_pulses)
        return self._states[n_pulses]

    def _solve(self, n_pulses: float) -> CellState:
        cell, means = self.cell, self.means
        ledger = lithium_after(cell, n_pulses)
        metal = 1.0 - ledger.plated_porosity
        lost_before_um = 0.0
        if ledger.cycle > 0:
            lost_before_um = self.state(ledger.cycle * cell.n_pulses).plating_loss_um
        target_um = (ledger.missing_um + lost_before_um) / metal
        electrolyte_um = cell.electrolyte_thickness_um + cell.growth.swelling_um * (
            ledger.charged - ledger.discharged
        )

        shapes = self._shapes_on(self.domain, ledger, electrolyte_um)
        ceiling_um = np.full(self.domain.shape, electrolyte_um + target_um)
        lowest_um = _NO_LAYER * max(cell.growth.layer_roughness_um, 1.0)
        base_um, plated_um = find_level(shapes, target_um, lowest_um, ceiling_um)

        redeposited_um = ledger.redeposited_um / (1.0 - cell.growth.redeposited_porosity)
        pits = ledger.recession_um / (cell.moved_um_per_pulse * cell.n_charge_pulses)
        filling = min(redeposited_um / _FILLING_UM, 1.0)
        return CellState(
            ledger=ledger,
            pits=pits,
            filling=filling,
            redeposited_um=redeposited_um,
            cavity_um=pits * (means.pit_um - filling * means.filled_um),
            plated_um=plated_um,
            plating_loss_um=lost_before_um + max(0.0, plated_um - target_um) * metal,
            layer_base_um=base_um,
            lift_um=float(shapes.lifted_um(shapes.layer_um(base_um)).mean()),
            electrolyte_um=electrolyte_um,
        )

    def planes(self, state: CellState) -> LayerPlanes:
        """Return the mean planes of the layers; the first two never move."""
        cell = self.cell
        # The rotation axis lies in the middle of the stack when that is thickest.
        pouch_low_um = -cell.thickest_stack_um / 2.0
        outer_low_um = pouch_low_um + cell.pouch_thickness_um
        electrode_um = cell.stripping_thickness_um - state.ledger.recession_um
        stripping_um = outer_low_um + electrode_um + state.cavity_um + state.redeposited_um
        plated_um = stripping_um + state.electrolyte_um
        inner_um = plated_um + state.plated_um + state.lift_um
        outer_high_um = inner_um + cell.plating_thickness_um - state.plating_loss_um
        return LayerPlanes(
            pouch_low_um=pouch_low_um,
            outer_low_um=outer_low_um,
            stripping_surface_um=stripping_um,
            plated_surface_um=plated_um,
            plating_inner_um=inner_um,
            outer_high_um=outer_high_um,
            pouch_high_um=outer_high_um + cell.pouch_thickness_um,
        )

    def surfaces(self, state: CellState, lower: Sampling, upper: Sampling) -> Surfaces:
        """Sample the surfaces of the stripping side on ``lower``, of the plating on ``upper``."""
        cell, fields, means = self.cell, self.fields, self.means
        foil = fields.stripping_foil.sample(lower) - means.stripping_foil
        lost = 1.0 + _RECESSION_ROUGHNESS * (fields.recession.sample(lower) - means.recession)
        gained = 1.0 + _REDEPOSITED_ROUGHNESS * (
            fields.redeposited.sample(lower) - means.redeposited
        )
        pit_um = state.pits * self.pits.depth_um(lower)
        filled_um = pit_um * self.pits.filled_share(lower) * state.filling
        even_um = state.ledger.recession_um - state.pits * means.pit_um
        over_um = state.redeposited_um - state.pits * state.filling * means.filled_um
        stripping_um = (
            cell.stripping_thickness_um + _FOIL_ROUGHNESS_UM * foil - even_um * lost - pit_um
        )
        side_um = stripping_um + pit_um + over_um * gained

        plating_foil = fields.plating_foil.sample(upper) - means.plating_foil
        ceiling_um = state.electrolyte_um + state.plated_um + state.lift_um
        below_um = cell.stripping_thickness_um - state.ledger.recession_um
        below_um += state.cavity_um + state.redeposited_um
        shapes = self._shapes_on(upper, state.ledger, state.electrolyte_um)
        layer_um = shapes.layer_um(state.layer_base_um)
        lift_um = shapes.lifted_um(layer_um)
        bodies = shapes.bodies.segments(
            state.layer_base_um,
            lift_um + layer_um,
            lift_um,
            ceiling_um - _FOIL_ROUGHNESS_UM * plating_foil - (side_um - below_um),
        )
        return Surfaces(
            stripping_um=stripping_um,
            cavity_um=pit_um - filled_um,
            redeposited_um=filled_um + over_um * gained,
            plating_um=cell.plating_thickness_um
            + _FOIL_ROUGHNESS_UM * plating_foil
            - state.plating_loss_um,
            lift_um=lift_um,
            layer_um=layer_um,
            bodies=bodies,
        )

    def body_samples(self, state: CellState, where: Sampling) -> BodySamples:
        """Return the bodies on the plated layer, each by itself."""
        return self._shapes_on(where, state.ledger, state.electrolyte_um).bodies

    def _shapes_on(self, where: Sampling, ledger: Ledger, electrolyte_um: float) -> PlatedShapes:
        lean_um = abs(where.z_slope) * float(np.abs(where.x_um).max())
        bodies = lithium_bodies(
            self.cell,
            ledger,
            z_um=(float(where.z_um.min()) - lean_um, float(where.z_um.max()) + lean_um),
            x_um=(float(where.x_um.min()), float(where.x_um.max())),
            gap_um=electrolyte_um,
        )
        low, high = _BARE_LIMITS
        n_charged = ledger.charged * self.cell.n_charge_pulses
        limit = high - (high - low) * np.exp(-n_charged / _BARE_PULSES)
        bare = self.fields.bare.sample(where)
        roughness_um = self.cell.growth.layer_roughness_um * ledger.charged**0.5
        return PlatedShapes(
            plated=np.clip((limit - bare) / _BARE_RAMP + 0.5, 0.0, 1.0) * (ledger.charged > 0),
            roughness_um=roughness_um * self.fields.layer.sample(where),
            lift_um=ledger.charged * (1.0 - ledger.discharged) * self.pits.lift_um(where),
            bodies=BodySamples.of(bodies, where),
        )
