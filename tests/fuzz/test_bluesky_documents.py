"""Mutated documents: no crash, no hang, no growth of memory, and each rejection names a field."""

import json
import random
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from bluesky_lab import taken

from lithoscope_messages import ExpectedCount
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky import decode_document
from lithoscope_services.sources.bluesky.decoder import Encoding
from lithoscope_services.sources.bluesky.frames import Frames
from lithoscope_services.sources.bluesky.runs import Runs

FIELD = re.compile(r"[\w.\-]{1,180}: \S.*", re.DOTALL)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "x" * 3000,
    [],
    {},
    [[]],
    {"a": {}},
)
EXPECTED = (ExpectedCount(kind="projection", count=40),)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    found = taken(tmp_path_factory.mktemp("detector"), "fuzzed")[0]
    return [*found[:20], *found[-20:]]


def packed(name: str, document: Any, documents: Encoding) -> bytes:
    payload = json.dumps(document).encode() if documents == "json" else pack(document)
    return b" ".join([b"", name.encode(), payload])


def pack(document: Any) -> bytes:
    try:
        found: bytes = msgpack.packb(document)
    except (OverflowError, ValueError):  # too large a number
        found = msgpack.packb(str(document))
    return found


def mutated(message: bytes, noise: random.Random) -> bytes:
    """Flip, cut, double or replace some bytes."""
    found = bytearray(message)
    for _ in range(noise.randint(1, 4)):
        place = noise.randrange(len(found) + 1)
        match noise.randrange(4):
            case 0 if found:
                found[place % len(found)] ^= 1 << noise.randrange(8)
            case 1:
                del found[place : place + noise.randrange(20)]
            case 2:
                found[place:place] = noise.randbytes(noise.randrange(1, 9))
            case _:
                found[place:place] = found[noise.randrange(len(found) + 1) :][:40]
    return bytes(found)


def altered(document: Any, noise: random.Random) -> Any:
    """Put something odd at one place of a document."""
    if isinstance(document, dict) and document and noise.random() < 0.9:
        key = noise.choice(sorted(document))
        return document | {key: altered(document[key], noise)}
    return noise.choice(ODD)


def messages(
    documents: list[tuple[str, dict[str, Any]]], encoding: Encoding, n: int
) -> Iterator[bytes]:
    noise = random.Random(7)
    for _ in range(n):
        name, document = noise.choice(documents)
        if noise.random() < 0.5:
            yield packed(name, altered(document, noise), encoding)
        else:
            yield mutated(packed(name, document, encoding), noise)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_mutated_messages_are_documents_or_are_refused_by_a_field(
    documents: list[tuple[str, dict[str, Any]]], encoding: Encoding, is_soak: bool
) -> None:
    n = 100_000 if is_soak else 2_000
    slowest_s, n_refused, half_bytes = 0.0, 0, 0
    nameless: list[str] = []

    tracemalloc.start()
    for place, message in enumerate(messages(documents, encoding, n)):
        if place == n // 2:
            half_bytes = tracemalloc.get_traced_memory()[0]
        begun_s = time.monotonic()
        try:
            decode_document(message, documents=encoding)
        except SourceError as error:
            n_refused += 1
            nameless += [] if FIELD.fullmatch(str(error)) else [str(error)]
        slowest_s = max(slowest_s, time.monotonic() - begun_s)
    grown_bytes = tracemalloc.get_traced_memory()[0] - half_bytes
    tracemalloc.stop()

    assert nameless == []
    assert n_refused > n // 4
    # The largest message that is taken at all is checked in a quarter of a second.
    assert slowest_s < 1.0
    assert grown_bytes < 2**20


def test_documents_that_keep_to_their_schema_and_mean_nothing_are_refused_by_a_field(
    documents: list[tuple[str, dict[str, Any]]], is_soak: bool, tmp_path: Path
) -> None:
    settings = SourceSettings(kind="bluesky", address="ipc:///nobody", folder=str(tmp_path))
    noise = random.Random(9)
    n_taken = 0
    nameless: list[str] = []

    for _ in range(1000 if is_soak else 20):
        runs = Runs(experiment="fuzzed", settings=settings)
        for place, (name, document) in enumerate(documents):
            one = document if noise.random() < 0.8 else altered(document, noise)
            try:
                decoded = decode_document(packed(name, one, "json"), documents="json")
                if decoded is not None:
                    n_taken += len(runs.take(decoded, float(place)))
            except SourceError as error:
                nameless += [] if FIELD.fullmatch(str(error)) else [str(error)]
        for run in runs.under_way.values():
            frames = Frames(run=run, expected=EXPECTED)
            frames.announced()
            frames.fetched(lambda resource: range(50))
            frames.left_over(lambda resource: range(50))

    assert nameless == []
    assert n_taken > 0
