"""Seeded damage to messages: bits and bytes of any, values of JSON, msgpack and CBOR."""

import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cbor2
import msgpack
import numpy as np

#: Lengths and counts that a careless reader would trust.
HUGE = (0, 1, 0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
#: Values that a field does not expect.
ODD: tuple[Any, ...] = (  # of any type
    *(None, True, False, -1, 0, 1, 2**31, 2**53, 2**63, 2**64, 2**70, -(2**70)),
    *(0.5, -0.0, 1e308, float("inf"), float("nan"), "", "0", "x" * 3000, "\x00", "\ud7ff", "{}"),
    *([], {}, [[]], [None] * 40, {"a": {}}, [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]),
)
Loads: TypeAlias = Callable[[bytes], Any]
Dumps: TypeAlias = Callable[[Any], bytes]


def damaged(data: bytes, noise: random.Random, others: Sequence[bytes]) -> bytes:
    """Flip, cut, double, insert or replace some bytes, or join parts of two messages."""
    found = bytearray(data)
    for _ in range(noise.choice((1, 1, 1, 2, 4))):
        place = noise.randrange(len(found) + 1)
        match noise.randrange(8):
            case 0 if place < len(found):
                found[place] ^= 1 << noise.randrange(8)
            case 1 if place < len(found):
                found[place] = noise.randrange(256)
            case 2:
                del found[place:]
            case 3:
                del found[place : place + noise.randint(1, 16)]
            case 4:
                found[place:place] = found[place : place + noise.randint(1, 64)]
            case 5:
                other = noise.choice(others)
                begin = noise.randrange(len(other) + 1)
                found[place:] = other[begin:]
            case 6:
                layout = noise.choice((">I", "<I", ">Q", "<Q", ">H", "<H", "B"))
                size = struct.calcsize(layout)
                number = struct.pack(layout, noise.choice(HUGE) % 256**size)
                found[place : place + size] = number
            case _:
                found[place:place] = noise.randbytes(noise.randint(1, 9))
    return bytes(found)


def altered(value: Any, noise: random.Random) -> Any:  # of any type
    """Put something odd at one place of a tree, or leave out, add or double a part of it."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    if not keys or noise.random() < 0.08:
        return _odd(value, noise)
    key = noise.choice(keys)
    match noise.randrange(8):
        case 0 if isinstance(value, dict):
            return {name: each for name, each in value.items() if name != key}
        case 1 if isinstance(value, dict):
            return value | {noise.choice(("x", "", "type", "y" * 500)): noise.choice(ODD)}
        case 0 if isinstance(value, list):
            return value[:key] + value[key + 1 :]
        case 1 if isinstance(value, list):
            return [*value, value[key]]
    found = dict(value) if isinstance(value, dict) else list(value)
    found[key] = altered(value[key], noise)
    return found


def _odd(value: Any, noise: random.Random) -> Any:
    """Give something near a value, or anything."""
    if isinstance(value, bytes) and noise.random() < 0.8:
        return damaged(value, noise, [value])
    if isinstance(value, np.ndarray):
        return noise.choice((value[:-1], value.astype("f8"), value.reshape(1, -1), value[:0]))
    if isinstance(value, int) and not isinstance(value, bool) and noise.random() < 0.4:
        return noise.choice((value + 1, value - 1, -value, value * 2**20, float(value)))
    if isinstance(value, str) and noise.random() < 0.3:
        return noise.choice((value + "x", value[:-1], value.upper(), value * 50))
    return noise.choice(ODD)


def tree_of(value: Any) -> Any:
    """Make lists and dictionaries of what a CBOR reader gives; a tag is a dictionary of two."""
    if isinstance(value, cbor2.CBORTag):
        return {"#tag": value.tag, "#value": tree_of(value.value)}
    if isinstance(value, list | tuple):
        return [tree_of(each) for each in value]
    if hasattr(value, "items"):
        return {key: tree_of(each) for key, each in value.items()}
    return value


def _tagged(value: Any) -> Any:
    if isinstance(value, dict) and "#tag" in value:
        tag = value["#tag"]
        content = _tagged(value.get("#value"))
        if type(tag) is int and 0 <= tag < 2**64:
            return cbor2.CBORTag(tag, content)
        return content
    if isinstance(value, dict):
        return {key: _tagged(each) for key, each in value.items()}
    return [_tagged(each) for each in value] if isinstance(value, list) else value


def load_cbor(data: bytes) -> Any:
    return tree_of(cbor2.loads(data))


def dump_cbor(value: Any) -> bytes:
    return cbor2.dumps(_tagged(value))


def dump_json(value: Any) -> bytes:
    return json.dumps(value, default=repr).encode("utf-8", "replace")


def dump_msgpack(value: Any) -> bytes:
    try:
        found: bytes = msgpack.packb(value)
    except (OverflowError, ValueError):  # a number that msgpack cannot hold
        found = msgpack.packb(repr(value)[:1000])
    return found


#: How the parts of a message are read and written again, by the name of their encoding.
TREES: dict[str, tuple[Loads, Dumps]] = {
    "json": (json.loads, dump_json),
    "msgpack": (msgpack.unpackb, dump_msgpack),
    "cbor": (load_cbor, dump_cbor),
}


def parts_of(
    seeds: Sequence[Sequence[bytes]], encoding: str, *, prefix: bytes = b""
) -> Callable[[random.Random], list[bytes]]:
    """Damage messages of several parts, of which the first has values in an encoding."""
    loads, dumps = TREES[encoding]
    trees = []
    for parts in seeds:
        try:
            trees.append((loads(parts[0].removeprefix(prefix)), list(parts[1:])))
        except ValueError:
            continue  # some are no valid JSON, on purpose
    firsts = [parts[0] for parts in seeds]

    def mutate(noise: random.Random) -> list[bytes]:
        if noise.random() < 0.5:
            tree, rest = noise.choice(trees)
            for _ in range(noise.choice((1, 1, 2))):
                tree = altered(tree, noise)
            found = [prefix + dumps(tree), *rest]
        else:
            found = list(noise.choice(seeds))
            place = 0 if len(found) == 1 or noise.random() < 0.7 else 1
            found[place] = damaged(found[place], noise, firsts)
        match noise.randrange(40):
            case 0:
                return found[:-1]
            case 1:
                return [*found, found[-1]]
            case 2:
                return found[::-1]
        return found

    return mutate
