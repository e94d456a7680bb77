"""Senders that number their series, lists of angles, and any order at all."""

import random
from dataclasses import replace
from typing import Any

import pytest
from foreign import (
    N_PROJECTIONS,
    Sent,
    gigafrost,
    scan_of,
)
from joined import N_FRAMES, Outcome, follow, settings, told

from lithoscope_services.sources.stream import (
    Joiner,
    SeriesEnd,
)


def test_the_end_of_a_series_closes_its_scan_and_no_other() -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order"))
    short = told(scan_of(4)[:30])

    out = follow(joiner, [*short[:20], SeriesEnd(series=3), *short[20:], SeriesEnd(series=4)])

    out.check(0, scan_of(4)[:30])
    assert out.ended[0].absent == tuple(each.slot for each in scan_of(4)[30:])


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_frame_of_an_earlier_series_is_late_whether_that_was_ended_or_not(
    is_ended: bool,
) -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order"))
    marks = [SeriesEnd(series=0)] if is_ended else []
    first, second = told(scan_of(0)), told(scan_of(1))

    out = follow(joiner, [*first[:-1], *marks, *second[:9], first[-1], *second[9:], first[-1]])

    out.check(0, scan_of(0)[:-1])
    out.check(1, scan_of(1))
    assert out.refused == {"late": 2}


def test_two_series_that_interleave_are_not_mixed() -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order"))
    pairs = zip(told(scan_of(0)), told(scan_of(1)), strict=True)

    out = follow(joiner, [frame for pair in pairs for frame in pair])

    out.check(1, scan_of(1))
    assert out.ended[1].refused == {"late": N_FRAMES - 1}


def test_a_sender_that_counts_from_the_start_again_is_heard_after_a_silence() -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order"))

    out = follow(joiner, told(scan_of(5)[:30]))
    out.refused.update(follow(joiner, told(scan_of(0))).refused)
    out.take(joiner.close(is_silent=True))
    out.scans |= (again := follow(joiner, told(scan_of(0)))).scans

    assert out.refused == {"late": N_FRAMES}
    again.check(1, scan_of(0))


def test_angles_of_a_list_are_those_of_the_projections() -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order", theta_from="frame"))
    thetas_deg = [7.0 * index for index in range(N_PROJECTIONS)]
    frames = [replace(frame, thetas_deg=thetas_deg) for frame in told(scan_of(0))]

    out = follow(joiner, frames)

    frame = out.scans[0]["projection", 0, 3]
    assert (frame.theta_deg, frame.theta_source) == (21.0, "table")


def test_a_list_of_too_few_angles_is_refused_where_it_ends() -> None:
    joiner = Joiner(settings(numbers="per_scan", kind_from="order", theta_from="frame"))
    frames = [replace(frame, thetas_deg=[0.0] * 10) for frame in told(scan_of(0))]

    out = follow(joiner, frames)

    assert out.refused == {"theta": N_PROJECTIONS - 10}


@pytest.mark.parametrize("numbers", ["per_kind", "per_scan", "running"])
@pytest.mark.parametrize("seed", range(3))
def test_any_frames_in_any_order_are_taken_once_or_refused(
    numbers: str, seed: int, is_soak: bool
) -> None:
    noise = random.Random(seed)
    changes: dict[str, Any] = {"numbers": numbers, "n_flats_after": 2, "wraps_after": 255}
    joiner, out = Joiner(settings(**changes)), Outcome()
    sent = 20_000 if is_soak else 400
    for _ in range(sent):
        frame = Sent(noise.randrange(2), noise.randrange(3), 0, noise.choice((0, 1, 2, 30, 39)))
        number = b'"frame": %d,' % noise.choice((frame.index, noise.randrange(300)))
        header, pixels = gigafrost(frame)
        out.feed(joiner, [[header.replace(b'"frame": %d,' % frame.index, number), pixels]])
        if noise.random() < 0.01:
            out.take(joiner.close(is_silent=True))
    out.take(joiner.close(is_silent=True))

    taken = sum(map(len, out.scans.values()))
    assert taken + out.refused.total() == sent
    assert list(out.scans) == list(out.ended) == list(range(len(out.scans)))
