"""Documents are decoded from bytes, and refused by the field that is wrong."""

import json
import pickle
from typing import Any

import msgpack
import msgpack_numpy
import numpy as np
import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.bluesky import check_document, decode_document
from lithoscope_services.sources.bluesky.decoder import Encoding

DATUM = {
    "uid": "resource/0",
    "descriptor": "stream",
    "stream_resource": "resource",
    "indices": {"start": 0, "stop": 3},
    "seq_nums": {"start": 1, "stop": 4},
}
START = {"uid": "run", "time": 1.5, "lithoscope_scan": 3}


def packed(name: str, document: Any, documents: Encoding = "json", prefix: bytes = b"") -> bytes:
    payload = json.dumps(document).encode() if documents == "json" else msgpack.packb(document)
    return b" ".join([prefix, name.encode(), payload])


@pytest.mark.parametrize("documents", ["json", "msgpack"])
def test_a_document_comes_out_as_it_was_written(documents: Encoding) -> None:
    found = decode_document(packed("stream_datum", DATUM, documents), documents=documents)

    assert found is not None
    assert (found.name, found.body, found.uid) == ("stream_datum", DATUM, "resource/0")
    assert json.loads(found.text) == DATUM


def test_another_publisher_is_not_listened_to() -> None:
    message = packed("start", START, prefix=b"other")

    assert decode_document(message, documents="json", prefix=b"ours") is None
    assert decode_document(message, documents="json") is not None


def deep(n: int) -> Any:
    return {"a": deep(n - 1)} if n else 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (b"", "message"),
        (b"start {}", "message"),
        (b" nothing {}", "name"),
        (b" resource {}", "resource"),
        (b" datum {}", "datum"),
        (b" start {", "start"),
        (b" start []", "start"),
        (b" start " + pickle.dumps(START), "start"),
        (b" start " + b"[" * 100_000, "start"),
        (b" start " + b" " * (2**20 + 1), "start"),
        (packed("start", {"uid": "a"}), "start"),
        (packed("start", START | {"deep": deep(100)}), "start.deep"),
        (packed("start", START | {"many": [{}] * 6000}), "start.many"),
        (packed("start", START | {"uid": ""}), "start.uid"),
        (packed("stream_datum", DATUM | {"indices": {"start": "0"}}), "stream_datum.indices"),
        (packed("stream_datum", DATUM | {"seq_nums": 3}), "stream_datum.seq_nums"),
    ],
)
def test_what_is_no_document_is_refused_by_its_field(message: bytes, field: str) -> None:
    with pytest.raises(SourceError) as caught:
        decode_document(message, documents="json")

    assert str(caught.value).partition(":")[0].startswith(field)


def test_numbers_of_numpy_are_made_plain_and_its_pickles_are_not() -> None:
    body = {"uid": "a", "time": np.float64(2.5), "list": np.arange(3), "n": np.int16(4)}
    found = check_document("start", body)
    wired = b" start " + msgpack.packb(body, default=msgpack_numpy.encode)
    trap = {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": pickle.dumps([1])}

    assert found.body == {"uid": "a", "time": 2.5, "list": [0, 1, 2], "n": 4}
    assert type(found.body["time"]) is float
    same = decode_document(wired, documents="msgpack")
    assert same is not None
    assert same.body == found.body
    with pytest.raises(SourceError, match=r"start\.list: an array"):
        decode_document(b" start " + msgpack.packb(START | {"list": trap}), documents="msgpack")


def test_a_document_of_the_engine_is_copied() -> None:
    inner = [1, 2]

    found = check_document("start", START | {"list": inner})
    inner.append(3)

    assert found.body["list"] == [1, 2]
