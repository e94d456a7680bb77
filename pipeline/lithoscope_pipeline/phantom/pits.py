"""Pits of the stripping electrode, and voids under lithium on either side."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from lithoscope_pipeline.phantom.growth_parameters import PitParameters
from lithoscope_pipeline.phantom.texture import Map, RandomField, Sampling, seeded, sites_within

_FIELD_STREAM: Final = 31
_BOWL_STREAM: Final = 32
_LIFT_STREAM: Final = 33
_PIT_CORRELATION_UM: Final = 9.0
_FILL_CORRELATION_UM: Final = 25.0
_RAMP: Final = 0.2  # of the fields, in standard deviations, from no pit or filling to the full
_DEPTH_SPREAD: Final = 0.04
_BOWL_RADIUS_UM: Final = (8.0, 14.0)
_LIFT_RADIUS_UM: Final = (10.0, 18.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pits:
    """Where pits and voids are, and how deep they get; they know nothing of dendrites.

    Parameters
    ----------
    seed
        Of the cell.
    parameters
        Depths and coverages.
    shallow, spread, filling
        Random fields.
    """

    seed: int
    parameters: PitParameters
    shallow: RandomField
    spread: RandomField
    filling: RandomField

    @classmethod
    def make(cls, seed: int, parameters: PitParameters) -> "Pits":
        """Draw the fields of a seed."""
        lengths_um = (_PIT_CORRELATION_UM, _PIT_CORRELATION_UM, _FILL_CORRELATION_UM)
        shallow, spread, filling = (
            RandomField.make(seeded(seed, _FIELD_STREAM, index), correlation_um=length_um)
            for index, length_um in enumerate(lengths_um)
        )
        return cls(
            seed=seed, parameters=parameters, shallow=shallow, spread=spread, filling=filling
        )

    def depth_um(self, where: Sampling) -> Map:
        """Return the depth of full-grown pits, shape (n_z, n_x)."""
        parameters = self.parameters
        out = np.zeros(where.shape)
        if parameters.depth_um > 0 and parameters.coverage > 0:
            share = _share_above(self.shallow.sample(where), parameters.coverage)
            out = parameters.depth_um * share * (1 + _DEPTH_SPREAD * self.spread.sample(where))
            out = np.maximum(out, 0.0)
        if parameters.bowl_depth_um > 0 and parameters.bowl_spacing_um > 0:
            words = (self.seed, _BOWL_STREAM)
            bowls = _bowls(words, parameters.bowl_spacing_um, _BOWL_RADIUS_UM, where)
            out = np.maximum(out, parameters.bowl_depth_um * bowls)
        return out

    def filled_share(self, where: Sampling) -> Map:
        """Return the share of each pit's depth that redeposited lithium fills in the end."""
        if self.parameters.filled_share == 0:
            return np.zeros(where.shape)
        return _share_above(self.filling.sample(where), self.parameters.filled_share)

    def lift_um(self, where: Sampling) -> Map:
        """Return the height of full-grown voids under the deposited layer."""
        parameters = self.parameters
        if parameters.lift_um == 0 or parameters.lift_spacing_um == 0:
            return np.zeros(where.shape)
        words = (self.seed, _LIFT_STREAM)
        return parameters.lift_um * _bowls(
            words, parameters.lift_spacing_um, _LIFT_RADIUS_UM, where
        )


def _share_above(field: Map, coverage: float) -> Map:
    """Return a ramp from 0 to 1 that is one half at the quantile with ``coverage`` above it."""
    if coverage >= 1:
        return np.ones_like(field)
    quantile = -float(special.ndtri(coverage))
    return np.clip((field - quantile) / _RAMP + 0.5, 0.0, 1.0)


def _bowls(
    words: tuple[int, ...], spacing_um: float, radius_um: tuple[float, float], where: Sampling
) -> Map:
    """Return paraboloids of random size at random places; 1 in the middle of the deepest."""
    out = np.zeros(where.shape)
    lean_um = abs(where.z_slope) * float(np.abs(where.x_um).max())
    reach_um = radius_um[1] + lean_um
    sites = sites_within(
        *words,
        spacing_um=spacing_um,
        z_um=(float(where.z_um.min()) - reach_um, float(where.z_um.max()) + reach_um),
        x_um=(float(where.x_um[0]) - radius_um[1], float(where.x_um[-1]) + radius_um[1]),
    )
    for site in sites:
        size, depth, *_ = site.draws
        radius = radius_um[0] + size * (radius_um[1] - radius_um[0])
        first, last = np.searchsorted(where.x_um, (site.x_um - radius, site.x_um + radius))
        lines = np.flatnonzero(np.abs(where.z_um - site.z_um) < radius + lean_um)
        if last == first or lines.size == 0:
            continue
        box = slice(int(lines[0]), int(lines[-1]) + 1), slice(int(first), int(last))
        across = where.x_um[box[1]]
        along = where.z_um[box[0], None] + where.z_slope * across - site.z_um
        square = (along**2 + (across - site.x_um) ** 2) / radius**2
        out[box] = np.maximum(out[box], (0.5 + 0.5 * depth) * np.maximum(1.0 - square, 0.0))
    return out
