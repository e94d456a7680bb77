"""The cell as it cycles: the surfaces of its layers after any number of pulses.

Lithium is conserved. A pulse takes ``m`` (dense lithium, as a thickness) from one electrode and
plates ``m / (1 - porosity)`` on the other. Averages over the domain, the part of the electrode
plane that a scan can see whole, follow this exactly; texture redistributes within it.

The stationary outer face stays at ``y_outer_um``; everything above follows from the thicknesses:
the electrolyte keeps its volume but for a stated swelling, so that the plating side moves by what
both electrodes gain or lose.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.dendrites import (
    common_dendrites,
    dead_root_um,
    protrusion_um,
    threats,
)
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.texture import Map, RandomField, Sampling, seeded

_FIELD_STREAM: Final = 1
_FOIL_ROUGHNESS_UM: Final = 1.0
_RECESSION_ROUGHNESS: Final = 0.25  # share of the mean, as are the next
_REDEPOSITED_ROUGHNESS: Final = 0.15
_LAYER_ROUGHNESS_UM: Final = 2.0  # of a full layer; grows with the root of the charge
_BARE_LIMITS: Final = (0.0, 2.0)  # standard deviations above which no lithium is plated
_BARE_PULSES: Final = 3.0  # after which the bare part has fallen by e
_BARE_RAMP: Final = 0.3
_SOLVER_STEPS: Final = 40


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
    charged, discharged
        Shares of the two half-cycles that have passed.
    recession_um
        Lithium lost by the stripping electrode in the first half-cycle.
    redeposited_um
        Porous lithium on the stripping electrode.
    plated_um
        Porous lithium on the plating electrode: layer and dendrites.
    plating_loss_um
        Lithium lost by the plating electrode itself when the plated layer was used up.
    layer_base_um
        Level of the plated layer before its roughness: what makes the mean ``plated_um``.
    electrolyte_um
        Volume of the electrolyte per area.
    """

    charged: float
    discharged: float
    recession_um: float
    redeposited_um: float
    plated_um: float
    plating_loss_um: float
    layer_base_um: float
    electrolyte_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Heights on a sampled plane, micrometres, shape (n_z, n_x).

    Parameters
    ----------
    stripping_um
        Thickness of the stripping electrode.
    redeposited_um
        Thickness of what was redeposited on it.
    plating_um
        Thickness of the plating electrode.
    layer_um
        Thickness of the plated layer, 0 where bare.
    dendrite_um
        Height of dendrites above the plating electrode, 0 where there is none.
    root_um
        Height below which dendrites are dissolved.
    """

    stripping_um: Map
    redeposited_um: Map
    plating_um: Map
    layer_um: Map
    dendrite_um: Map
    root_um: float

    @property
    def top_um(self) -> Map:
        """Height of the highest lithium above the plating electrode."""
        return np.maximum(self.layer_um, self.dendrite_um)

    @property
    def hole_um(self) -> Map:
        """Electrolyte between the plated layer and a dendrite without root."""
        hole = np.maximum(self.root_um - self.layer_um, 0.0)
        return np.where(self.dendrite_um > self.layer_um, hole, 0.0)

    @property
    def stripping_side_um(self) -> Map:
        """Thickness of all lithium on the stripping side."""
        return self.stripping_um + self.redeposited_um

    def cropped(self, box: tuple[slice, slice]) -> "Surfaces":
        """Return the part of the plane in ``box``, (z, x)."""
        return Surfaces(
            stripping_um=self.stripping_um[box],
            redeposited_um=self.redeposited_um[box],
            plating_um=self.plating_um[box],
            layer_um=self.layer_um[box],
            dendrite_um=self.dendrite_um[box],
            root_um=self.root_um,
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
class FieldMeans:
    """Means over the domain of the fields that must not change a layer's volume."""

    stripping_foil: float
    plating_foil: float
    recession: float
    redeposited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGrowth:
    """A cell that can be looked at after any number of pulses.

    Parameters
    ----------
    cell
        What the cell is.
    domain
        The part of the electrode plane over which lithium is balanced.
    fields, means
        Its texture.
    """

    cell: CellParameters
    domain: Sampling
    fields: Fields
    means: FieldMeans

    @classmethod
    def make(cls, cell: CellParameters, domain: Sampling) -> "CellGrowth":
        """Prepare the cell whose lithium is balanced over ``domain``."""
        fields = Fields.make(cell.seed)
        means = FieldMeans(
            stripping_foil=float(fields.stripping_foil.sample(domain).mean()),
            plating_foil=float(fields.plating_foil.sample(domain).mean()),
            recession=float(fields.recession.sample(domain).mean()),
            redeposited=float(fields.redeposited.sample(domain).mean()),
        )
        return cls(cell=cell, domain=domain, fields=fields, means=means)

    def state(self, n_pulses: float) -> CellState:
        """Return the averages after ``n_pulses``, counted through charge and discharge."""
        cell = self.cell
        n_charged = min(n_pulses, cell.n_charge_pulses)
        n_discharged = max(n_pulses - cell.n_charge_pulses, 0)
        charged = n_charged / cell.n_charge_pulses
        discharged = n_discharged / cell.n_charge_pulses
        dense_um = cell.moved_um_per_pulse
        remaining_um = dense_um * (n_charged - n_discharged) / (1.0 - cell.plated_porosity)

        shapes = self._layer_shapes(charged, discharged)
        base_um, plated_um = _solve_base(shapes, remaining_um)
        return CellState(
            charged=charged,
            discharged=discharged,
            recession_um=dense_um * n_charged,
            redeposited_um=dense_um * n_discharged / (1.0 - cell.redeposited_porosity),
            plated_um=plated_um,
            # Dendrites that outlast the layer are paid for by the electrode below.
            plating_loss_um=max(0.0, plated_um - remaining_um) * (1.0 - cell.plated_porosity),
            layer_base_um=base_um,
            electrolyte_um=cell.electrolyte_thickness_um
            + cell.swelling_um * (charged - discharged),
        )

    def planes(self, state: CellState) -> LayerPlanes:
        """Return the mean planes of the layers; the first two never move."""
        cell = self.cell
        # The rotation axis lies in the middle of the stack when that is thickest.
        pouch_low_um = -cell.thickest_stack_um / 2.0
        outer_low_um = pouch_low_um + cell.pouch_thickness_um
        stripping_um = (
            outer_low_um + cell.stripping_thickness_um - state.recession_um + state.redeposited_um
        )
        plated_um = stripping_um + state.electrolyte_um
        inner_um = plated_um + state.plated_um
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
        plating_foil = fields.plating_foil.sample(upper) - means.plating_foil
        layer_um, dendrite_um = self._shapes_on(upper, state.charged, state.discharged).heights_um(
            state.layer_base_um
        )
        return Surfaces(
            stripping_um=cell.stripping_thickness_um
            + _FOIL_ROUGHNESS_UM * foil
            - state.recession_um * lost,
            redeposited_um=state.redeposited_um * gained,
            plating_um=cell.plating_thickness_um
            + _FOIL_ROUGHNESS_UM * plating_foil
            - state.plating_loss_um,
            layer_um=layer_um,
            dendrite_um=dendrite_um,
            root_um=dead_root_um(state.discharged),
        )

    def _layer_shapes(self, charged: float, discharged: float) -> "_LayerShapes":
        return self._shapes_on(self.domain, charged, discharged)

    def _shapes_on(self, where: Sampling, charged: float, discharged: float) -> "_LayerShapes":
        lean_um = abs(where.z_slope) * float(np.abs(where.x_um).max())
        dendrites = threats(self.cell) + common_dendrites(
            self.cell,
            z_um=(float(where.z_um.min()) - lean_um, float(where.z_um.max()) + lean_um),
            x_um=(float(where.x_um.min()), float(where.x_um.max())),
        )
        low, high = _BARE_LIMITS
        n_charged = charged * self.cell.n_charge_pulses
        limit = high - (high - low) * np.exp(-n_charged / _BARE_PULSES)
        bare = self.fields.bare.sample(where)
        return _LayerShapes(
            plated=np.clip((limit - bare) / _BARE_RAMP + 0.5, 0.0, 1.0) * (charged > 0),
            roughness_um=_LAYER_ROUGHNESS_UM * charged**0.5 * self.fields.layer.sample(where),
            protrusion_um=protrusion_um(dendrites, where, charged=charged, discharged=discharged),
            root_um=dead_root_um(discharged),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _LayerShapes:
    """What the plated layer and its dendrites look like, whatever the layer's level."""

    plated: Map
    roughness_um: Map
    protrusion_um: Map
    root_um: float

    def heights_um(self, base_um: float) -> tuple[Map, Map]:
        """Return the heights of layer and dendrites for a level of the layer."""
        layer_um = self.plated * np.maximum(base_um + self.roughness_um, 0.0)
        foot_um = max(base_um, self.root_um)
        dendrite_um = np.where(self.protrusion_um > 0, foot_um + self.protrusion_um, 0.0)
        return layer_um, dendrite_um

    def mean_um(self, base_um: float) -> float:
        """Return the mean thickness of lithium, without the dissolved roots."""
        layer_um, dendrite_um = self.heights_um(base_um)
        foot_um = np.maximum(layer_um, self.root_um)
        return float((layer_um + np.maximum(dendrite_um - foot_um, 0.0)).mean())


def _solve_base(shapes: _LayerShapes, target_um: float) -> tuple[float, float]:
    """Find the level of the layer whose mean is ``target_um``, and the mean that results."""
    low_um = -10.0 * _LAYER_ROUGHNESS_UM  # no layer is left at this level
    high_um = 2.0 * target_um + 20.0
    if shapes.mean_um(low_um) >= target_um:
        return low_um, shapes.mean_um(low_um)
    for _ in range(_SOLVER_STEPS):
        middle_um = (low_um + high_um) / 2.0
        if shapes.mean_um(middle_um) < target_um:
            low_um = middle_um
        else:
            high_um = middle_um
    return high_um, target_um
