"""Dendrites: where they stand and how they grow, shrink and lose their roots."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.texture import Map, Sampling, seeded, sites_within

_DENDRITE_STREAM: Final = 11
_THREAT_STREAM: Final = 12
_RADIUS_UM: Final = (8.0, 19.0)
_THREAT_RADIUS_UM: Final = (11.0, 13.0)
_THREAT_DISTANCE_UM: Final = (15.0, 130.0)  # of the lesser ones, along z and x
_TALLEST_DISTANCE_UM: Final = (8.0, 60.0)
_THREAT_POWER: Final = 1.5  # a tip in a concentrated field grows faster than the layer
_THREAT_LIFE: Final = 2 / 3  # share of the discharge that strips a threat
_COMMON_LIFE: Final = 3 / 4
_SURVIVING: Final = 0.3  # share of the common dendrites that stay, with
_SURVIVING_HEIGHT: Final = 0.9  # so much of their height
_DEAD_ROOT_UM: Final = 9.0
_ROOT_START: Final = 3 / 4  # share of the discharge after which the roots dissolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Dendrite:
    """One dendrite: an upright column with a round tip.

    Parameters
    ----------
    z_um, x_um
        Its place.
    radius_um
        Radius of its foot.
    height_um
        Height above the plated layer at the end of charging.
    birth
        Share of the charging after which it appears.
    is_threat, is_surviving
        Whether it is one of the tall ones; whether it is left after discharge.
    """

    z_um: float
    x_um: float
    radius_um: float
    height_um: float
    birth: float
    is_threat: bool
    is_surviving: bool

    def grown_um(self, charged: float, discharged: float) -> float:
        """Return the height above the plated layer after these shares of the half-cycles."""
        grown = max(0.0, charged - self.birth) / (1.0 - self.birth)
        if self.is_threat:
            return self.height_um * grown**_THREAT_POWER * max(0.0, 1 - discharged / _THREAT_LIFE)
        if self.is_surviving:
            return self.height_um * grown * (1 - (1 - _SURVIVING_HEIGHT) * discharged)
        return self.height_um * grown * max(0.0, 1 - discharged / _COMMON_LIFE)

    def profile(self, height_um: float, distance_squared_um2: Map) -> Map:
        """Return the height of the column at squared distances from its middle."""
        dome = np.sqrt(np.maximum(self.radius_um**2 - distance_squared_um2, 0.0))
        if height_um <= self.radius_um:
            return dome * (height_um / self.radius_um)
        return np.where(dome > 0, height_um - self.radius_um + dome, 0.0)


def dead_root_um(discharged: float) -> float:
    """Return how far the roots of dendrites are dissolved after this share of the discharge."""
    dissolved = (discharged - _ROOT_START) / (1.0 - _ROOT_START)
    return _DEAD_ROOT_UM * min(max(dissolved, 0.0), 1.0)


def threats(cell: CellParameters) -> list[Dendrite]:
    """Return the tall dendrites near the middle of the view, the tallest first."""
    tall = []
    for rank in range(cell.n_dendrites):
        u = seeded(cell.seed, _THREAT_STREAM, rank).random(6)
        reach_z, reach_x = _THREAT_DISTANCE_UM if rank else _TALLEST_DISTANCE_UM
        share = 1.0 if rank == 0 else 0.25 + 0.3 * float(u[0])
        tall.append(
            Dendrite(
                z_um=reach_z * float(2 * u[1] - 1),
                x_um=reach_x * float(2 * u[2] - 1),
                radius_um=_between(_THREAT_RADIUS_UM, float(u[3])),
                height_um=cell.threat_height_um * share,
                birth=0.0,
                is_threat=True,
                is_surviving=False,
            )
        )
    return tall


def common_dendrites(
    cell: CellParameters, *, z_um: tuple[float, float], x_um: tuple[float, float]
) -> list[Dendrite]:
    """Return the common dendrites whose feet may touch a rectangle."""
    if cell.n_dendrites == 0:
        return []
    reach = _RADIUS_UM[1]
    sites = sites_within(
        cell.seed,
        _DENDRITE_STREAM,
        spacing_um=cell.dendrite_spacing_um,
        z_um=(z_um[0] - reach, z_um[1] + reach),
        x_um=(x_um[0] - reach, x_um[1] + reach),
    )
    common = []
    for site in sites:
        radius, height, birth, fate = site.draws
        # An exponential tail above a least height; 4.5 means ends it near the tallest seen.
        tail = min(-float(np.log1p(-height)), 4.5)
        common.append(
            Dendrite(
                z_um=site.z_um,
                x_um=site.x_um,
                radius_um=_between(_RADIUS_UM, radius),
                height_um=cell.dendrite_height_um * (1.0 + tail),
                birth=0.5 * birth,
                is_threat=False,
                is_surviving=fate < _SURVIVING,
            )
        )
    return common


def protrusion_um(
    dendrites: list[Dendrite], where: Sampling, *, charged: float, discharged: float
) -> Map:
    """Return how far dendrites stand out of the plated layer, 0 where there is none.

    Parameters
    ----------
    dendrites
        What stands in and around the sampled plane.
    where
        The lines to sample, shape (n_z, n_x).
    charged, discharged
        Shares of the two half-cycles that have passed, 0 to 1.

    Returns
    -------
    Map
        Micrometres, shape (n_z, n_x); the tallest where dendrites overlap.
    """
    out = np.zeros(where.shape)
    step_um = where.x_um[1] - where.x_um[0]
    for dendrite in dendrites:
        height_um = dendrite.grown_um(charged, discharged)
        if height_um <= 0:
            continue
        middle = (dendrite.x_um - where.x_um[0]) / step_um
        half = dendrite.radius_um / step_um + 1.0
        columns = slice(max(0, int(middle - half)), max(0, int(middle + half) + 2))
        across = where.x_um[columns]
        if across.size == 0:
            continue
        # The lines may lean, so that the band of lines depends on the column by a little.
        lean_um = abs(where.z_slope) * float(np.abs(across).max())
        offset_um = np.abs(where.z_um - dendrite.z_um)
        lines = np.flatnonzero(offset_um < dendrite.radius_um + lean_um)
        if lines.size == 0:
            continue
        band = slice(int(lines[0]), int(lines[-1]) + 1)
        along = where.z_um[band, None] + where.z_slope * across - dendrite.z_um
        distance_squared = along**2 + (across - dendrite.x_um) ** 2
        np.maximum(
            out[band, columns],
            dendrite.profile(height_um, distance_squared),
            out=out[band, columns],
        )
    return out


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])
