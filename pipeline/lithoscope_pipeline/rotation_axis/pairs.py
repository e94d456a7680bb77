"""Which views of a scan to compare: those half a turn apart, and their neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import AngularRangeError
from lithoscope_pipeline.geometry import Angles

MAX_LAG = 4  # steps between the two views of a pair: farther apart they have little in common
REACH = 8  # steps around them whose neighbours show how the sample turns
MAX_PAIRS = 60  # of exactly opposite views, spread over the turn
MAX_PLACES = 6  # of the turn at which nearly opposite views are taken, spread over it
MAX_NEIGHBOURS = 100  # of each step

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Views of one side of the sample a step apart: ``earlier``, ``later``, ``is_behind``."""

    earlier: Indices
    later: Indices
    is_behind: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Views to compare, ``second`` seen from behind and ``lag`` steps farther on than ``first``.

    All numbers but those in ``views`` count within ``views``.

    Parameters
    ----------
    views
        Numbers of the projections that take part, rising.
    first, second, lag
        Each pair and the steps from half a turn that lie between its views.
    within
        For each lag but 0 the views of one side over the same step.
    """

    views: Indices
    first: Indices
    second: Indices
    lag: Indices
    within: dict[int, Neighbours]


def pairs_of(thetas_rad: Angles) -> Pairs:
    """Pairs of views half a turn apart; exact ones if there are some, else near ones.

    Raises
    ------
    AngularRangeError
        If no two views lie within four steps of half a turn apart.
    """
    thetas = np.mod(thetas_rad.astype(np.float64), 2.0 * np.pi)
    steps = np.diff(np.sort(thetas))
    steps = steps[steps > 1.0e-6]
    if steps.size == 0:
        raise AngularRangeError("all projections were taken at one angle; half a turn is needed")
    step = float(np.median(steps))
    ahead = np.mod(thetas[None, :] - thetas[:, None], 2.0 * np.pi)
    past_half_turn = (ahead - np.pi) / step

    is_once = np.triu(np.ones_like(ahead, dtype=np.bool_), 1)
    first, second = np.nonzero(is_once & (np.abs(past_half_turn) < 0.1))
    if first.size >= MAX_LAG:
        keep = np.linspace(0, first.size - 1, min(first.size, MAX_PAIRS)).astype(np.intp)
        return _counted(first[keep], second[keep], np.zeros(keep.size, dtype=np.intp), {})
    is_near = is_once & (np.abs(past_half_turn) < MAX_LAG + 0.5)
    first, second = np.nonzero(is_near)
    if first.size == 0:
        raise AngularRangeError(
            f"no two views half a turn apart within {np.rad2deg(MAX_LAG * step):.1f} deg; wait "
            "for more projections or give the rotation axis"
        )
    away = (np.mod(ahead + np.pi, 2.0 * np.pi) - np.pi) / step
    at_place = _at_places(away, first)
    first, second = first[at_place], second[at_place]
    lag = np.rint(past_half_turn[first, second]).astype(np.intp)
    return _counted(first, second, lag, _neighbours(away, first, second, lag))


def _at_places(away: NDArray[np.float64], first: Indices) -> NDArray[np.bool_]:
    """Keep pairs at a few places of the turn, all of them where there are few."""
    views = np.unique(first)
    if views.size <= MAX_PLACES * 2 * MAX_LAG:
        return np.ones(first.size, dtype=np.bool_)
    views = views[np.argsort(away[views[0], views], kind="stable")]
    places = views[np.linspace(0, views.size - 1, MAX_PLACES).astype(np.intp)]
    is_at_one = np.any(np.abs(away[places]) <= MAX_LAG / 2 + 0.3, axis=0)
    return np.asarray(is_at_one[first])


def _neighbours(
    away: NDArray[np.float64], first: Indices, second: Indices, lag: Indices
) -> dict[int, Neighbours]:
    """Pairs on the same side of the sample, near both ends, over each step that occurs."""
    is_near = np.abs(away) <= REACH + 0.3
    is_near_first = np.any(is_near[first], axis=0)
    is_near_second = np.any(is_near[second], axis=0)
    within = {}
    for step in np.unique(lag[lag != 0]):
        fits = np.abs(away - step) < 0.3
        k, m = _thinned(*np.nonzero(fits & np.logical_and.outer(is_near_first, is_near_first)))
        p, q = _thinned(*np.nonzero(fits & np.logical_and.outer(is_near_second, is_near_second)))
        within[int(step)] = Neighbours(
            earlier=np.concatenate([k, p]),
            later=np.concatenate([m, q]),
            is_behind=np.repeat([False, True], [k.size, p.size]),
        )
    return within


def _thinned(earlier: Indices, later: Indices) -> tuple[Indices, Indices]:
    n_kept = min(earlier.size, MAX_NEIGHBOURS)
    keep = np.linspace(0, max(earlier.size - 1, 0), n_kept).astype(np.intp)
    return earlier[keep], later[keep]


def _counted(
    first: Indices, second: Indices, lag: Indices, within: dict[int, Neighbours]
) -> Pairs:
    """Count the views that take part, and number the pairs by that."""
    taking_part = [first, second]
    for each in within.values():
        taking_part += [each.earlier, each.later]
    views = np.unique(np.concatenate(taking_part))
    return Pairs(
        views=views,
        first=np.searchsorted(views, first),
        second=np.searchsorted(views, second),
        lag=lag,
        within={
            step: Neighbours(
                earlier=np.searchsorted(views, each.earlier),
                later=np.searchsorted(views, each.later),
                is_behind=each.is_behind,
            )
            for step, each in within.items()
        },
    )
