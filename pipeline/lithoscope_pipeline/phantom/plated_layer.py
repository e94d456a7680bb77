"""The plated layer with its bodies, and the level at which it holds a given amount of lithium."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from lithoscope_pipeline.phantom.bodies import BodySamples
from lithoscope_pipeline.phantom.texture import Map

_LIFTING_UM: Final = 2.0  # of plated lithium can span a void


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatedShapes:
    """What the plated layer and its dendrites look like, whatever the layer's level."""

    plated: Map
    roughness_um: Map
    lift_um: Map
    bodies: BodySamples

    def layer_um(self, base_um: float) -> Map:
        """Return the thickness of the layer for a level."""
        return self.plated * np.maximum(base_um + self.roughness_um, 0.0)

    def lifted_um(self, layer_um: Map) -> Map:
        """Return the voids under a layer; a thin one spans none."""
        return self.lift_um * np.minimum(layer_um / _LIFTING_UM, 1.0)

    def mean_um(self, base_um: float, ceiling_um: Map) -> float:
        """Return the mean thickness of lithium."""
        layer_um = self.layer_um(base_um)
        lift_um = self.lifted_um(layer_um)
        bodies = self.bodies.segments(base_um, lift_um + layer_um, lift_um, ceiling_um)
        return float(layer_um.mean() + (bodies.high_um - bodies.low_um).sum() / layer_um.size)


def find_level(
    shapes: PlatedShapes, target_um: float, lowest_um: float, ceiling_um: Map
) -> tuple[float, float]:
    """Find the level of the layer at which all plated lithium is ``target_um`` in the mean.

    Parameters
    ----------
    shapes
        Layer and bodies.
    target_um
        Mean thickness wanted.
    lowest_um
        Level at which no layer is left.
    ceiling_um
        Height above which there is no body, shape (n_z, n_x).

    Returns
    -------
    tuple
        The level, and the mean that results: more than wanted where bodies alone exceed it.
    """
    least_um = shapes.mean_um(lowest_um, ceiling_um)
    if least_um >= target_um:
        return lowest_um, least_um
    base_um = optimize.brentq(
        lambda base: shapes.mean_um(base, ceiling_um) - target_um,
        lowest_um,
        2.0 * target_um + 20.0,
        xtol=1e-7,
    )
    return float(base_um), target_um
