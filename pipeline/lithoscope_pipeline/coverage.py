"""Whether the views of a scan are enough to reconstruct it, judged by their angles.

What a view is worth depends on its angle: the thin layers of a flat cell are told apart by the
views that look along them, within some degrees of edge-on, and by no others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import Angles
from lithoscope_pipeline.view_angles import (
    EDGE_ON_RAD,
    HALF_TURN_RAD,
    ROUNDING_RAD,
    WHOLE_TURN_RAD,
    Mask,
    Numbers,
    Vector,
    edge_on_counts,
    edge_on_gap_rad,
    goes_all_around,
    is_edge_on,
    largest_gap_rad,
)

#: No gap of a golden-angle scan exceeds 2.62 times its mean step.
_USUAL_STEPS = 3.0
CoverageVerdict = Literal["whole", "flagged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLimits:
    """What a scan needs.

    Parameters
    ----------
    min_completeness
        Share of the expected views below which a scan is refused.
    max_gap_rad
        Gap between neighbouring views above which a scan is refused: nothing is known of what
        lies along it.
    notable_gap_rad
        Gap above which a scan is flagged, if it is also more than three of its steps on average:
        even 20 degrees off edge-on a gap of 8 degrees may take 40 % of the contrast of a plate.
    min_edge_on
        Share of the views within 15 degrees of edge-on below which a scan is flagged.
    max_edge_on_gap_rad
        Gap there above which a scan is refused, if it is also more than three of its steps on
        average. A plate 4.5 times as wide as the view, as thick as an electrode, is seen along
        itself within less than 2 degrees: without three views at intervals of one degree two
        thirds of its contrast against the electrolyte are gone, without seven all of it.
    """

    min_completeness: float = 0.8
    max_gap_rad: float = float(np.deg2rad(45.0))
    notable_gap_rad: float = float(np.deg2rad(5.0))
    min_edge_on: float = 0.99
    max_edge_on_gap_rad: float = float(np.deg2rad(3.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the views of a scan, or of one tile of it, cover.

    Parameters
    ----------
    turn_rad
        Two pi for a scan that went once all around, else pi.
    n_expected, n_stored, n_low
        Views announced, views there, and those among these with too little light to count.
    completeness
        Views that count / views expected, 0 to 1.
    largest_gap_rad
        Largest step between neighbouring views that count, on the half-turn or, for a scan that
        went once all around, on the whole turn; the whole of it with less than two views.
    edge_on_coverage
        Views that count / views expected within 15 degrees of edge-on, 0 to 1.
    edge_on_gap_rad
        Largest step between neighbouring views that count there, seen from either side.
    verdict
        ``refused``: it cannot be reconstructed to anything that may be believed.
    flags
        Names of what is not as it should be.
    reasons
        The same as sentences, those that refuse first.
    """

    turn_rad: float
    n_expected: int
    n_stored: int
    n_low: int
    completeness: float
    largest_gap_rad: float
    edge_on_coverage: float
    edge_on_gap_rad: float
    verdict: CoverageVerdict
    flags: tuple[str, ...]
    reasons: tuple[str, ...]


def judge_coverage(
    indices: Numbers,
    thetas_rad: Angles,
    *,
    n_expected: int,
    is_low: Mask | None = None,
    edge_on_rad: float = EDGE_ON_RAD,
    limits: CoverageLimits | None = None,
) -> Coverage:
    """Judge the views of one tile of a scan by their angles.

    Parameters
    ----------
    indices
        Numbers of the views that are there, rising, shape (n_views,).
    thetas_rad
        Their angles, shape (n_views,).
    n_expected
        Views announced.
    is_low
        Views with too little light, shape (n_views,): they count as missing. See
        :func:`~lithoscope_pipeline.low_views.find_low_views`.
    edge_on_rad
        Angle at which the beam runs along the layers.
    limits
        What is needed.

    Returns
    -------
    Coverage
        The numbers and what they mean.

    Raises
    ------
    ShapeError
        If the vectors differ in length.
    ParameterError
        If ``n_expected`` is below one.
    """
    limits = limits or CoverageLimits()
    low = np.zeros(len(indices), np.bool_) if is_low is None else is_low
    if not len(indices) == len(thetas_rad) == len(low):
        raise ShapeError(
            f"{len(indices)} numbers, {len(thetas_rad)} angles and {len(low)} marks of low views "
            "given; give one of each a view"
        )
    if n_expected < 1:
        raise ParameterError(f"n_expected is {n_expected}; at least one view must be expected")
    thetas = np.asarray(thetas_rad, np.float64)
    turn_rad = WHOLE_TURN_RAD if goes_all_around(thetas) else HALF_TURN_RAD
    counting = thetas[~low]
    gap_rad = largest_gap_rad(counting, turn_rad)
    completeness = min(1.0, len(counting) / n_expected)
    edge_on = _edge_on_coverage(indices, thetas, low, n_expected, edge_on_rad)
    coverage = Coverage(
        turn_rad=turn_rad,
        n_expected=n_expected,
        n_stored=len(indices),
        n_low=int(low.sum()),
        completeness=completeness,
        largest_gap_rad=turn_rad if gap_rad is None else gap_rad,
        edge_on_coverage=edge_on,
        edge_on_gap_rad=edge_on_gap_rad(counting, edge_on_rad),
        verdict="whole",
        flags=(),
        reasons=(),
    )
    return _judged(coverage, limits)


def worst_coverage(tiles: Sequence[Coverage]) -> Coverage:
    """Sum up the tiles of a scan: counts together, all else of the worst.

    Raises
    ------
    ParameterError
        If there is no tile.
    """
    if not tiles:
        raise ParameterError("no tile given; a scan has at least one")
    order: tuple[CoverageVerdict, ...] = ("whole", "flagged", "refused")
    return Coverage(
        turn_rad=max(each.turn_rad for each in tiles),
        n_expected=sum(each.n_expected for each in tiles),
        n_stored=sum(each.n_stored for each in tiles),
        n_low=sum(each.n_low for each in tiles),
        completeness=min(each.completeness for each in tiles),
        largest_gap_rad=max(each.largest_gap_rad for each in tiles),
        edge_on_coverage=min(each.edge_on_coverage for each in tiles),
        edge_on_gap_rad=max(each.edge_on_gap_rad for each in tiles),
        verdict=order[max(order.index(each.verdict) for each in tiles)],
        flags=tuple(dict.fromkeys(flag for each in tiles for flag in each.flags)),
        reasons=tuple(dict.fromkeys(reason for each in tiles for reason in each.reasons)),
    )


def _edge_on_coverage(
    indices: Numbers, thetas: Vector, low: Mask, n_expected: int, edge_on_rad: float
) -> float:
    _, expected = edge_on_counts(indices, thetas, n_expected, edge_on_rad)
    counting = int(np.count_nonzero(is_edge_on(thetas, edge_on_rad) & ~low))
    # A scan that never came near edge-on has nothing of it.
    return min(1.0, counting / expected) if expected else 0.0


def _judged(coverage: Coverage, limits: CoverageLimits) -> Coverage:
    """Say what the numbers mean."""
    hits: dict[str, tuple[CoverageVerdict, str]] = {}
    for verdict, flag, reason in (*_refusals(coverage, limits), *_notes(coverage, limits)):
        hits.setdefault(flag, (verdict, reason))
    return replace(
        coverage,
        verdict=next((verdict for verdict, _ in hits.values()), "whole"),
        flags=tuple(hits),
        reasons=tuple(reason for _, reason in hits.values()),
    )


def _refusals(
    coverage: Coverage, limits: CoverageLimits
) -> Iterator[tuple[CoverageVerdict, str, str]]:
    low = f" ({coverage.n_low} that came had too little light)" if coverage.n_low else ""
    if coverage.completeness < limits.min_completeness:
        yield (
            "refused",
            "views_missing",
            f"{_share(coverage)}, {100 * limits.min_completeness:.0f} % are needed{low}",
        )
    if coverage.largest_gap_rad > limits.max_gap_rad + ROUNDING_RAD:
        yield (
            "refused",
            "angular_gap",
            f"{_gap(coverage)}, at most {np.rad2deg(limits.max_gap_rad):.0f} degrees are "
            f"accepted{low}",
        )
    most_rad = max(limits.max_edge_on_gap_rad, _usual_gap_rad(coverage)) + ROUNDING_RAD
    if coverage.edge_on_gap_rad > most_rad:
        yield (
            "refused",
            "edge_on_gap",
            f"a gap of {np.rad2deg(coverage.edge_on_gap_rad):.1f} degrees between its projections "
            f"near edge-on, at most {np.rad2deg(most_rad):.1f} are accepted: thin layers are told "
            f"apart there alone{low}",
        )


def _notes(
    coverage: Coverage, limits: CoverageLimits
) -> Iterator[tuple[CoverageVerdict, str, str]]:
    notable_rad = max(limits.notable_gap_rad, _usual_gap_rad(coverage)) + ROUNDING_RAD
    if coverage.largest_gap_rad > notable_rad:
        yield "flagged", "angular_gap", _gap(coverage)
    if coverage.edge_on_coverage < limits.min_edge_on:
        yield "flagged", "edge_on_views_missing", _edge_on(coverage)
    if coverage.n_low:
        yield "flagged", "low_counts", f"{coverage.n_low} projections with too little light"


def _usual_gap_rad(coverage: Coverage) -> float:
    """Give the gap that a scan may have that lacks nothing, in whatever order it was taken."""
    return _USUAL_STEPS * coverage.turn_rad / coverage.n_expected


def _share(coverage: Coverage) -> str:
    return f"{100 * coverage.completeness:.0f} % of its projections"


def _gap(coverage: Coverage) -> str:
    return f"a gap of {np.rad2deg(coverage.largest_gap_rad):.0f} degrees between its projections"


def _edge_on(coverage: Coverage) -> str:
    share = 100 * coverage.edge_on_coverage
    return f"{share:.0f} % of the projections within 15 degrees of edge-on"
