"""Frames that do not belong are refused with a reason, counted, and never mixed in."""

from collections.abc import Iterator

import google_crc32c
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
    Acknowledgement,
    FrameHeader,
    FrameKey,
    Refusal,
    encode,
)
from lithoscope_services.errors import RefusedError
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


def send_raw(services: Spine, header: FrameHeader, payload: bytes) -> Refusal | Acknowledgement:
    """Send a frame past the client, which would not send a wrong one."""
    with open_socket(services.context, zmq.DEALER, FRAMES) as socket:
        socket.connect(endpoint(services.runtime_dir, "frames"))
        assert socket.poll(5000, zmq.POLLOUT)
        socket.send_multipart([encode(header), payload])
        assert socket.poll(10_000)
        data = socket.recv()
    model = Refusal if b'"Refusal"' in data else Acknowledgement
    return model.model_validate_json(data)


def header_of(name: str, payload: bytes, **changes: object) -> FrameHeader:
    parts: dict[str, object] = {
        "experiment": name,
        "scan": 0,
        "kind": "projection",
        "index": 0,
        "session": "ab" * 16,
        "sequence": 0,
        "theta_deg": 0.0,
        "time_ns": 0,
        "dtype": "uint16",
        "shape": (ROWS, COLUMNS),
        "crc32c": google_crc32c.value(payload),
    }
    return FrameHeader.model_validate(parts | changes)


@pytest.fixture(scope="module")
def open_scan(services: Spine) -> Iterator[str]:
    """An experiment whose scan 0 is running."""
    with services.link("open") as link:
        begin(link, 0, described(N_PROJECTIONS))
        yield "open"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crc32c": 1}, "crc32c"),
        ({"scan": 7}, "scan 7, which is not running"),
        ({"shape": (ROWS, COLUMNS - 1)}, "announced"),
        ({"dtype": "uint8"}, "announced"),
        ({"index": N_PROJECTIONS}, "150 were announced"),
        ({"set": 1}, "was not announced"),
        ({"tile": 2}, "was not announced"),
        ({"codec": "blosc"}, "send none"),
        ({"experiment": "never-begun"}, "send ScanBegin first"),
    ],
    ids=["crc", "scan", "shape", "dtype", "index", "set", "tile", "codec", "experiment"],
)
def test_a_frame_that_does_not_belong_is_refused_with_its_reason(
    services: Spine, open_scan: str, changes: dict[str, object], reason: str
) -> None:
    payload = image(0).tobytes()

    answer = send_raw(services, header_of(open_scan, payload, **changes), payload)

    assert isinstance(answer, Refusal)
    assert reason in answer.reason
    assert not stored(services, open_scan).keys


def test_a_frame_that_is_cut_short_is_refused(services: Spine, open_scan: str) -> None:
    payload = image(0).tobytes()[:-2]

    answer = send_raw(services, header_of(open_scan, payload), payload)

    assert isinstance(answer, Refusal)
    assert "bytes" in answer.reason


def test_refused_frames_are_counted_and_never_mixed_in(services: Spine) -> None:
    with services.link("foreign") as link:
        begin(link, 0, described(4))
        for key in all_keys(4):
            send(link, key)
            send(link, key.model_copy(update={"scan": 3}))
        link.end_scan(0)
        late = FrameKey(scan=0, kind="projection", index=3)
        send(link, late)
        link.flush()

    assert services.completed("foreign").account.missing == 0
    assert len(link.refusals) == len(all_keys(4))
    assert set(stored(services, "foreign").keys) == set(all_keys(4))


def test_a_frame_after_the_end_of_its_scan_is_refused_unless_it_is_there(
    services: Spine,
) -> None:
    with services.link("late") as link:
        begin(link, 0, described(4))
        for key in all_keys(4)[:-1]:
            send(link, key)
        link.end_scan(0)
        for key in all_keys(4):
            send(link, key)
        link.flush()

    assert services.completed("late").account.missing == 1
    assert len(link.refusals) == 1
    assert "after scan 0 was closed" in link.refusals[0].reason


def test_what_ingest_refuses_to_begin_is_an_error_of_the_source(services: Spine) -> None:
    with services.link("no-beginning") as link, pytest.raises(RefusedError, match="begun"):
        link.begin_scan(0, described(4))
