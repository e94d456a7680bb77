"""Series of a detector are told apart: late ones are refused, restarts go on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.dectris import (
    EndMessage,
    ImageMessage,
    SeriesTracker,
    StartMessage,
)
from lithoscope_services.sources.dectris.decoder import Axis
from lithoscope_services.sources.stream import SeriesEnd

OMEGA = {
    "omega": Axis(start_deg=10.0, increment_deg=0.5),
    "chi": Axis(start_deg=90, increment_deg=0),
}


def settings(**values: Any) -> SourceSettings:  # fields of SourceSettings
    given = {
        "kind": "dectris",
        "address": "ipc:///run/dcu",
        "numbers": "per_kind" if values.get("series_is") == "part" else "per_scan",
        "n_projections": 40,
    }
    return SourceSettings(**given | values)


def start(series: int, name: str | None = None, **more: Any) -> StartMessage:  # its fields
    return StartMessage(series_id=series, series_unique_id=name or f"s{series}", **more)


def image(series: int, number: int = 0, name: str | None = None, **more: Any) -> ImageMessage:
    return ImageMessage(
        series_id=series,
        series_unique_id=name or f"s{series}",
        image_id=number,
        pixels=np.zeros((2, 3), np.uint16),
        **more,
    )


def tracker(**values: Any) -> SeriesTracker:
    return SeriesTracker(settings(**values))


def test_an_angle_is_start_and_increment_of_the_axis_that_turns() -> None:
    series = tracker()
    series.begin(start(3, axes=OMEGA))

    frame = series.frame(image(3, 7))

    assert (frame.number, frame.series, frame.theta_deg) == (7, 3, 13.5)


def test_of_several_axes_that_turn_the_named_one_is_taken() -> None:
    axes = OMEGA | {"phi": Axis(start_deg=0.0, increment_deg=1.0)}
    vague, told = tracker(), tracker(theta_attribute="phi")
    vague.begin(start(3, axes=axes))
    told.begin(start(3, axes=axes))

    assert vague.frame(image(3, 7)).theta_deg is None
    assert told.frame(image(3, 7)).theta_deg == 7.0


def test_user_data_of_the_start_hold_for_images_that_say_nothing_else() -> None:
    series = tracker()
    series.begin(start(3, attributes={"kind": "flat", "cell": 7}))

    plain, other = series.frame(image(3)), series.frame(image(3, attributes={"kind": "dark"}))

    assert (plain.kind, plain.attributes["cell"]) == ("flat", 7)
    assert other.kind == "dark"


@pytest.mark.parametrize("kind", ["Flat", " projection ", "dark"])
def test_the_key_of_the_kind_can_be_named(kind: str) -> None:
    series = tracker(kind_attribute="what")

    assert series.frame(image(1, attributes={"what": kind})).kind == kind.strip().lower()
    assert series.frame(image(1, attributes={"what": "lunch"})).kind is None


def test_messages_of_a_series_that_is_over_are_refused() -> None:
    series = tracker()
    series.begin(start(3))
    series.begin(start(4))

    for late in (image(3), EndMessage(series_id=3, series_unique_id="s3")):
        with pytest.raises(SourceError, match=r"^late: a message of series 3 came after"):
            series.frame(late) if isinstance(late, ImageMessage) else series.end(late)
    with pytest.raises(SourceError, match=r"^late: series 3 was over before"):
        series.begin(start(3))


def test_a_message_of_the_same_number_under_another_name_is_refused() -> None:
    series = tracker()
    series.begin(start(3))

    with pytest.raises(SourceError, match=r"^series_unique_id: series 3 began under another name"):
        series.frame(image(3, name="other"))


def test_another_number_under_the_same_name_is_refused() -> None:
    """A flipped bit must not begin a series, or all that follows would be late."""
    series = tracker()
    series.begin(start(3))

    for number in (2, 3 + 2**30):
        with pytest.raises(SourceError, match=rf"^series_id: {number} under the name of"):
            series.frame(image(number, name="s3"))
        with pytest.raises(SourceError, match=rf"^series_id: {number} under the name of"):
            series.begin(start(number, name="s3"))
    assert series.frame(image(3)).series == 3


def test_a_start_with_a_lower_number_and_no_name_is_refused() -> None:
    series = tracker()
    series.begin(StartMessage(series_id=4))

    with pytest.raises(SourceError, match=r"^late: the start of series 3"):
        series.begin(StartMessage(series_id=3))


def test_a_start_that_was_armed_before_is_an_old_one() -> None:
    series = tracker()
    series.begin(start(4, arm_time_ns=2000))

    with pytest.raises(SourceError, match=r"^late: the start of series 3"):
        series.begin(start(3, arm_time_ns=1000))


def test_numbers_go_on_when_the_detector_begins_at_one_again() -> None:
    series = tracker()
    series.begin(start(9, arm_time_ns=1000))
    series.begin(start(1, name="new", arm_time_ns=2000))

    first = series.frame(image(1, name="new")).series
    series.begin(start(2, name="newer", arm_time_ns=3000))

    assert (first, series.frame(image(2, name="newer")).series) == (10, 11)


def test_a_start_that_comes_twice_changes_nothing() -> None:
    series = tracker()
    series.begin(start(3, axes=OMEGA))
    series.begin(start(3, axes=OMEGA))

    assert series.frame(image(3, 1)).theta_deg == 10.5


def test_images_whose_start_was_lost_say_what_they_know() -> None:
    series = tracker()

    lonely = series.frame(image(5, 1))
    next_one = series.frame(image(6, 0))

    assert (lonely.series, lonely.number, lonely.theta_deg) == (5, 1, None)
    assert next_one.series == 6


def test_an_end_ends_its_scan_and_no_other() -> None:
    series = tracker()
    series.begin(start(3))

    assert series.end(EndMessage(series_id=3)) == SeriesEnd(series=3)
    assert series.frame(image(3, 9)).series == 3  # late, but not by us


def test_series_that_are_parts_do_not_number_scans() -> None:
    series = tracker(series_is="part")
    series.begin(start(3, attributes={"kind": "flat"}))

    frame = series.frame(image(3, 1))

    assert (frame.series, frame.kind, frame.number) == (None, "flat", 1)
    assert series.end(EndMessage(series_id=3)) is None


def test_a_restart_in_mid_series_keeps_its_angles_and_its_number(tmp_path: Path) -> None:
    state = tmp_path / "dectris.state"
    before = SeriesTracker(settings(), state)
    before.begin(start(9, arm_time_ns=1000))
    before.begin(start(1, name="new", arm_time_ns=2000, axes=OMEGA, attributes={"kind": "dark"}))

    frame = SeriesTracker(settings(), state).frame(image(1, 2, name="new"))

    assert (frame.series, frame.theta_deg, frame.kind) == (10, 11.0, "dark")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"axis": 1}', '{"axis": {"start_deg": 1}}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    state = tmp_path / "dectris.state"
    state.write_text(text)

    assert SeriesTracker(settings(), state).frame(image(5)).series == 5
