"""Dendrites: where they stand and branch, how they grow and shrink, and what comes off."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.bodies import Body
from lithoscope_pipeline.phantom.growth_parameters import DendriteParameters, Range
from lithoscope_pipeline.phantom.ledger import Ledger
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.texture import seeded, sites_within

_DENDRITE_STREAM: Final = 11
_THREAT_STREAM: Final = 12
_BRANCH_STREAM: Final = 13
_REMNANT_STREAM: Final = 14
_THREAT_RADIUS_UM: Final = (11.0, 13.0)
_THREAT_DISTANCE_UM: Final = (15.0, 130.0)  # of the lesser ones, along z and x
_TALLEST_DISTANCE_UM: Final = (8.0, 60.0)
_THREAT_POWER: Final = 1.5  # a tip in a concentrated field grows faster than the layer
_THREAT_LIFE: Final = 2 / 3  # share of the discharge that strips a threat
_THREAT_STRETCH: Final = 1.5  # of the branches of a threat
_COMMON_LIFE: Final = 3 / 4
_SURVIVING_HEIGHT: Final = 0.9  # of those that stay
_ROOT_START: Final = 3 / 4  # share of the discharge after which the roots dissolve
_BRANCH_HEIGHTS: Final = (0.3, 0.75)  # where branches leave the trunk, in trunk heights
_LONGEST_TAIL: Final = 4.5  # the exponential tail of heights ends near the tallest seen
_BRIDGE_EXCESS_UM: Final = 15.0  # through the roughness of the far side
# One scrap of the deposit in each square is never stripped: 0.16 % of the plane [1] of growth.py.
_REMNANT_SPACING_UM: Final = 100.0
_REMNANT_RADIUS_UM: Final = 2.3
_REMNANT_HEIGHT_UM: Final = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch: where it leaves its trunk, in trunk heights, and what it grows to."""

    start: float
    length_um: float
    azimuth_rad: float
    elevation_rad: float
    radius_um: float
    is_stranded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dendrite:
    """One dendrite: an upright column with a round tip, and its branches.

    Parameters
    ----------
    z_um, x_um
        Its place.
    radius_um
        Radius of its trunk.
    height_um
        Height above the plated layer at the end of charging.
    birth
        Share of the charging after which it appears.
    is_threat, is_surviving
        Whether it is one of the tall ones; whether it is left after discharge.
    branches
        What grows out of its trunk.
    """

    z_um: float
    x_um: float
    radius_um: float
    height_um: float
    birth: float
    is_threat: bool
    is_surviving: bool
    branches: tuple[Branch, ...]

    def grown_um(self, ledger: Ledger) -> float:
        """Return the height of the trunk above the plated layer."""
        grown = max(0.0, ledger.charged - self.birth) / (1.0 - self.birth)
        if self.is_threat:
            life = max(0.0, 1.0 - ledger.discharged / _THREAT_LIFE)
            return float(self.height_um * grown**_THREAT_POWER * life)
        if self.is_surviving:
            left = 1.0 - (1.0 - _SURVIVING_HEIGHT) * ledger.discharged
            least = _SURVIVING_HEIGHT if ledger.cycle > 0 else 0.0
            return self.height_um * max(grown * left, least)
        return self.height_um * grown * max(0.0, 1.0 - ledger.discharged / _COMMON_LIFE)

    def bodies(self, ledger: Ledger, dendrites: DendriteParameters) -> list[Body]:
        """Return trunk and branches as they are now."""
        height_um = self.grown_um(ledger)
        root_um = dendrites.dead_root_um * _dissolved(ledger, is_left=self.is_surviving)
        trunk = Body(
            z_um=self.z_um,
            x_um=self.x_um,
            height_um=height_um,
            radius_um=self.radius_um,
            is_column=True,
            root_um=root_um,
        )
        out = [trunk] if height_um > 0 else []
        for branch in self.branches:
            start_um = branch.start * self.height_um
            share = (height_um - start_um) / (self.height_um - start_um)
            was_grown = ledger.discharged > 0 or ledger.cycle > 0
            if branch.is_stranded and was_grown and not self.is_surviving:
                # What was there when charging ended; in later cycles that is all of it.
                share = max(share, 1.0 if ledger.cycle > 0 else ledger.charged)
            if share > 0:
                out.append(
                    replace(
                        trunk,
                        is_column=False,
                        height_um=start_um,
                        radius_um=branch.radius_um * min(1.0, 4.0 * share),
                        length_um=branch.length_um * share,
                        azimuth_rad=branch.azimuth_rad,
                        elevation_rad=branch.elevation_rad,
                    )
                )
        return out


def lithium_bodies(
    cell: CellParameters, ledger: Ledger, *, z_um: Range, x_um: Range, gap_um: float
) -> list[Body]:
    """Return all bodies on the plated layer that may touch a rectangle.

    Parameters
    ----------
    cell, ledger
        What the cell is and where its lithium is.
    z_um, x_um
        The rectangle.
    gap_um
        Distance from the plated layer to the other side.

    Returns
    -------
    list of Body
        They overlap.
    """
    parameters = cell.growth.dendrites
    if ledger.charged == 0 and ledger.cycle == 0:
        return []
    trees = (*threats(cell), *common_dendrites(cell, z_um=z_um, x_um=x_um))
    out = [body for tree in trees for body in tree.bodies(ledger, parameters)]
    if cell.growth.bridge == "inside":
        out.append(_bridging(cell, ledger, gap_um))
    return out + _remnants(cell, z_um=z_um, x_um=x_um)


def threats(cell: CellParameters) -> list[Dendrite]:
    """Return the tall dendrites near the middle of the view, the tallest first."""
    return [_threat(cell, rank) for rank in range(cell.growth.dendrites.n_threats)]


def _threat(cell: CellParameters, rank: int) -> Dendrite:
    u = seeded(cell.seed, _THREAT_STREAM, rank).random(6)
    reach_z, reach_x = _THREAT_DISTANCE_UM if rank else _TALLEST_DISTANCE_UM
    share = 1.0 if rank == 0 else 0.25 + 0.3 * float(u[0])
    return Dendrite(
        z_um=reach_z * float(2 * u[1] - 1),
        x_um=reach_x * float(2 * u[2] - 1),
        radius_um=_between(_THREAT_RADIUS_UM, float(u[3])),
        height_um=cell.growth.dendrites.threat_height_um * share,
        birth=0.0,
        is_threat=True,
        is_surviving=False,
        branches=_branches(cell, rank, -1, stretch=_THREAT_STRETCH),
    )


@lru_cache(maxsize=16)
def common_dendrites(cell: CellParameters, *, z_um: Range, x_um: Range) -> tuple[Dendrite, ...]:
    """Return the common dendrites that may touch a rectangle."""
    parameters = cell.growth.dendrites
    if parameters.spacing_um == 0:
        return ()
    reach = max(parameters.trunk_radius_um[1], parameters.branch_radius_um[1])
    reach += parameters.branch_length_um[1] if parameters.n_branches else 0.0
    sites = sites_within(
        cell.seed,
        _DENDRITE_STREAM,
        spacing_um=parameters.spacing_um,
        z_um=(z_um[0] - reach, z_um[1] + reach),
        x_um=(x_um[0] - reach, x_um[1] + reach),
    )
    common = []
    for site in sites:
        radius, height, birth, fate = site.draws
        tail = min(-float(np.log1p(-height)), _LONGEST_TAIL)
        place = (int(np.floor(um / parameters.spacing_um)) for um in (site.z_um, site.x_um))
        common.append(
            Dendrite(
                z_um=site.z_um,
                x_um=site.x_um,
                radius_um=_between(parameters.trunk_radius_um, radius),
                height_um=parameters.height_um * (1.0 + tail),
                birth=0.5 * birth,
                is_threat=False,
                is_surviving=fate < parameters.surviving_share,
                branches=_branches(cell, *place),
            )
        )
    return tuple(common)


def _branches(cell: CellParameters, *place: int, stretch: float = 1.0) -> tuple[Branch, ...]:
    parameters = cell.growth.dendrites
    if parameters.n_branches == 0:
        return ()
    draws = seeded(cell.seed, _BRANCH_STREAM, *place).random((parameters.n_branches, 6))
    can_strand = parameters.dead_root_um > 0
    return tuple(
        Branch(
            start=_between(_BRANCH_HEIGHTS, u[0]),
            length_um=stretch * _between(parameters.branch_length_um, u[1]),
            # Evenly around the trunk, each somewhere in its own part.
            azimuth_rad=2.0 * np.pi * (i + u[2]) / parameters.n_branches,
            elevation_rad=float(np.radians(_between(parameters.branch_elevation_deg, u[3]))),
            radius_um=_between(parameters.branch_radius_um, u[4]),
            is_stranded=can_strand and bool(u[5] < parameters.stranded_share),
        )
        for i, u in enumerate(draws)
    )


def _bridging(cell: CellParameters, ledger: Ledger, gap_um: float) -> Body:
    """Return the column that reaches the other side at the bridge's pulse and then stays."""
    tallest = _threat(cell, 0)
    share = ledger.charged * cell.n_charge_pulses / cell.growth.bridge_pulse
    if ledger.is_bridged:
        share = 1.0
    return Body(
        z_um=tallest.z_um,
        x_um=tallest.x_um,
        height_um=(gap_um + _BRIDGE_EXCESS_UM) * min(share, 1.0) ** _THREAT_POWER,
        radius_um=tallest.radius_um,
        is_column=True,
    )


def _remnants(cell: CellParameters, *, z_um: Range, x_um: Range) -> list[Body]:
    """Return the scraps of the deposit that are never stripped."""
    if cell.growth.dendrites.surviving_share == 0:
        return []
    reach = _REMNANT_RADIUS_UM
    sites = sites_within(
        cell.seed,
        _REMNANT_STREAM,
        spacing_um=_REMNANT_SPACING_UM,
        z_um=(z_um[0] - reach, z_um[1] + reach),
        x_um=(x_um[0] - reach, x_um[1] + reach),
    )
    return [
        Body(
            z_um=site.z_um,
            x_um=site.x_um,
            height_um=_REMNANT_HEIGHT_UM,
            radius_um=_REMNANT_RADIUS_UM,
            is_column=True,
            is_fixed=True,
        )
        for site in sites
    ]


def _dissolved(ledger: Ledger, *, is_left: bool) -> float:
    """Return the share of the roots' height that is dissolved."""
    if is_left and ledger.cycle > 0:
        return 1.0
    return min(max((ledger.discharged - _ROOT_START) / (1.0 - _ROOT_START), 0.0), 1.0)


def _between(limits: Range, share: float) -> float:
    return limits[0] + float(share) * (limits[1] - limits[0])
