"""What is heard of a stream, without sockets: dialects by their marks, counts, attributes."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from dectris_sender import series_of
from foreign import Sent, areadetector, garbage, gigafrost, scan_of

from lithoscope_services.listen.arrays import ArrayListener
from lithoscope_services.listen.attributes import find_roles
from lithoscope_services.listen.dectris import DectrisListener
from lithoscope_services.listen.documents import DocumentListener
from lithoscope_services.listen.recognise import Unsupported, recognise
from lithoscope_services.listen.stored import look_at_file
from lithoscope_services.sources.tap import RecordingHeader, RecordingWriter

SCAN = scan_of(0, n_flats_after=2)


def heard(messages: list[list[bytes]]) -> ArrayListener:
    listener = ArrayListener()
    for at_s, parts in enumerate(messages):
        listener.take(parts, 0.1 * at_s)
    return listener


def test_garbage_is_recognised_as_nothing_and_never_raises() -> None:
    noise = random.Random(8)
    for _ in range(2000):
        parts = [noise.randbytes(noise.randrange(40)) for _ in range(noise.randint(1, 4))]
        found = recognise(parts)
        assert isinstance(found, Unsupported) or found in ("bluesky", "dectris")


def test_listeners_count_what_they_cannot_read() -> None:
    for listener in (ArrayListener(), DectrisListener(), DocumentListener()):
        for _, parts in zip(range(200), garbage(), strict=False):
            listener.take(parts, 0.0)
        assert listener.finding("here", 1.0).place == "here"


def test_a_whole_scan_tells_its_counts_and_the_pace() -> None:
    listener = heard([gigafrost(frame) for frame in SCAN])

    found = listener.finding("here", now_s=100.0)

    counts = {key: found.settings[f"source.n_{key}"] for key in ("darks", "flats", "projections")}
    assert counts == {"darks": 2, "flats": 3, "projections": 40}
    assert found.settings["source.n_flats_after"] == 2
    assert found.rate_hz == pytest.approx(10.0)


@pytest.mark.parametrize("part", [SCAN[3:], SCAN[:-1]], ids=["begun before", "still going on"])
def test_a_part_of_a_scan_tells_no_counts(part: list[Sent]) -> None:
    # Without the last flat it may go on: only the silence after a whole one is certain.
    listener = heard([gigafrost(frame) for frame in part])

    found = listener.finding("here", now_s=0.1 * len(part))

    assert "source.n_projections" not in found.settings
    assert "source.n_projections" in [need.key for need in found.needs]


def test_angles_in_radians_are_said_while_listening() -> None:
    views = [frame for frame in SCAN if frame.scan_index == 2]
    step = float(np.pi) / len(views)
    messages = [
        areadetector(frame, 1 + n, theta_deg=step * frame.index) for n, frame in enumerate(views)
    ]

    (check,) = heard(messages).finding("here", now_s=100.0).checks

    assert check.verdict == "wrong"
    assert "radians" in check.text


def test_of_several_angles_none_is_chosen() -> None:
    seen = [{"RotationX": 0.1 * n, "StageAngle": 0.2 * n, "Gain": 3} for n in range(5)]

    roles = find_roles(seen)

    assert roles.theta is None
    assert set(roles.theta_candidates) == {"RotationX", "StageAngle"}


def test_the_one_angle_that_turns_is_taken() -> None:
    seen = [{"TiltAngle": 1.5, "StageAngle": 0.2 * n} for n in range(5)]

    assert find_roles(seen).theta == "StageAngle"


def test_a_recording_of_a_tap_is_listened_to(tmp_path: Path) -> None:
    path = tmp_path / "7.tap"
    header = RecordingHeader(source="tcp://dcu:31001", pattern="pull", begun_ns=time.time_ns())
    with RecordingWriter(path, header) as writer:
        for message in series_of(SCAN, 1):
            writer.write([message], time.time_ns())

    found = look_at_file(path)

    assert found.dialect == "DECTRIS Stream V2"
    assert found.settings["source.address"] == "tcp://dcu:31001"
    assert "omega" in found.theta_from


def test_a_file_that_is_no_scan_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing")

    found = look_at_file(path)

    assert found.unsupported
    assert not found.settings
