from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lithoscope_services.ranges import Ranges


def made(numbers: list[int]) -> Ranges:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)
    return ranges


def test_nothing_is_contiguous_at_first() -> None:
    assert made([]).contiguous == -1
    assert made([]).later(10) == ()


def test_numbers_in_order_are_one_run() -> None:
    ranges = made([0, 1, 2, 3])

    assert (ranges.contiguous, ranges.later(10)) == (3, ())


def test_a_gap_holds_the_later_runs_apart_until_it_is_filled() -> None:
    ranges = made([0, 1, 4, 5, 7])

    before = (ranges.contiguous, ranges.later(10))
    ranges.add(3)
    ranges.add(2)

    assert before == (1, ((4, 5), (7, 7)))
    assert (ranges.contiguous, ranges.later(10)) == (5, ((7, 7),))


def test_only_the_newest_runs_are_given_when_they_are_many() -> None:
    assert made([2, 4, 6, 8]).later(2) == ((6, 6), (8, 8))


@given(st.lists(st.integers(0, 40)))
def test_runs_say_exactly_what_was_added_in_whatever_order(numbers: list[int]) -> None:
    ranges = made(numbers)

    runs = [(0, ranges.contiguous), *ranges.later(100)]
    said = {number for first, last in runs for number in range(first, last + 1)}
    assert said == set(numbers)
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(runs))
