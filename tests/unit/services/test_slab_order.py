"""Which slabs come first, and how many fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_services.stages.reconstruct.slab_order import anchors_first, slabs_within


def test_the_middle_comes_first_then_the_borders_then_what_lies_between() -> None:
    order = anchors_first(90, 10)

    assert [rows.start // 10 for rows in order] == [4, 0, 8, 2, 6, 1, 3, 5, 7]


def test_the_last_slab_has_what_is_left() -> None:
    assert sorted((r.start, r.stop) for r in anchors_first(40, 16)) == [
        (0, 16),
        (16, 32),
        (32, 40),
    ]


@given(n_rows=st.integers(1, 300), slab_rows=st.integers(1, 64))
def test_every_row_is_in_one_slab(n_rows: int, slab_rows: int) -> None:
    rows = [row for slab in anchors_first(n_rows, slab_rows) for row in range(n_rows)[slab]]

    assert sorted(rows) == list(range(n_rows))


@pytest.mark.parametrize(("budget", "count"), [(0, 0), (9, 0), (10, 1), (25, 2), (1000, 3)])
def test_slabs_are_counted_until_the_budget_is_used_up(budget: int, count: int) -> None:
    assert slabs_within([10, 10, 10], budget) == count
