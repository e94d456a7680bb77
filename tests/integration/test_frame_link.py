"""Frames over the link: whatever happens on the way, each is on disk once, or refused aloud."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from spine import (
    COLUMNS,
    ROWS,
    Spine,
    all_keys,
    begin,
    described,
    image,
    send,
    spine,
    stored,
)

from lithoscope_messages import (
    ExperimentDescription,
    FrameKey,
    FramesStored,
)
from lithoscope_services.errors import ServiceError
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sockets import FRAMES, open_socket

N_PROJECTIONS = 150
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    settings = replace_values(Settings(), {"ingest.buffer_bytes": MEBIBYTE})
    with spine(tmp_path_factory.mktemp("store"), settings) as made:
        made.start("journal", "ingest")
        yield made


def announced(services: Spine, experiment: str) -> set[tuple[str, int, int]]:
    return {
        (entry.message.kind, entry.message.first, entry.message.count)
        for entry in services.entries(experiment)
        if isinstance(entry.message, FramesStored)
    }


def check_all_is_there(services: Spine, experiment: str) -> None:
    """Every frame is on disk once, with its own pixels, and its scan is complete."""
    completed = services.completed(experiment)
    assert completed.reason == "scan_end"
    assert completed.account.missing == 0
    assert completed.account.completeness == 1.0
    reader = stored(services, experiment)
    assert set(reader.keys) == set(all_keys(N_PROJECTIONS))
    assert completed.account.sets[-1].stored == N_PROJECTIONS
    for index in (0, 77, N_PROJECTIONS - 1):
        frame = reader.read_frame(FrameKey(scan=0, kind="projection", index=index))
        np.testing.assert_array_equal(frame, image(index + 10_000))
    assert announced(services, experiment) == {
        ("dark", 0, 1),
        ("flat", 0, 2),
        ("projection", 0, 64),
        ("projection", 64, 64),
        ("projection", 128, 22),
    }


def test_frames_in_order_are_all_stored(services: Spine) -> None:
    with services.link("in-order") as link:
        begin(link, 0, described(N_PROJECTIONS))
        for key in all_keys(N_PROJECTIONS):
            send(link, key)
        link.end_scan(0)

    check_all_is_there(services, "in-order")


def test_frames_in_any_order_give_the_same_scan(services: Spine) -> None:
    keys = all_keys(N_PROJECTIONS)
    random.Random(3).shuffle(keys)
    with services.link("shuffled") as link:
        begin(link, 0, described(N_PROJECTIONS))
        for key in keys:
            send(link, key)
        link.end_scan(0)

    check_all_is_there(services, "shuffled")
    assert (
        services.completed("shuffled").frames_sha256
        == services.completed("in-order").frames_sha256
    )


def test_doubled_frames_collapse(services: Spine) -> None:
    with services.link("doubled") as link, services.link("doubled") as other:
        begin(link, 0, described(N_PROJECTIONS))
        begin(other, 0, described(N_PROJECTIONS))
        for key in all_keys(N_PROJECTIONS):
            send(link, key)
            send(other, key)
        other.flush()
        link.end_scan(0)
        for key in all_keys(N_PROJECTIONS):
            send(other, key)  # a source that was restarted sends a finished scan again
        other.flush()

    check_all_is_there(services, "doubled")
    assert other.refusals == []


def test_garbage_in_between_harms_nothing(services: Spine) -> None:
    noise = random.Random(5)
    with (
        services.link("garbage") as link,
        open_socket(services.context, zmq.DEALER, FRAMES) as stranger,
    ):
        stranger.connect(endpoint(services.runtime_dir, "frames"))
        assert stranger.poll(5000, zmq.POLLOUT)
        begin(link, 0, described(N_PROJECTIONS))
        for key in all_keys(N_PROJECTIONS):
            send(link, key)
            parts = [noise.randbytes(noise.randrange(40)) for _ in range(noise.randint(1, 4))]
            stranger.send_multipart(parts)
        link.end_scan(0)

    check_all_is_there(services, "garbage")
    assert services.is_running("ingest")


def test_sending_waits_for_credit_and_then_goes_on(services: Spine) -> None:
    rows, columns = 256, 512  # 256 KiB a frame, four of them are all the credit
    biggest = 0
    with services.link("credit") as link:
        begin(link, 0, described(40, rows=rows, columns=columns))
        for key in all_keys(40):
            send(link, key, rows=rows, columns=columns)
            biggest = max(biggest, link.bytes_under_way)
        link.end_scan(0)

    assert 256 * 1024 < biggest <= MEBIBYTE
    assert services.completed("credit").account.missing == 0


def test_ingest_killed_in_the_middle_of_a_scan_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    with spine(tmp_path) as services:
        services.start("journal", "ingest")
        with services.link("killed") as link:
            begin(link, 0, described(N_PROJECTIONS))
            for count, key in enumerate(all_keys(N_PROJECTIONS)):
                if count in (20, 110):
                    services.kill("ingest")
                    services.start("ingest")
                send(link, key)
            link.end_scan(0)

        check_all_is_there(services, "killed")
        assert link.refusals == []


def test_a_source_that_was_restarted_goes_on_with_its_scan(services: Spine) -> None:
    keys = all_keys(N_PROJECTIONS)
    with services.link("restarted") as link:
        begin(link, 0, described(N_PROJECTIONS))
        for key in keys[:60]:
            send(link, key)
    # Closed without a flush, as a source that died: nobody knows what has arrived.
    with services.link("restarted") as link:
        begin(link, 0, described(N_PROJECTIONS))
        for key in keys:
            send(link, key)
        link.end_scan(0)

    check_all_is_there(services, "restarted")


def test_samples_of_the_cycler_are_stored_once_and_gaps_are_refused(services: Spine) -> None:
    with services.link("cycler") as link:
        link.begin_experiment(ExperimentDescription())
        link.send_electrochemistry(0, (0.0, 1.0), (3.0, 3.1), (1.0, 1.0))
        link.send_electrochemistry(0, (0.0, 1.0), (3.0, 3.1), (1.0, 1.0))
        link.send_electrochemistry(7, (7.0,), (3.0,), (1.0,))
        link.send_electrochemistry(2, (), (), ())
        link.send_electrochemistry(2, (float("nan"),), (3.0,), (1.0,))
        link.send_electrochemistry(2, (2.0,), (3.2,), (1.0,))
        link.flush()

    kinds = [entry.message.type for entry in services.entries("cycler")]
    assert kinds == ["ExperimentStarted", *["ElectrochemistryAppended"] * 2]
    assert len(link.refusals) == 3
    assert services.is_running("ingest")


@pytest.mark.parametrize(
    "document",
    ["", "[]", "7", '"text"', '{"uid": 1, "lithoscope_scan": "x"}', '{"uid": [], "a": {}}'],
)
def test_odd_documents_do_not_stop_ingest(services: Spine, document: str) -> None:
    with services.link("documents") as link:
        link.begin_experiment(ExperimentDescription())
        link.send_document("start", document)
        link.flush()

    assert services.is_running("ingest")


def test_a_run_that_stopped_well_closes_a_scan_that_nobody_ended(services: Spine) -> None:
    with services.link("witness") as link:
        begin(link, 0, described(4))
        link.send_document("start", '{"uid": "u1", "lithoscope_scan": 0}')
        for key in all_keys(4):
            send(link, key)
        link.send_document("stop", '{"uid": "u2", "run_start": "u1", "exit_status": "success"}')
        link.flush()

    completed = services.completed("witness")
    assert (completed.reason, completed.account.missing) == ("run_stop", 0)


def test_a_source_gives_up_when_ingest_stays_silent(services: Spine) -> None:
    with (
        FrameLink(f"ipc://{services.runtime_dir}/nobody", "silent", patience_s=0.5) as link,
        pytest.raises(ServiceError, match="acknowledged nothing"),
    ):
        link.begin_experiment(ExperimentDescription())


def send_documents(link: FrameLink, count: int) -> None:
    for number in range(count):
        link.send_document("event", f'{{"uid": {number}}}')


def test_an_image_may_be_used_anew_as_soon_as_it_was_sent(services: Spine) -> None:
    keys = all_keys(20)
    pixels = np.empty((ROWS, COLUMNS), np.uint16)
    with services.link("reused") as link:
        begin(link, 0, described(20))
        for number, key in enumerate(keys):
            pixels[...] = number
            link.send_frame(key, pixels, theta_deg=float(number))
        pixels[...] = 0
        link.end_scan(0)

    reader = stored(services, "reused")
    assert [int(reader.read_frame(key)[0, 0]) for key in keys] == list(range(len(keys)))


@pytest.mark.parametrize("change", ["read-only", "big-endian", "every other column", "turned"])
def test_an_image_arrives_as_it_is_however_it_lies_in_memory(services: Spine, change: str) -> None:
    plain = image(3)
    pixels = {
        "read-only": plain.copy(),
        "big-endian": plain.astype(">u2"),
        "every other column": np.repeat(plain, 2, axis=1)[:, ::2],
        "turned": np.asfortranarray(plain),
    }[change]
    pixels.setflags(write=False)
    name = f"lies-{change.split()[0]}"
    key = FrameKey(scan=0, kind="dark", index=0)
    with services.link(name) as link:
        begin(link, 0, described(4))
        link.send_frame(key, pixels)
        link.end_scan(0)

    np.testing.assert_array_equal(stored(services, name).read_frame(key), plain)
    assert not link.refusals


def test_messages_of_two_threads_do_not_mix(services: Spine) -> None:
    with services.link("threads") as link:
        begin(link, 0, described(N_PROJECTIONS))
        documents = threading.Thread(target=send_documents, args=(link, 100))
        documents.start()
        for key in all_keys(N_PROJECTIONS):
            send(link, key)
        documents.join(60)
        link.end_scan(0)

    check_all_is_there(services, "threads")
    lines = services.store.experiment("threads").documents.read_text().splitlines()
    assert len(lines) == 100
