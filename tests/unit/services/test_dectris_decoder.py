"""Messages of DECTRIS Stream V2 become images, or a refusal that names the field."""

import struct
import tracemalloc
from typing import Any

import cbor2
import numpy as np
import pytest
from dectris_sender import (
    GOLDEN_END,
    GOLDEN_IMAGE,
    GOLDEN_LZ4,
    Raw,
    end,
    image,
    image_array,
    item,
    message,
    pack_bslz4,
    pack_lz4,
    start,
    tagged,
)

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dectris import (
    EndMessage,
    ImageMessage,
    StartMessage,
    decode_message,
)
from lithoscope_services.sources.dectris.compression import MAX_BLOCK_BYTES, unpack
from lithoscope_services.sources.dectris.structure import MAX_DEPTH, MAX_ITEMS

EXPECTED = [[0, 1, 2], [256, 257, 65535]]
PIXELS = np.array(EXPECTED, "<u2")


def image_of(data: bytes, **how: str) -> ImageMessage:
    found = decode_message(data, **how)
    assert isinstance(found, ImageMessage)
    return found


def with_data(array: Raw) -> bytes:
    return image(1, 0, PIXELS, data={"threshold_1": array})


@pytest.mark.parametrize("data", [GOLDEN_IMAGE, GOLDEN_LZ4], ids=["plain", "lz4"])
def test_a_message_written_by_hand_gives_its_pixels(data: bytes) -> None:
    found = image_of(data)

    assert (found.series_id, found.image_id, found.series_unique_id) == (42, 7, None)
    assert found.pixels.dtype == np.dtype("<u2")
    np.testing.assert_array_equal(found.pixels, EXPECTED)


def test_the_golden_messages_are_what_a_cbor_library_reads() -> None:
    """The hand-written bytes against a decoder that somebody else wrote."""
    read = cbor2.loads(GOLDEN_IMAGE)
    full = cbor2.loads(image(3, 5, PIXELS, user_data={"kind": "flat"}))

    assert (read["series_id"], read["image_id"], read["start_time"]) == (42, 7, (1, 4))
    assert read["data"]["threshold_1"].value[1].value == PIXELS.tobytes()
    assert full["series_date"].isoformat() == "2026-11-21T10:00:05.281000+01:00"
    assert full["user_data"] == {"kind": "flat"}


@pytest.mark.parametrize("packed", ["", "lz4", "bslz4"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "<f4", ">u2", ">u4", ">f4"])
def test_each_type_in_each_packing_gives_its_pixels(dtype: str, packed: str) -> None:
    # 131 x 37 elements: several blocks, a shorter last one, and 7 elements over.
    pixels = np.random.default_rng(5).integers(0, 60, (37, 131)).astype(dtype)

    found = image_of(with_data(image_array(pixels, packed=packed))).pixels

    assert found.dtype == pixels.dtype.newbyteorder("<")
    np.testing.assert_array_equal(found, pixels)


def test_column_major_arrays_are_turned() -> None:
    found = image_of(with_data(image_array(PIXELS, column_major=True))).pixels

    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, EXPECTED)


@pytest.mark.parametrize("pack", [pack_lz4, lambda data: pack_lz4(data, copies=True)])
def test_lz4_is_unpacked_whoever_packed_it(pack: Any) -> None:  # either of the two
    data = np.arange(9000, dtype="<u2").tobytes()

    assert unpack(pack(data), "lz4", 0, n_bytes=len(data)).tobytes() == data


@pytest.mark.parametrize("block_bytes", [64, 4096, MAX_BLOCK_BYTES])
def test_blocks_may_have_any_size_that_bitshuffle_allows(block_bytes: int) -> None:
    data = np.arange(3003, dtype="<u4").tobytes()
    packed = pack_bslz4(data, 4, block_bytes=block_bytes)

    assert unpack(packed, "bslz4", 4, n_bytes=len(data)).tobytes() == data


def test_the_first_channel_is_taken_unless_another_is_named() -> None:
    data = image(1, 0, PIXELS)

    np.testing.assert_array_equal(image_of(data).pixels, EXPECTED)
    np.testing.assert_array_equal(image_of(data, channel="threshold_2").pixels, PIXELS ^ 1)
    with pytest.raises(SourceError, match="no channel 'threshold_9' but threshold_1, threshold_2"):
        decode_message(data, channel="threshold_9")


def test_the_time_of_an_exposure_is_the_date_of_its_series_and_a_ratio() -> None:
    # 2026-11-21 10:00:05.281 +01:00 is 1795251605.281 s of Unix; image 3 begins 3 / 50 s later.
    assert image_of(image(1, 3, PIXELS)).time_ns == 1_795_251_605_341_000_000
    assert image_of(image(1, 3, PIXELS, start_time=[3, 0])).time_ns is None
    assert image_of(image(1, 3, PIXELS, series_date="yesterday")).time_ns is None


def test_a_start_says_its_axes_and_what_its_pixels_mean() -> None:
    found = decode_message(start(4))

    assert isinstance(found, StartMessage)
    assert (found.axes["omega"].start_deg, found.axes["omega"].increment_deg) == (10.0, 4.5)
    assert (found.n_images, found.saturation_value, found.has_pixel_mask) == (45, 60_000, True)


def test_a_start_and_an_end_need_nothing_but_their_series() -> None:
    assert decode_message(item({"type": "start", "series_id": 3})) == StartMessage(series_id=3)
    assert decode_message(GOLDEN_END) == EndMessage(series_id=42)
    assert decode_message(end(3)) == EndMessage(
        series_id=3, series_unique_id="01GRXWT80JSDY2FNW8SGCC0003"
    )


@pytest.mark.parametrize(
    ("user_data", "expected"),
    [
        ({"kind": "flat", "theta": 1.5, "list": [1]}, {"kind": "flat", "theta": 1.5}),
        ('{"kind": "flat"}', {"kind": "flat"}),
        ("dark", {"user_data": "dark"}),
        ([1, "💙"], {}),
        (None, {}),
        (float("nan"), {}),
    ],
)
def test_user_data_are_kept_where_they_are_numbers_and_texts(
    user_data: object, expected: dict[str, object]
) -> None:
    assert image_of(image(1, 0, PIXELS, user_data=user_data)).attributes == expected


def test_an_axis_that_is_no_number_is_left_out() -> None:
    axes = {"omega": {"start": "0", "increment": 1.0}, "phi": {"start": 0, "increment": 2}}

    found = decode_message(start(1, goniometer=axes))

    assert isinstance(found, StartMessage)
    assert set(found.axes) == {"phi"}


def broken_block(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + struct.pack(">I", value) + data[place + 4 :]


RAW = PIXELS.tobytes()
LZ4 = pack_lz4(RAW, copies=True)
BSLZ4 = pack_bslz4(np.arange(64, dtype="<u2").tobytes(), 2)


@pytest.mark.parametrize(
    ("data", "algorithm", "element_bytes", "reason"),
    [
        (LZ4, "bszstd", 2, "'bszstd' is not taken"),
        (LZ4, ["lz4"], 2, "is not taken"),
        (LZ4[:11], "lz4", 0, "the header alone has 12"),
        (LZ4[:8] + struct.pack(">I", 0) + LZ4[12:], "lz4", 0, "blocks of 0 bytes"),
        (LZ4[:8] + b"\xff" * 4 + LZ4[12:], "lz4", 0, "blocks of 4294967295 bytes"),
        (LZ4[:8] + struct.pack(">I", 1) + LZ4[12:], "lz4", 0, "a block of|blocks do not fit"),
        (broken_block(LZ4, 12, 0), "lz4", 0, "a block of 0 bytes"),
        (broken_block(LZ4, 12, 2**32 - 1), "lz4", 0, "a block of 4294967295 bytes"),
        (LZ4[:-1], "lz4", 0, "a block of 13 bytes"),
        (LZ4 + b"x", "lz4", 0, "1 bytes at the end, 0 expected"),
        (LZ4[:16] + b"\xff" + LZ4[17:], "lz4", 0, "is no LZ4 of 12 bytes"),
        (struct.pack(">Q", 2**63) + LZ4[8:], "lz4", 0, "would unpack to 9223372036854775808"),
        (BSLZ4, "bslz4", 3, "elements of 3 bytes"),
        (BSLZ4, "bslz4", True, "elements of True bytes"),
        (BSLZ4[:8] + struct.pack(">I", 24) + BSLZ4[12:], "bslz4", 2, "no multiple of 16"),
        (BSLZ4[:16] + b"\xff\xff" + BSLZ4[18:], "bslz4", 2, "no LZ4 of its length"),
        (BSLZ4 + b"xx", "bslz4", 2, "2 bytes at the end, 0 expected"),
    ],
)
def test_a_damaged_packing_is_refused(
    data: bytes, algorithm: object, element_bytes: object, reason: str
) -> None:
    n_bytes = 12 if algorithm != "bslz4" else 128

    with pytest.raises(SourceError, match=f"^compression: .*({reason})"):
        unpack(data, algorithm, element_bytes, n_bytes=n_bytes)


def array_of(shape: object, typed: object, *, tag: int = 40) -> Raw:
    return tagged(tag, [shape, typed])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (Raw(item(RAW)), "bytes came"),
        (array_of([2, 3], RAW), "bytes came, pixels"),
        (array_of([2, 3], tagged(71, RAW)), "tag 71 came, pixels"),
        (array_of([2, 3], tagged(77, RAW)), "tag 77 came, pixels"),
        (array_of([2, 3], tagged(69, RAW[:-1])), "11 bytes came, 2 x 3 uint16 need 12"),
        (array_of([2, 3], tagged(69, [1, 2])), "(list|tuple) came, bytes were expected"),
        (array_of([2, 3, 1], tagged(69, RAW)), "no shape of two"),
        (array_of([2, -3], tagged(69, RAW)), "no shape of two"),
        (array_of([True, 6], tagged(69, RAW)), "no shape of two"),
        (array_of([0, 6], tagged(69, b"")), "no shape of two"),
        (array_of([2**40, 2**40], tagged(69, RAW)), "no shape of two"),
        (array_of([16384, 16384], tagged(69, RAW)), "536870912 bytes, at most"),
        (tagged(40, [[2, 3]]), "the array has no shape"),
        (tagged(40, 3), "the array has no shape"),
        (array_of([2, 3], tagged(69, tagged(56500, [1, 2]))), "no algorithm"),
    ],
)
def test_an_image_whose_sizes_do_not_fit_is_refused(array: Raw, reason: str) -> None:
    with pytest.raises(SourceError, match=f"^(data|compression): {reason}"):
        decode_message(with_data(array))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cbor: the message ends at byte 0"),
        (b"\xd9\xd9\xf7", "cbor: the message ends at byte 0"),
        (b"\x5b" + b"\xff" * 8, "cbor: a string of 18446744073709551615"),
        (b"\x9b" + b"\xff" * 8, "cbor: 18446744073709551615 parts"),
        (b"\x9f\xff", "cbor: an item without a length"),
        (b"\xfc", "cbor: an item without a length"),
        (b"\x81" * 40, "cbor: more than"),
        (item([0] * MAX_ITEMS), "cbor: more than"),
        (item({"a": tagged(28, [1])}), "cbor: tag 28"),
        (item({"a": tagged(256, ["x"])}), "cbor: tag 256"),
        (item({"a": tagged(35, "(a+)+$")}), "cbor: tag 35"),
        (item({"a": "x" * 70_000}), "cbor: a string"),
        (item({"a": 1}) + b"\x00", "cbor: 1 bytes follow"),
        (b"\xa2" + item("a") + b"\x01" + item("a") + b"\x02", "cbor: .*Duplicate"),
        (b"\xa1\x80\x01", "cbor: "),
        (b"\xa1\x61\xff\x01", "cbor: "),
        (item({"type": tagged(0, "no date"), "series_id": 1}), "cbor: .*date"),
        (item([1]), "cbor: list came, a map"),
        (item({"series_id": 1}), "type: 'None' came"),
        (item({"type": "dheader-1.0", "series_id": 1}), "type: 'dheader-1.0' came"),
        (item({"type": "end"}), "series_id: None came"),
        (item({"type": "end", "series_id": -1}), "series_id: -1 came"),
        (item({"type": "end", "series_id": 1.0}), "series_id: 1.0 came"),
        (item({"type": "end", "series_id": 1, "series_unique_id": 5}), "series_unique_id: int"),
        (image(1, 0, PIXELS, image_id=None), "image_id: None came"),
        (image(1, 0, PIXELS, image_id=2**64 - 1), "image_id: 18446744073709551615 came"),
        (image(1, 0, PIXELS, data=None), "data: no map of channels"),
        (image(1, 0, PIXELS, data={}), "data: no map of channels"),
    ],
)
def test_what_is_no_message_is_refused_by_the_name_of_its_field(data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=f"^{reason}"):
        decode_message(data)


def test_levels_up_to_the_limit_are_taken() -> None:
    nested: object = 1
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]

    assert decode_message(message({"type": "end", "series_id": 1, "x": nested})) == EndMessage(
        series_id=1
    )


@pytest.mark.parametrize(
    "data",
    [
        item([[]] * 1_000_000),
        with_data(array_of([16384, 16384], tagged(64, tagged(56500, ["lz4", 0, LZ4])))),
        with_data(array_of([16000, 16000], tagged(64, tagged(56500, ["bslz4", 1, BSLZ4])))),
    ],
    ids=["items", "lz4", "bslz4"],
)
def test_a_short_message_that_pretends_to_be_large_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SourceError):
            decode_message(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The message without its first bytes, the lengths of its blocks, and little more.
    assert peak_bytes < len(data) + 2**20
