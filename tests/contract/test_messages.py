import json
import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_messages import (
    MAY_APPEND,
    FrameHeader,
    JournalMessage,
    Message,
    MessageError,
    SourceMessage,
    UnknownMessageError,
    adapter_of,
    decode,
    encode,
    schemas,
)

HEADER = {
    "type": "FrameHeader",
    "version": 1,
    "experiment": "first",
    "scan": 3,
    "kind": "projection",
    "index": 7,
    "session": "0" * 32,
    "sequence": 11,
    "theta_deg": 12.5,
    "time_ns": 1,
    "dtype": "uint16",
    "shape": [24, 192],
    "crc32c": 123,
}


@pytest.mark.parametrize("message", schemas.all_messages(), ids=lambda m: m.__name__)
def test_committed_schema_is_that_of_the_code(message: type[Message]) -> None:
    path = schemas.FOLDER / f"{message.__name__}.json"

    assert path.read_text() == schemas.render(message), (
        "stale: run `python -m lithoscope_messages.schemas`"
    )


def test_no_schema_is_left_of_a_message_that_is_gone() -> None:
    names = {path.stem for path in schemas.FOLDER.glob("*.json")}

    assert names == {message.__name__ for message in schemas.all_messages()}


@pytest.mark.parametrize("message", schemas.all_messages(), ids=lambda m: m.__name__)
def test_every_message_says_its_type_and_version(message: type[Message]) -> None:
    assert message.model_fields["type"].default == message.__name__
    assert message.model_fields["version"].default >= 1


def test_importing_messages_pulls_in_neither_numpy_nor_zmq() -> None:
    code = (
        "import sys, lithoscope_messages;"
        "print([m for m in ('numpy', 'zmq', 'zarr', 'dash', 'lithoscope_pipeline')"
        " if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_fact_and_request_has_a_role_that_may_append_it() -> None:
    allowed = frozenset().union(*MAY_APPEND.values())

    assert allowed == {message.__name__ for message in get_args(JournalMessage)}


def test_golden_frame_header_of_version_1_is_still_read() -> None:
    header = decode(json.dumps(HEADER).encode(), adapter_of(SourceMessage))

    assert isinstance(header, FrameHeader)
    assert header.frame_key.index == 7
    assert header.shape == (24, 192)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scan", -1),
        ("shape", [0, 192]),
        ("shape", [2, 10**9]),
        ("dtype", "object"),
        ("theta_deg", None),
        ("crc32c", 2**32),
        ("experiment", "../etc"),
        ("version", 99),
        ("unknown_field", 1),
    ],
)
def test_wrong_field_of_a_header_is_named(field: str, value: object) -> None:
    with pytest.raises(MessageError) as caught:
        decode(json.dumps({**HEADER, field: value}).encode(), adapter_of(SourceMessage))

    assert field in str(caught.value)


def test_unknown_type_is_told_apart() -> None:
    with pytest.raises(UnknownMessageError):
        decode(b'{"type": "Surprise"}', adapter_of(SourceMessage))


def decoded_or_none(data: bytes) -> Message | None:
    """Read bytes; anything but a message or a MessageError fails the test."""
    try:
        return decode(data, adapter_of(SourceMessage))
    except MessageError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_message_error(data: bytes) -> None:
    message = decoded_or_none(data)

    assert message is None or decode(encode(message), adapter_of(SourceMessage)) == message


@given(
    at=st.integers(0, 10**6),
    byte=st.integers(0, 255),
)
def test_a_header_with_one_changed_byte_never_crashes_the_reader(at: int, byte: int) -> None:
    data = bytearray(json.dumps(HEADER).encode())
    data[at % len(data)] = byte

    message = decoded_or_none(bytes(data))

    assert message is None or isinstance(message, FrameHeader)
