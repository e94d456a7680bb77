"""Decode Bluesky documents from 0MQ: bytes in, one checked document out, and never pickle.

A message of bluesky's Publisher is ``prefix, space, name, space, payload``. The payload is what
its ``serializer`` made: JSON or msgpack are read here; pickle, its default, is refused unread.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import event_model
import msgpack
import numpy as np

from lithoscope_services.errors import SourceError

Encoding = Literal["json", "msgpack"]
#: As many as ingest takes of one document.
MAX_BYTES = 2**20
MAX_DEPTH = 32
#: Checking against the schemas takes about 50 µs an object.
MAX_OBJECTS = 5000
MAX_ITEMS = 100_000
MAX_TEXT = 160
#: Pickle of protocol 2 and later begins with this.
_PICKLE = b"\x80"
_VALIDATORS = {name.name: each for name, each in event_model.schema_validators.items()}
#: Frames of these are found by handlers of a site, which would be code of others.
_OLD = frozenset({"resource", "datum", "datum_page", "bulk_datum", "bulk_events"})
_NO_NAME = re.compile(r"[^\w\-]")
_NUMPY_KEYS = ({b"nd", b"type", b"data"}, {b"nd", b"type", b"kind", b"shape", b"data"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """A document that keeps to the schema of its kind.

    Parameters
    ----------
    name
        ``start``, ``descriptor``, ``event``, ``event_page``, ``stream_resource``,
        ``stream_datum`` or ``stop``.
    body
        Of plain texts, numbers, lists and mappings; ``Any`` because only the schema was looked at.
    """

    name: str
    body: Mapping[str, Any]

    @property
    def uid(self) -> str:
        """What is unique to it."""
        return str(self.body["uid"])

    @property
    def text(self) -> str:
        """Write it as JSON."""
        return json.dumps(self.body)


def decode_document(
    message: bytes, *, documents: Encoding, prefix: bytes = b""
) -> Document | None:
    """Decode one message.

    Parameters
    ----------
    message
        As it was received: one part.
    documents
        How the payload is written.
    prefix
        Of the publishers that are listened to; empty takes all.

    Returns
    -------
    Document or None
        None if it is of another publisher.

    Raises
    ------
    SourceError
        If it is no document; the text begins with the field that is wrong.
    """
    parts = message.split(b" ", 2)
    if len(parts) != 3:
        raise SourceError("message: prefix, name and document were expected, parted by spaces")
    if prefix and parts[0] != prefix:
        return None
    name, payload = _name(parts[1]), parts[2]
    if len(payload) > MAX_BYTES:
        raise SourceError(f"{name}: {len(payload)} bytes, at most {MAX_BYTES} are taken")
    if payload.startswith(_PICKLE) and payload.endswith(b"."):
        raise SourceError(
            f"{name}: this is a pickle, which is never read; give the publisher a serializer of "
            f"{documents}"
        )
    return _checked(name, _parse(name, payload, documents))


def check_document(name: str, body: object) -> Document:
    """Take a document that came without a wire, with NumPy's numbers made plain.

    Raises
    ------
    SourceError
        If it is no document; the text begins with the field that is wrong.
    """
    document = _checked(_name(name.encode()), body)
    size = len(document.text)
    if size > MAX_BYTES:
        raise SourceError(f"{name}: {size} bytes, at most {MAX_BYTES} are taken")
    return document


def _name(found: bytes) -> str:
    name = found[:64].decode("utf-8", "replace")
    if name in _OLD:
        raise SourceError(
            f"{name}: such documents are not taken; use detectors that emit stream_resource and "
            "stream_datum, as ophyd-async does"
        )
    if name not in _VALIDATORS:
        raise SourceError(f"name: {name!r} is no document of Bluesky")
    return name


def _parse(name: str, payload: bytes, documents: Encoding) -> Any:  # nothing of it is known yet
    try:
        if documents == "json":
            return json.loads(payload)
        return msgpack.unpackb(
            payload, raw=False, max_array_len=MAX_ITEMS, max_map_len=MAX_OBJECTS
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise SourceError(
            f"{name}: no {documents} ({_short(error)}); check `documents` in [source] and the "
            "publisher's serializer"
        ) from error


def _checked(name: str, found: object) -> Document:
    body = _Plain(name).mapping(found)
    try:
        error = next(_VALIDATORS[name].iter_errors(body), None)
    except RecursionError as cause:
        raise SourceError(f"{name}: nested too deep") from cause
    if error is not None:
        path = name
        for part in error.absolute_path:
            path = _field(path, part)
        raise SourceError(f"{path}: {_short(error.message)}")
    if name != "event_page" and not 1 <= len(body["uid"]) <= MAX_TEXT:
        raise SourceError(f"{name}.uid: {_short(repr(body['uid']))}, 1 to {MAX_TEXT} characters")
    return Document(name=name, body=body)


class _Plain:
    """Makes a copy of plain values alone, of bounded depth and size."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._n_objects = 0
        self._n_items = 0

    def mapping(self, found: object) -> dict[str, Any]:
        """Copy a document."""
        if not isinstance(found, dict):
            raise SourceError(f"{self._name}: an object was expected, {type(found).__name__} came")
        copied: dict[str, Any] = self._of(found, self._name, 0)
        return copied

    def _of(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            # First, for NumPy's float64 is a float too.
            return self._array(np.asarray(value), path)
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if depth >= MAX_DEPTH:
            raise SourceError(f"{path}: nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            return self._dict(value, path, depth)
        if isinstance(value, list | tuple | set):
            self._n_items += len(value)
            if self._n_items > MAX_ITEMS:
                raise SourceError(f"{path}: more than {MAX_ITEMS} items")
            return [self._of(each, path, depth + 1) for each in value]
        raise SourceError(f"{path}: {type(value).__name__} is not taken")

    def _dict(self, value: dict[Any, Any], path: str, depth: int) -> Any:
        self._n_objects += 1
        if self._n_objects > MAX_OBJECTS:
            raise SourceError(f"{path}: more than {MAX_OBJECTS} objects")
        if b"nd" in value:
            return self._array(_numpy_value(value, path), path)
        copied = {}
        for key, each in value.items():
            if not isinstance(key, str):
                raise SourceError(f"{path}: a key that is no text, {_short(repr(key))}")
            copied[key] = self._of(each, _field(path, key), depth + 1)
        return copied

    def _array(self, value: "np.ndarray[Any, Any]", path: str) -> Any:
        self._n_items += value.size
        if value.dtype.kind not in "biufU" or self._n_items > MAX_ITEMS:
            raise SourceError(f"{path}: an array of {value.size} {value.dtype} is not taken")
        return value.tolist()


def _numpy_value(value: dict[Any, Any], path: str) -> "np.ndarray[Any, Any]":
    """Read a number or array as msgpack-numpy writes them; its objects are pickles, so only these.

    Raises
    ------
    SourceError
        If it is none.
    """
    kind, data = value.get(b"type"), value.get(b"data")
    if set(value) not in _NUMPY_KEYS or not isinstance(kind, str) or not isinstance(data, bytes):
        raise SourceError(f"{path}: an array that is not taken")
    if len(kind) != 3 or kind[1] not in "biuf" or kind[2] not in "1248":
        raise SourceError(f"{path}: an array of {_short(kind)} is not taken")
    try:
        found = np.frombuffer(data, np.dtype(kind))
        shape = value.get(b"shape", [] if found.size == 1 else [found.size])
        return found.reshape([int(side) for side in shape])
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{path}: an array that is none ({_short(error)})") from error


def _field(path: str, part: object) -> str:
    """Name a field of a field; a key may be any text, and this one goes into accounts."""
    return f"{path}.{_NO_NAME.sub('_', str(part)[:MAX_TEXT])}"[:MAX_TEXT]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
