"""Listen to Bluesky documents."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from lithoscope_services.beamline.metadata import (
    DISTANCE_MM,
    ENERGY_KEV,
    EXPECTED,
    VOXEL_SIZE_UM,
    parse_stream_name,
)
from lithoscope_services.errors import SourceError
from lithoscope_services.listen.finding import COUNTS, VOXEL, Need, SourceFinding
from lithoscope_services.sources.bluesky.decoder import Document, decode_document

_DIALECT = "Bluesky documents"
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_SAID = {
    VOXEL_SIZE_UM: "scan.voxel_size_um",
    ENERGY_KEV: "scan.energy_keV",
    DISTANCE_MM: "scan.distance_mm",
}


class DocumentListener:
    """Takes messages of a bluesky-0MQ-proxy."""

    def __init__(self) -> None:
        self._documents: list[Document] = []
        self._encodings: Counter[str] = Counter()
        self._refused: list[str] = []

    def take(self, parts: Sequence[bytes], at_s: float) -> None:
        """Note a message; one that cannot be read is counted."""
        del at_s  # documents have no pace that matters
        message = b"".join(parts)
        payload = message.split(b" ", 2)[-1]
        if payload.startswith(_PICKLES) and payload.endswith(b"."):
            self._encodings["pickle"] += 1
            return
        encoding: Literal["json", "msgpack"] = "json" if payload[:1] == b"{" else "msgpack"
        try:
            document = decode_document(message, documents=encoding)
        except SourceError as error:
            self._refused.append(str(error))
            return
        self._encodings[encoding] += 1
        if document is not None:
            self._documents.append(document)

    def finding(self, place: str, now_s: float) -> SourceFinding:
        """Say what was heard."""
        del now_s
        if not self._documents:
            reason = (
                "the publisher writes pickles, which are never read"
                if (self._encodings["pickle"])
                else (self._refused[-1] if self._refused else "no document came")
            )
            return SourceFinding(
                place=place,
                dialect=_DIALECT,
                unsupported=f"{reason}; give the publisher a serializer, such as "
                'Publisher("tcp://127.0.0.1:5577", serializer=msgpack.packb)',
                n_heard=sum(self._encodings.values()),
            )
        encoding = next(iter(self._encodings))
        start = self._last("start")
        streams = [str(each.body.get("name", "")) for each in self._of("descriptor")]
        shape, dtype = self._frames()
        settings: dict[str, object] = {"source.kind": "bluesky", "source.documents": encoding}
        settings |= {key: start[name] for name, key in _SAID.items() if _is_number(start, name)}
        folder = self._folder()
        needs: list[Need] = []
        if folder is not None:
            settings["source.folder"] = folder
        else:
            supply = "--folder DIR, or let a run take a frame while this listens"
            what = "the folder below which detectors write"
            needs.append(Need(key="source.folder", what=what, supply=supply))
        kind_from, has_counts = _kind(streams, start)
        if not has_counts:
            needs.append(COUNTS)
        if "scan.voxel_size_um" not in settings:
            needs.append(VOXEL)
        counts = Counter(each.name for each in self._documents)
        notes = (", ".join(f"{count} {name}" for name, count in counts.items()),)
        return SourceFinding(
            place=place,
            dialect=f"{_DIALECT} ({encoding})",
            frame_shape=shape,
            dtype=dtype,
            n_heard=len(self._documents),
            kind_from=kind_from,
            theta_from=self._theta(start),
            settings=settings,
            needs=tuple(needs),
            notes=notes,
        )

    def _of(self, name: str) -> list[Document]:
        return [each for each in self._documents if each.name == name]

    def _last(self, name: str) -> Mapping[str, Any]:  # of a document
        found = self._of(name)
        return found[-1].body if found else {}

    def _keys(self) -> dict[str, Mapping[str, Any]]:
        """Give all data keys by name."""
        return {
            name: key
            for each in self._of("descriptor")
            for name, key in each.body.get("data_keys", {}).items()
        }

    def _frames(self) -> tuple[tuple[int, int] | None, str]:
        for key in self._keys().values():
            shape = [side for side in key.get("shape", ()) if isinstance(side, int)]
            if "external" in key and len(shape) >= 2 and min(shape[-2:]) > 1:
                return (shape[-2], shape[-1]), str(key.get("dtype_numpy", "")).lstrip("<|>")
        return None, ""

    def _folder(self) -> str | None:
        for each in self._of("stream_resource"):
            uri = urlsplit(str(each.body.get("uri", "")))
            if uri.scheme == "file" and uri.netloc in ("", "localhost"):
                return str(Path(unquote(uri.path)).parent)
        return None

    def _theta(self, start: Mapping[str, Any]) -> str:
        keys = [name for name in self._keys() if name.endswith("theta_deg")]
        if keys:
            return f"data key {keys[0]}"
        lists = [name for name in start if name.endswith(("theta_deg", "thetas_deg"))]
        if lists:
            return f"{lists[0]} in the RunStart"
        return "no data key ends in theta_deg: evenly over 180 degrees by the formula"


def _kind(streams: Sequence[str], start: Mapping[str, Any]) -> tuple[str, bool]:
    named = [name for name in streams if parse_stream_name(name) is not None]
    if EXPECTED in start:
        return f"streams {', '.join(named) or 'of any name'}; counts by {EXPECTED}", True
    if named:
        return f"streams {', '.join(named)}; {EXPECTED} is missing", False
    return f"{EXPECTED} is missing, and no stream is named darks, flats or projections", False


def _is_number(start: Mapping[str, Any], name: str) -> bool:
    return isinstance(start.get(name), int | float) and start[name] > 0
