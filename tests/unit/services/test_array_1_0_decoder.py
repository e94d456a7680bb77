"""Messages of foreign senders become a frame, or a refusal that names the field."""

import json
import random
import re
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.array_1_0 import decode_array
from lithoscope_services.sources.array_1_0.attributes import MAX_HEADER_BYTES
from lithoscope_services.sources.stream import StreamFrame

#: Two rows of three columns: 0, 1, 2 and 256, 257, 65535.
PIXELS = b"\x00\x00\x01\x00\x02\x00\x00\x01\x01\x01\xff\xff"
EXPECTED = [[0, 1, 2], [256, 257, 65535]]
STD_DAQ = b'{"htype":"array-1.0", "shape":[2,3], "type":"uint16", "frame":41}'
GIGAFROST = (
    b'{"image_attributes":{"scan_index":2,"image_is_complete":true},"frame":7,'
    b'"source":"gigafrost","shape":[2,3],"type":"uint16"}'
)
# As NDPluginZMQ.cpp writes it: htype in a list, dims fastest first, a text that is not escaped.
ADZMQ = (
    b'{"htype":["array-1.0"], "type":"uint16", "shape":[3,2], "frame":12, '
    b'"timeStamp":1132531200.5, "encoding":"", '
    b'"ndattr":{"FrameType":2,"SampleRotary":12.5,"Comment":"cell "7", rest"}}'
)
DIALECTS = {"std_daq": STD_DAQ, "gigafrost": GIGAFROST, "adzmq": ADZMQ}
FIELDS = (
    "parts|header|htype|shape|type|encoding|pixels|endianness|frame|scan_index|image_attributes"
)


def decoded(header: bytes, pixels: bytes = PIXELS) -> StreamFrame:
    return decode_array([header, pixels], columns_first=header is ADZMQ)


def with_value(key: str, value: object) -> bytes:
    return json.dumps(json.loads(STD_DAQ) | {key: value}).encode()


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
def test_each_dialect_gives_its_pixels(header: bytes) -> None:
    frame = decoded(header)

    assert frame.pixels.dtype == np.dtype("<u2")
    np.testing.assert_array_equal(frame.pixels, EXPECTED)


def test_a_plain_frame_says_its_number_and_nothing_more() -> None:
    frame = decoded(STD_DAQ)

    assert (frame.number, frame.kind, frame.time_ns) == (41, None, None)
    assert frame.is_complete
    assert frame.attributes == {}


def test_a_gigafrost_frame_says_its_kind() -> None:
    assert (decoded(GIGAFROST).number, decoded(GIGAFROST).kind) == (7, "projection")


def test_a_frame_with_parts_missing_says_so() -> None:
    assert not decoded(GIGAFROST.replace(b"true", b"false")).is_complete


def test_attributes_are_read_from_a_header_that_is_no_json() -> None:
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(ADZMQ)

    frame = decoded(ADZMQ)

    assert frame.number == 12
    assert frame.attributes["FrameType"] == 2
    assert frame.attributes["SampleRotary"] == 12.5


@pytest.mark.parametrize(
    "broken",
    [
        b'"Gain":,"SampleRotary":12.5}}',
        b'"Gain":\x00,"SampleRotary":12.5}}',
        b'"Bits":\xfe,"SampleRotary":12.5}}',
        b',"SampleRotary":12.5,}}',
        b'"Gain":nan,"SampleRotary":12.5}}',
    ],
    ids=["undefined", "int8", "no-utf8", "comma", "nan"],
)
def test_an_attribute_that_cannot_be_read_hides_no_other(broken: bytes) -> None:
    header = ADZMQ.partition(b'"FrameType"')[0] + broken
    frame = decode_array([header, PIXELS])

    assert frame.attributes["SampleRotary"] == 12.5


def test_an_attribute_that_a_text_pretends_is_left_out() -> None:
    text = b'"Comment":"he said "SampleRotary":90.0, or so","SampleRotary":12.5}}'
    header = ADZMQ.partition(b'"FrameType"')[0] + text

    assert "SampleRotary" not in decode_array([header, PIXELS]).attributes


def test_a_time_counts_from_1990() -> None:
    # 1132531200 s after 1990-01-01 is 2025-11-21 00:00 UTC, which is 1763683200 s of Unix.
    assert decoded(ADZMQ).time_ns == 1_763_683_200_500_000_000


@pytest.mark.parametrize("key", ["endianness", "endianess"])
def test_big_endian_pixels_are_turned_round(key: str) -> None:
    header = with_value(key, "big")
    swapped = np.array(EXPECTED, ">u2").tobytes()

    frame = decode_array([header, swapped])

    assert frame.pixels.dtype == np.dtype("<u2")
    np.testing.assert_array_equal(frame.pixels, EXPECTED)


def test_unknown_keys_are_ignored() -> None:
    np.testing.assert_array_equal(decoded(with_value("beam", [1, {}])).pixels, EXPECTED)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "parts: 0 came"),
        ([STD_DAQ], "parts: 1 came"),
        ([STD_DAQ, PIXELS, b""], "parts: 3 came"),
        ([b"", b""], "header: no valid JSON"),
        ([b"[1]", PIXELS], "header: a JSON object"),
        ([b"[" * 50_000, PIXELS], "header: no valid JSON"),
        ([b'{"x":"' + b"y" * MAX_HEADER_BYTES, PIXELS], "header: .* bytes, at most"),
        ([with_value("htype", "bsr_m-1.1"), PIXELS], "htype: 'bsr_m-1.1' came"),
        ([with_value("shape", [3, 2, 1]), PIXELS], "shape: .* two whole numbers"),
        ([with_value("shape", [2, 3.0]), PIXELS], "shape: .* two whole numbers"),
        ([with_value("shape", [-2, -3]), PIXELS], "shape: .* two whole numbers"),
        ([with_value("shape", [True, 6]), PIXELS], "shape: .* two whole numbers"),
        ([with_value("shape", [16384, 16384]), PIXELS], "shape: 536870912 bytes, at most"),
        ([with_value("type", "int16"), PIXELS], "type: 'int16' came"),
        ([with_value("type", "O"), PIXELS], "type: 'O' came"),
        ([with_value("type", ["uint16"]), PIXELS], "type: .* came"),
        ([with_value("encoding", "bslz4"), PIXELS], "encoding: 'bslz4' is not taken"),
        ([with_value("endianness", "middle"), PIXELS], "endianness: 'middle' came"),
        ([with_value("frame", -1), PIXELS], "frame: -1 came"),
        ([with_value("frame", 2**63), PIXELS], "frame: 9223372036854775808 came"),
        ([with_value("frame", 1.5), PIXELS], "frame: 1.5 came"),
        ([STD_DAQ, PIXELS[:-1]], "pixels: 11 bytes came, 2 x 3 uint16 need 12"),
        ([GIGAFROST.replace(b":2,", b":3,"), PIXELS], "scan_index: 3 came"),
        ([with_value("image_attributes", 1), PIXELS], "image_attributes: an object"),
    ],
)
def test_what_is_no_frame_is_refused_by_the_name_of_its_field(
    parts: list[bytes], reason: str
) -> None:
    with pytest.raises(SourceError, match=f"^{reason}"):
        decode_array(parts)


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(  # any JSON
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(("htype", "shape", "type", "frame", "encoding", "endianness", "timeStamp"))
        | st.sampled_from(("ndattr", "image_attributes", "endianess")),
        JSON_VALUES,
        min_size=1,
    )
)
def test_any_values_give_a_frame_or_a_refusal(changes: dict[str, Any]) -> None:
    header = json.dumps(json.loads(STD_DAQ) | changes).encode()
    check_frame_or_refusal([header, PIXELS])


def check_frame_or_refusal(parts: list[bytes]) -> bool:
    """A frame has all pixels that were sent, a refusal names a field, nothing else happens."""
    try:
        frame = decode_array(parts)
    except SourceError as error:
        reason = str(error)
    else:
        reason = ""
        assert frame.pixels.nbytes == len(parts[1])
    assert not reason or re.match(f"({FIELDS}): ", reason), reason
    return not reason


def mutated(data: bytes, noise: random.Random) -> bytes:
    """Change, insert, delete or repeat some bytes."""
    found = bytearray(data)
    for _ in range(noise.randint(1, 4)):
        place = noise.randrange(len(found) + 1)
        match noise.randrange(4):
            case 0 if place < len(found):
                found[place] = noise.randrange(256)
            case 1:
                found[place:place] = noise.choice((b'"', b"{", b"}", b",", b"9", b"\x00", b"]"))
            case 2:
                del found[place : place + noise.randint(1, 9)]
            case _:
                found[place:place] = found[place : place + noise.randint(1, 30)]
    return bytes(found)


@pytest.mark.parametrize("header", DIALECTS.values(), ids=DIALECTS)
def test_mutated_messages_give_a_frame_or_a_refusal(header: bytes, is_soak: bool) -> None:
    noise = random.Random(7)
    n_refused = 0
    for _ in range(100_000 if is_soak else 2000):
        pixels = mutated(PIXELS, noise) if noise.random() < 0.2 else PIXELS
        n_refused += not check_frame_or_refusal([mutated(header, noise), pixels])
    assert n_refused > 500


@pytest.mark.parametrize("unit", [b'"a":"', b'"', b'"a":"b"', b'"a":1 ', b"\\", b'"a": "b" '])
def test_a_broken_header_of_any_length_is_read_in_little_time(unit: bytes) -> None:
    head = ADZMQ.partition(b'"FrameType"')[0]
    header = head + unit * ((MAX_HEADER_BYTES - len(head)) // len(unit))
    begin_s = time.monotonic()

    decode_array([header, PIXELS])

    assert time.monotonic() - begin_s < 2.0  # it takes some 10 ms
