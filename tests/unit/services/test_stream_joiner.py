"""Foreign frames become scans: whatever the order, each where it belongs, or refused aloud."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from foreign import (
    N_DARKS,
    N_FLATS,
    N_PROJECTIONS,
    Kind,
    Sent,
    areadetector,
    doubled,
    gigafrost,
    scan_of,
    shuffled,
    thinned,
)

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.array_1_0 import decode_array
from lithoscope_services.sources.stream import (
    Joiner,
    ScanBegun,
    ScanEnded,
    ScanFrame,
    SeriesEnd,
    StreamFrame,
)
from lithoscope_services.sources.stream.events import Counters, Resumed

Slot = tuple[Kind, int, int]
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS


def settings(**changes: Any) -> SourceSettings:  # values of any key
    parts: dict[str, Any] = {
        "kind": "array-1.0",
        "address": "tcp://127.0.0.1:9667",
        "n_darks": N_DARKS,
        "n_flats": N_FLATS,
        "n_projections": N_PROJECTIONS,
    }
    return SourceSettings(**(parts | changes))


RUNNING = {"numbers": "running", "first_frame": 1, "shape_order": "columns_first"}


class Outcome:
    """What a joiner made of messages, and its checks."""

    def __init__(self) -> None:
        self.scans: dict[int, dict[Slot, ScanFrame]] = {}
        self.ended: dict[int, ScanEnded] = {}
        self.refused: Counter[str] = Counter()

    def feed(self, joiner: Joiner, messages: Iterable[list[bytes]]) -> "Outcome":
        for parts in messages:
            try:
                frame = decode_array(parts, columns_first=b"ndattr" in parts[0])
                events = joiner.offer(frame)
            except SourceError as error:
                self.refused[joiner.refuse(error)] += 1
                continue
            self.take(events)
        return self

    def take(self, events: Iterable[object]) -> None:
        for event in events:
            match event:
                case ScanBegun():
                    self.scans[event.scan] = {}
                case ScanFrame():
                    key = event.key
                    frames = self.scans[key.scan]
                    assert (key.kind, key.set, key.index) not in frames
                    frames[key.kind, key.set, key.index] = event
                case ScanEnded():
                    self.ended[event.scan] = event

    def check(self, scan: int, sent: Iterable[Sent]) -> None:
        """A scan has just these frames, each with its own pixels."""
        expected = {frame.slot: frame for frame in sent}
        assert set(self.scans[scan]) == set(expected)
        for slot, frame in expected.items():
            np.testing.assert_array_equal(self.scans[scan][slot].pixels, frame.pixels)


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


def told(frames: Iterable[Sent]) -> list[StreamFrame]:
    """Frames whose sender numbers the series, as DECTRIS does."""
    positions = {each.slot: place for place, each in enumerate(scan_of(0))}
    return [
        StreamFrame(number=positions[each.slot], pixels=each.pixels, series=each.scan)
        for each in frames
    ]


def follow(joiner: Joiner, messages: Iterable[StreamFrame | SeriesEnd]) -> Outcome:
    out = Outcome()
    for message in messages:
        try:
            if isinstance(message, SeriesEnd):
                out.take(joiner.end(message))
            else:
                out.take(joiner.offer(message))
        except SourceError as error:
            out.refused[joiner.refuse(error)] += 1
    return out


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
