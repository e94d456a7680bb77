"""Two experiments side by side, by numbers worked out by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.comparison import compare
from lithoscope_dashboard.model import ExperimentState

MakeState = Callable[..., ExperimentState]


def measured(
    make_state: MakeState, *values: float, half_width: float | None = 3.0
) -> ExperimentState:
    facts = []
    for scan, value in enumerate(values):
        metric: dict[str, Any] = {"value": value, "unit": "µm"}
        if half_width is not None:
            metric |= {"low95": value - half_width, "high95": value + half_width}
        facts.append(("MetricsReady", {"scan": scan, "metrics": {"gap_um": metric}}))
    return make_state(*facts)


def test_differences_are_b_minus_a_and_the_largest_is_named(make_state: MakeState) -> None:
    a, b = measured(make_state, 240, 230, 220), measured(make_state, 241, 240, 222)

    scan, (row,) = compare(a, b)

    assert (scan, row.a, row.b, row.difference) == (2, 220, 222, 2)
    assert (row.largest, row.at_scan, row.n_scans) == (10, 1, 3)
    # Half widths of 3 and 3 that know nothing of each other: 3 times the root of 2 = 4.24.
    assert row.half_width == pytest.approx(3 * math.sqrt(2))
    assert row.n_beyond == 1


def test_scans_that_only_one_has_do_not_count(make_state: MakeState) -> None:
    scan, (row,) = compare(measured(make_state, 240), measured(make_state, 241, 7))

    assert (scan, row.n_scans) == (0, 1)


def test_without_intervals_nothing_is_beyond(make_state: MakeState) -> None:
    _, (row,) = compare(
        measured(make_state, 240, half_width=None), measured(make_state, 250, half_width=None)
    )

    assert (row.half_width, row.n_beyond) == (None, None)


def test_experiments_with_nothing_in_common_have_no_rows(make_state: MakeState) -> None:
    assert compare(measured(make_state, 240), make_state()) == (None, [])
