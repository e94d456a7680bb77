"""An NTNDArray becomes a frame, or the field that is wrong is named."""

import struct
from typing import Any

import bitshuffle
import numcodecs.blosc
import numcodecs.lz4
import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.pva import decode_ndarray

SHAPE = (64, 96)
PIXELS = np.random.default_rng(3).integers(0, 4096, SHAPE, np.uint16)
UINT16, UINT8 = 6, 5


def image(pixels: NDArray[Any] = PIXELS, **changes: Any) -> dict[str, Any]:
    """Fields as p4p gives them."""
    fields: dict[str, Any] = {
        "value": pixels.ravel(),
        "codec": {"name": "", "parameters": None},
        "uncompressedSize": pixels.nbytes,
        "uniqueId": 17,
        "dataTimeStamp": stamp(1_795_000_000, 5),
        "timeStamp": stamp(1_795_000_001),
        "dimension": [{"size": side, "offset": 0} for side in pixels.shape[::-1]],
        "attribute": [
            {"name": "SaveDest", "value": "/exchange/data"},
            {"name": "SampleRotary", "value": 1.5},
            {"name": "IsGood", "value": True},
            {"name": "Profile", "value": np.zeros(3)},
        ],
    }
    return fields | changes


def stamp(seconds: int, nanoseconds: int = 0) -> dict[str, int]:
    return {"secondsPastEpoch": seconds, "nanoseconds": nanoseconds, "userTag": 0}


def packed(data: bytes, name: str, number: object = UINT16) -> dict[str, Any]:
    codec = {"name": name, "parameters": number}
    return image(value=np.frombuffer(data, np.uint8), codec=codec)


def lz4(data: bytes) -> bytes:
    return bytes(numcodecs.lz4.compress(data)[4:])


def test_the_first_dimension_counts_columns() -> None:
    frame = decode_ndarray(image())

    np.testing.assert_array_equal(frame.pixels, PIXELS)
    assert frame.number == 17
    assert frame.attributes == {"SaveDest": "/exchange/data", "SampleRotary": 1.5}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_pixels_of_each_type_are_taken(dtype: str) -> None:
    pixels = PIXELS.astype(dtype)

    assert decode_ndarray(image(pixels)).pixels.dtype == np.dtype(dtype)


def test_bitshuffled_blocks_without_a_header_are_unpacked() -> None:
    data = bitshuffle.compress_lz4(PIXELS).tobytes()

    np.testing.assert_array_equal(decode_ndarray(packed(data, "bslz4")).pixels, PIXELS)


def test_bitshuffled_blocks_with_the_header_of_hdf5_are_unpacked() -> None:
    block_bytes = 4096
    blocks = bitshuffle.compress_lz4(PIXELS, block_bytes // 2).tobytes()
    data = struct.pack(">QI", PIXELS.nbytes, block_bytes) + blocks

    np.testing.assert_array_equal(decode_ndarray(packed(data, "bslz4")).pixels, PIXELS)


def test_an_lz4_block_is_unpacked() -> None:
    data = lz4(PIXELS.tobytes())

    np.testing.assert_array_equal(decode_ndarray(packed(data, "lz4")).pixels, PIXELS)


def test_an_lz4_block_with_the_header_of_hdf5_is_unpacked() -> None:
    block = lz4(PIXELS.tobytes())
    data = struct.pack(">QII", PIXELS.nbytes, PIXELS.nbytes, len(block)) + block

    np.testing.assert_array_equal(decode_ndarray(packed(data, "lz4")).pixels, PIXELS)


@pytest.mark.parametrize("inner", [b"lz4", b"zstd", b"zlib", b"blosclz"])
def test_blosc_is_unpacked(inner: bytes) -> None:
    data = bytes(numcodecs.blosc.compress(PIXELS, inner, 5, numcodecs.blosc.BITSHUFFLE))

    np.testing.assert_array_equal(decode_ndarray(packed(data, "blosc")).pixels, PIXELS)


def test_the_type_of_packed_pixels_may_stand_in_a_structure() -> None:
    data = lz4(PIXELS.tobytes())

    frame = decode_ndarray(packed(data, "lz4", {"value": UINT16}))

    np.testing.assert_array_equal(frame.pixels, PIXELS)


BLOSC = bytes(numcodecs.blosc.compress(PIXELS // 512, b"lz4", 5, numcodecs.blosc.SHUFFLE))
BSLZ4 = bitshuffle.compress_lz4(PIXELS).tobytes()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (image(value=None), "value: NoneType"),
        (image(value=PIXELS.ravel()[1:]), "value: 6143 pixels"),
        (image(PIXELS.astype(np.int16)), "value: pixels of int16"),
        (image(PIXELS.astype(np.float64)), "value: pixels of float64"),
        (image(dimension=[]), "dimension"),
        (image(dimension=[{"size": 96}]), "dimension"),
        (image(dimension=[{"size": 96}, {"size": -64}]), "dimension"),
        (image(dimension=[{"size": 3}, {"size": 96}, {"size": 64}]), "dimension"),
        (image(dimension=[{"size": True}, {"size": 64}]), "dimension"),
        (image(dimension=None), "dimension"),
        (image(attribute=[{"name": "ColorMode", "value": 2}]), "ColorMode: 2"),
        (image(attribute=[{}] * 1000), "attribute"),
        (image(uniqueId=None), "uniqueId"),
        (image(uniqueId=2**40), "uniqueId"),
        (image(codec=3), "codec"),
        (packed(b"", "jpeg", UINT8), "codec: 'jpeg' loses counts"),
        (packed(b"", "zlib"), "codec: 'zlib' is not taken"),
        (packed(b"", "lz4"), "compression"),
        (packed(b"x" * 40, "lz4"), "compression: no LZ4"),
        (packed(lz4(PIXELS.tobytes()[2:]), "lz4"), "compression: no LZ4"),
        (packed(BSLZ4[:-3], "bslz4"), "compression"),
        (packed(BSLZ4, "bslz4", 10), "codec: pixels of type 10"),
        (packed(BSLZ4, "bslz4", None), "codec: pixels of type None"),
        (packed(BLOSC[:-1], "blosc"), "compression: blosc"),
        (packed(BLOSC[:9], "blosc"), "compression: 9 bytes"),
        (packed(BLOSC[:16] + b"\xff" * (len(BLOSC) - 16), "blosc"), "compression: no blosc"),
        (packed(BLOSC, "blosc", UINT8), "compression: blosc"),
        (image(codec={"name": "lz4", "parameters": UINT16}), "value: bytes were expected"),
    ],
)
def test_what_cannot_be_taken_names_its_field(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SourceError) as caught:
        decode_ndarray(fields)

    assert str(caught.value).startswith(text)


def test_a_counter_that_ran_over_goes_on() -> None:
    assert decode_ndarray(image(uniqueId=-(2**31))).number == 2**31


@pytest.mark.parametrize(
    ("of_data", "of_server", "expected_s"),
    [
        (stamp(1_795_000_000), stamp(1_795_000_001), 1_795_000_000),
        (stamp(0), stamp(1_795_000_001), 1_795_000_001),
        (stamp(1_795_000_000), stamp(0), 1_795_000_000),
        (stamp(1_795_000_000 - 631_152_000), stamp(1_795_000_001), 1_795_000_001),
        (stamp(4711), None, None),
    ],
    ids=["both", "server", "data", "epics-epoch", "none"],
)
def test_the_time_is_that_of_a_clock_that_was_set(
    of_data: object, of_server: object, expected_s: int | None
) -> None:
    frame = decode_ndarray(image(dataTimeStamp=of_data, timeStamp=of_server))

    assert frame.time_ns == (None if expected_s is None else expected_s * 10**9)
