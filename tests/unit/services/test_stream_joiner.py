"""Foreign frames become scans: whatever the order, each where it belongs, or refused aloud."""

from collections.abc import Iterable
from typing import Any

import pytest
from foreign import (
    N_DARKS,
    N_FLATS,
    N_PROJECTIONS,
    Sent,
    areadetector,
    doubled,
    gigafrost,
    scan_of,
    shuffled,
    thinned,
)
from joined import N_FRAMES, RUNNING, Outcome, settings

from lithoscope_services.sources.stream import (
    Joiner,
)
from lithoscope_services.sources.stream.events import Counters, Resumed


def test_a_scan_in_order_is_closed_by_its_last_frame() -> None:
    out = Outcome().feed(Joiner(settings()), map(gigafrost, scan_of(0)))

    out.check(0, scan_of(0))
    assert out.ended[0].missing == 0
    assert out.refused == {}


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_scan_is_the_same_scan(seed: int) -> None:
    frames = [*shuffled(scan_of(0), seed=seed), *shuffled(scan_of(1), seed=seed + 100)]

    out = Outcome().feed(Joiner(settings()), map(gigafrost, frames))

    out.check(0, scan_of(0))
    out.check(1, scan_of(1))
    assert out.refused == {}


@pytest.mark.parametrize("seed", range(20))
def test_losses_show_as_missing_and_the_next_scan_begins_with_its_darks(seed: int) -> None:
    first, second = thinned(scan_of(0), seed=seed), thinned(scan_of(1), seed=seed + 100)
    joiner = Joiner(settings())

    out = Outcome().feed(joiner, map(gigafrost, [*first, *second]))
    out.take(joiner.close(is_silent=True))

    out.check(0, first)
    out.check(1, second)
    assert out.ended[0].missing == N_FRAMES - len(first)
    assert out.refused == {}


@pytest.mark.parametrize("seed", range(10))
def test_doubles_are_counted_and_not_taken(seed: int) -> None:
    frames = [*doubled(scan_of(0), seed=seed), *doubled(scan_of(1), seed=seed + 100)]

    out = Outcome().feed(Joiner(settings()), map(gigafrost, frames))

    out.check(0, scan_of(0))
    out.check(1, scan_of(1))
    assert out.refused.total() == len(frames) - 2 * N_FRAMES
    assert set(out.refused) <= {"doubled"}


def test_flats_after_the_projections_are_a_set_of_their_own() -> None:
    frames = [*scan_of(0, n_flats_after=2), *scan_of(1, n_flats_after=2)]

    out = Outcome().feed(Joiner(settings(n_flats_after=2)), map(gigafrost, frames))

    out.check(0, scan_of(0, n_flats_after=2))
    out.check(1, scan_of(1, n_flats_after=2))


def test_a_scan_that_was_begun_anew_is_a_new_scan() -> None:
    begun = scan_of(0)[: N_DARKS + N_FLATS + 7]

    out = Outcome().feed(Joiner(settings()), map(gigafrost, [*begun, *scan_of(1)]))

    out.check(0, begun)
    out.check(1, scan_of(1))
    assert out.ended[0].missing == N_PROJECTIONS - 7


def test_tomograms_that_follow_each_other_without_flats_are_told_apart_by_number() -> None:
    joiner = Joiner(settings(n_darks=0, n_flats=0))
    frames = [Sent(scan, 2, 0, index) for scan in range(3) for index in range(N_PROJECTIONS)]
    messages = [
        [gigafrost(each)[0].replace(f'"frame": {each.index},'.encode(), number), each_pixels]
        for each in frames
        for number in [f'"frame": {each.scan * N_PROJECTIONS + each.index},'.encode()]
        for each_pixels in [each.pixels.tobytes()]
    ]

    out = Outcome().feed(joiner, messages[: N_PROJECTIONS - 5] + messages[N_PROJECTIONS:])

    assert [len(frames) for frames in out.scans.values()] == [N_PROJECTIONS - 5, 40, 40]
    assert out.ended[0].missing == 5


def running(frames: Iterable[Sent], *, first: int = 1, wraps: bool = False) -> list[list[bytes]]:
    """Number frames through all scans, as areaDetector does."""
    modulus = 65_536 if wraps else 2**31
    positions = {each.slot: place for place, each in enumerate(scan_of(0))}
    return [
        areadetector(
            each,
            (first + each.scan * N_FRAMES + positions[each.slot]) % modulus,
            theta_deg=each.index * 4.0,
        )
        for each in frames
    ]


@pytest.mark.parametrize("kind_from", ["order", "attribute"])
def test_numbers_that_run_on_give_scan_and_frame(kind_from: str) -> None:
    frames = [*shuffled(thinned(scan_of(0))), *shuffled(thinned(scan_of(1), seed=8))]
    joiner = Joiner(settings(**RUNNING, kind_from=kind_from))

    out = Outcome().feed(joiner, running(frames))

    out.check(0, thinned(scan_of(0)))
    out.check(1, thinned(scan_of(1), seed=8))


def test_a_late_frame_is_not_mixed_into_the_next_scan() -> None:
    late = scan_of(0)[10]
    first = [frame for frame in scan_of(0) if frame != late]
    frames = [*first, *scan_of(1)[:20], late, *scan_of(1)[20:]]

    out = Outcome().feed(Joiner(settings(**RUNNING, kind_from="order")), running(frames))

    out.check(0, first)
    out.check(1, scan_of(1))
    assert out.refused == {"late": 1}


def test_two_scans_that_interleave_are_not_mixed() -> None:
    pairs = zip(scan_of(0), scan_of(1), strict=True)
    frames = [frame for pair in pairs for frame in pair]
    joiner = Joiner(settings(**RUNNING, kind_from="order"))

    out = Outcome().feed(joiner, running(frames))

    out.check(0, scan_of(0)[:1])
    out.check(1, scan_of(1))
    assert out.ended[0].missing == out.refused["late"] == N_FRAMES - 1


@pytest.mark.parametrize("seed", range(20))
def test_a_scan_that_is_short_and_out_of_order_ends_where_another_image_takes_a_place(
    seed: int,
) -> None:
    first = shuffled(scan_of(0), seed=seed)[:-2]
    missing = {frame.slot for frame in shuffled(scan_of(0), seed=seed)[-2:]}
    second = [frame for frame in scan_of(1)[::-1] if frame.slot not in missing]

    out = Outcome().feed(Joiner(settings()), map(gigafrost, [*first, *second]))

    out.check(0, first)
    out.check(1, second)


def test_a_counter_that_wraps_goes_on() -> None:
    # Scan 1455 of 45 frames begins at 65475 + 1: the counter wraps within it.
    frames = [*scan_of(1455), *scan_of(1456)]
    joiner = Joiner(settings(**RUNNING, kind_from="attribute", wraps_after=65_535))

    out = Outcome().feed(joiner, running([frames[0], *frames[2:1:-1], *frames[1:]], wraps=True))

    out.check(0, scan_of(1455))
    out.check(1, scan_of(1456))


def test_a_kind_that_its_number_contradicts_is_refused() -> None:
    joiner = Joiner(settings(**RUNNING, kind_from="attribute"))

    out = Outcome().feed(joiner, running(scan_of(0), first=2))

    assert out.refused["kind"] == 3  # the last of each set stands where the next set begins


@pytest.mark.parametrize(
    ("changes", "expected_deg", "source"),
    [
        ({"theta_step_deg": 0.5, "theta_start_deg": -10.0}, -8.5, "formula"),
        ({}, 13.5, "formula"),
        ({"theta_from": "table", "theta_file": "t.txt"}, 9.0, "table"),
        ({"theta_from": "attribute"}, 12.0, "frame"),
    ],
    ids=["formula", "half-turn", "table", "attribute"],
)
def test_the_angle_says_where_it_is_from(
    changes: dict[str, Any], expected_deg: float, source: str
) -> None:
    table_deg = [index * 3.0 for index in range(N_PROJECTIONS)]
    joiner = Joiner(settings(**RUNNING, **changes, kind_from="order"), table_deg=table_deg)

    out = Outcome().feed(joiner, running(scan_of(0)))

    frame = out.scans[0]["projection", 0, 3]
    assert (frame.theta_deg, frame.theta_source) == (expected_deg, source)
    assert out.scans[0]["dark", 0, 0].theta_deg is None


def test_a_frame_of_another_size_is_refused() -> None:
    first = gigafrost(scan_of(0)[0])
    other = [gigafrost(scan_of(0)[1])[0].replace(b"[4, 6]", b"[6, 4]"), first[1]]

    out = Outcome().feed(Joiner(settings()), [first, other])

    assert out.refused == {"shape": 1}


def test_a_scan_goes_on_after_a_restart() -> None:
    frames = scan_of(0)
    done = Outcome().feed(Joiner(settings()), map(gigafrost, frames[:20]))
    seen = {(e.key.kind, e.key.set, e.key.index): 0 for e in done.scans[0].values()}
    resumed = Resumed(scan=0, frame_shape=(4, 6), dtype="uint16", seen=seen)

    out = Outcome()
    out.scans[0] = {}
    out.feed(Joiner(settings(), next_scan=1, resumed=resumed), map(gigafrost, frames[20:]))

    out.check(0, frames[20:])
    assert out.ended[0].missing == 0


@pytest.mark.parametrize("n_stored", [20, 40])
def test_a_restart_that_missed_the_end_does_not_mix_two_scans(n_stored: int) -> None:
    seen: dict[Any, int] = {each.slot: 1 for each in scan_of(0)[:n_stored]}
    resumed = Resumed(scan=0, frame_shape=(4, 6), dtype="uint16", seen=seen)
    counters = Counters(scan=0, series=0, turns=0, last=1)
    joiner = Joiner(settings(**RUNNING, kind_from="order"), resumed=resumed, counters=counters)

    out = Outcome().feed(joiner, running(scan_of(1)))

    out.check(1, scan_of(1))
    assert out.ended[0].missing == N_FRAMES - n_stored
