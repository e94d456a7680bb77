"""Messages of a DECTRIS detector for tests, put together byte by byte from the specifications.

RFC 8949 (CBOR), RFC 8746 (arrays), Stream V2, and the framing of the HDF5 filters for LZ4 and
bitshuffle; from nothing of ours and from no CBOR library. Packed blocks are LZ4 of literals alone,
or of numcodecs, which the source does not use for bitshuffle.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numcodecs.lz4
import numpy as np
from foreign import Sent
from numpy.typing import NDArray

#: What the detector's own library writes before each message.
SELF_DESCRIBED = bytes.fromhex("d9d9f7")
#: Tags of RFC 8746 by type, little-endian.
TAGS = {"u1": 64, "<u2": 69, "<u4": 70, "<f4": 85, ">u2": 65, ">u4": 66, ">f4": 81}
BLOCK_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Raw:
    """An item that is already written."""

    data: bytes


def head(major: int, value: int) -> bytes:
    """Write the head of an item with as few bytes as hold its value."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, layout in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if value < 1 << (8 * struct.calcsize(layout)):
            return bytes([major << 5 | info]) + struct.pack(layout, value)
    raise ValueError(value)


def item(value: Any) -> bytes:  # whatever a message may hold
    """Write an item."""
    match value:
        case Raw():
            return value.data
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case None:
            return b"\xf6"
        case Mapping():
            parts = [item(key) + item(each) for key, each in value.items()]
            return head(5, len(value)) + b"".join(parts)
        case Sequence():
            return head(4, len(value)) + b"".join(map(item, value))
    raise TypeError(type(value))


def tagged(tag: int, value: Any) -> Raw:
    """Write an item with a tag."""
    return Raw(head(6, tag) + item(value))


def message(found: Mapping[str, Any]) -> bytes:
    return SELF_DESCRIBED + item(found)


def image_array(pixels: NDArray[Any], *, packed: str = "", column_major: bool = False) -> Raw:
    """Write an array of several dimensions: tag 40 or 1040 of shape and typed array."""
    stored = pixels.dtype.str.replace("|", "")
    data = pixels.tobytes(order="F" if column_major else "C")
    content: Any = data
    if packed == "lz4":
        content = tagged(56500, ["lz4", 0, pack_lz4(data)])
    elif packed == "bslz4":
        width = pixels.dtype.itemsize
        content = tagged(56500, ["bslz4", width, pack_bslz4(data, width)])
    typed = tagged(TAGS[stored], content)
    return tagged(1040 if column_major else 40, [list(pixels.shape), typed])


def literals(data: bytes) -> bytes:
    """Write an LZ4 block that copies: a token, the length in steps of 255, the bytes."""
    n = len(data)
    if n < 15:
        return bytes([n << 4]) + data
    return b"\xf0" + b"\xff" * ((n - 15) // 255) + bytes([(n - 15) % 255]) + data


def squeezed(data: bytes) -> bytes:
    """Write an LZ4 block that is shorter where it can be."""
    return bytes(numcodecs.lz4.compress(data))[4:]


def pack_lz4(data: bytes, *, block_bytes: int = BLOCK_BYTES, copies: bool = False) -> bytes:
    """Pack as the LZ4 filter of HDF5 does; a block that would grow is stored as it is."""
    out = struct.pack(">QI", len(data), block_bytes)
    for begin in range(0, len(data), block_bytes):
        block = data[begin : begin + block_bytes]
        packed = literals(block) if copies else squeezed(block)
        packed = block if len(packed) >= len(block) and not copies else packed
        out += struct.pack(">I", len(packed)) + packed
    return out


def bits_turned(data: bytes, width: int) -> bytes:
    """Put first bits of all elements first, then second bits: bitshuffle of one block."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").reshape(-1, 8 * width)
    return np.packbits(bits.T, bitorder="little").tobytes()


def pack_bslz4(
    data: bytes, width: int, *, block_bytes: int = BLOCK_BYTES, copies: bool = False
) -> bytes:
    """Pack as the bitshuffle filter of HDF5 does; less than eight elements at the end stay raw."""
    out = struct.pack(">QI", len(data), block_bytes)
    n_left = len(data) % (8 * width)
    for begin in range(0, len(data) - n_left, block_bytes):
        block = data[begin : min(begin + block_bytes, len(data) - n_left)]
        turned = bits_turned(block, width)
        packed = literals(turned) if copies else squeezed(turned)
        out += struct.pack(">I", len(packed)) + packed
    return out + data[len(data) - n_left :]


def name_of(series: int) -> str:
    return f"01GRXWT80JSDY2FNW8SGCC{series:04d}"


def start(series: int, **more: Any) -> bytes:
    """Write a start message with what detail "basic" has."""
    found: dict[str, Any] = {
        "type": "start",
        "series_id": series,
        "series_unique_id": name_of(series),
        "arm_date": tagged(0, f"2026-11-21T10:{series:02d}:00.250+01:00"),
        "beam_center_x": 3.0,
        "channels": ["threshold_1", "threshold_2"],
        "goniometer": {
            "omega": {"increment": 4.5, "start": 10.0},
            "chi": {"increment": 0.0, "start": 90.0},
        },
        "image_dtype": "uint16",
        "number_of_images": 45,
        "pixel_mask_enabled": True,
        "saturation_value": 60_000,
        "threshold_energy": {"threshold_1": 8000.0, "threshold_2": 16_000.0},
        "user_data": None,
    }
    return message(found | more)


def image(series: int, number: int, pixels: NDArray[Any], packed: str = "", **more: Any) -> bytes:
    """Write an image message of two channels."""
    found: dict[str, Any] = {
        "type": "image",
        "series_id": series,
        "series_unique_id": name_of(series),
        "image_id": number,
        "real_time": [999_995, 50_000_000],
        "series_date": tagged(0, "2026-11-21T10:00:05.281+01:00"),
        "start_time": [number * 1_000_000, 50_000_000],
        "stop_time": [number * 1_000_000 + 999_995, 50_000_000],
        "user_data": [1, "💙"],
        "data": {
            "threshold_1": image_array(pixels, packed=packed),
            "threshold_2": image_array(pixels ^ 1 if pixels.dtype.kind == "u" else pixels),
        },
    }
    return message(found | more)


def end(series: int) -> bytes:
    return message({"type": "end", "series_id": series, "series_unique_id": name_of(series)})


def series_of(frames: Sequence[Sent], series: int) -> list[bytes]:
    """Write a scan as one series: numbers count through darks, flats and projections."""
    packings = ("", "bslz4", "lz4")
    images = [
        image(series, number, frame.pixels, packings[number % 3])
        for number, frame in enumerate(frames)
    ]
    return [start(series), *images, end(series)]


#: A whole message of two rows of three columns, written out by hand: 0, 1, 2 and 256, 257, 65535.
GOLDEN_IMAGE = bytes.fromhex(
    "d9d9f7"  # self-described CBOR
    "a5"  # a map of 5
    "6474797065" "65696d616765"  # "type": "image"
    "697365726965735f6964" "182a"  # "series_id": 42
    "68696d6167655f6964" "07"  # "image_id": 7
    "6a73746172745f74696d65" "82" "01" "04"  # "start_time": [1, 4]
    "6464617461" "a1"  # "data": a map of 1
    "6b7468726573686f6c645f31"  # "threshold_1":
    "d828" "82" "820203"  # tag 40 [[2, 3],
    "d845" "4c" "000001000200" "00010101ffff"  # tag 69, 12 bytes]
)  # fmt: skip
#: The same, packed: 12 bytes are one block of LZ4 that copies 12 literals.
GOLDEN_LZ4 = GOLDEN_IMAGE[: -12 - 1] + bytes.fromhex(
    "d9dcb4" "83" "636c7a34" "00"  # tag 56500 ["lz4", 0,
    "581d" "000000000000000c" "0000000c" "0000000d" "c0" "00000100020000010101ffff"
)  # fmt: skip
GOLDEN_END = SELF_DESCRIBED + bytes.fromhex(
    "a2" "6474797065" "63656e64" "697365726965735f6964" "182a"
)  # fmt: skip
