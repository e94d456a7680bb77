"""Tell by a message which dialect a sender speaks; those that are not taken have a name too."""

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Dialect = Literal["array-1.0", "dectris", "bluesky"]
#: RFC 8949, section 3.4.6; its source cannot be imported without the beamline's libraries.
_SELF_DESCRIBED_CBOR: Final = b"\xd9\xd9\xf7"
_DOCUMENT: Final = re.compile(rb"[!-~]{0,64} [a-z_]{3,20} ")
#: Descriptors of TomoPackets 1.1.
_TOMO_PACKETS: Final = frozenset(
    {0x101, 0x102, *range(0x201, 0x208), *range(0x301, 0x30A), *range(0x401, 0x402)}
    | set(range(0x501, 0x506))
)
_MAX_LOOK: Final = 2**16
_LEAST_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A dialect that is known by name but not taken, or none that is known.

    Parameters
    ----------
    name
        Of the dialect, or what the message looks like.
    advice
        What to do.
    """

    name: str
    advice: str


def recognise(parts: Sequence[bytes]) -> Dialect | Unsupported:
    """Tell the dialect of one message.

    Parameters
    ----------
    parts
        As they were received.

    Returns
    -------
    str or Unsupported
        Never a guess: what has not the mark of a dialect is described and not taken.
    """
    first = parts[0] if parts else b""
    if len(parts) == 1 and first.startswith(_SELF_DESCRIBED_CBOR):
        return "dectris"
    if len(parts) == 1 and first[:1] in b"\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xb8" and b"dtype" in first:
        return "dectris"
    if len(parts) == 1 and _DOCUMENT.match(first[:100]):
        return "bluesky"
    header = _json_of(first)
    if header is not None:
        return _of_header(header, parts)
    if b'"htype"' in first[:_MAX_LOOK] and b"array-1.0" in first[:200]:
        return "array-1.0"  # areaDetector writes texts that are no JSON
    if len(parts) == 1 and len(first) >= _LEAST_BYTES:
        (descriptor,) = struct.unpack("<i", first[:_LEAST_BYTES])
        if descriptor in _TOMO_PACKETS:
            return Unsupported(
                f"TomoPackets (descriptor 0x{descriptor:x})",
                "send array-1.0 in the GigaFRoST dialect instead, or our own frame link",
            )
    return Unsupported(_describe(parts), "see services/README.md for the dialects that are taken")


# ``Any``: a header that nothing has been said of yet.
def _of_header(header: dict[str, Any], parts: Sequence[bytes]) -> Dialect | Unsupported:
    htype = header.get("htype")
    name = htype[0] if isinstance(htype, list) and len(htype) == 1 else htype
    if name == "array-1.0" or (htype is None and "image_attributes" in header):
        return "array-1.0"
    if isinstance(name, str) and name.startswith(("dheader", "dimage", "dconfig", "dseries_end")):
        return Unsupported(
            "DECTRIS Stream V1 (legacy)",
            "switch the detector to Stream V2: PUT /stream/api/1.8.0/config with mode enabled "
            "and format cbor, and listen to port 31001",
        )
    if isinstance(name, str) and name.startswith(("bsr_m-", "bsr_d-")):
        return Unsupported("bsread (PSI)", "let the std_daq send array-1.0 on a live stream")
    if "dtype" in header and "shape" in header:
        return Unsupported(
            "concert (KIT)", "send array-1.0: add htype, type and frame to the header"
        )
    if header.get("end") is True and len(parts) == 1:
        return Unsupported("concert (KIT)", "send array-1.0 instead")
    if header.get("msg_type") in ("start", "data", "end"):
        return Unsupported(
            "PandABox positions", "this is no stream of images: give that of the detector"
        )
    if {"subject", "tracking"} <= header.keys():
        return Unsupported("interactEM", "connect to the detector's own stream instead")
    if name is not None:
        return Unsupported(f"JSON with htype {str(name)[:40]!r}", "array-1.0 is taken")
    keys = ", ".join(sorted(header)[:8])
    return Unsupported(f"JSON without htype (keys: {keys})", "array-1.0 is taken: add htype")


def _json_of(data: bytes) -> dict[str, Any] | None:
    if data[:1] != b"{" or len(data) > _MAX_LOOK:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _describe(parts: Sequence[bytes]) -> str:
    sizes = ", ".join(str(len(part)) for part in parts[:4]) + (" …" if len(parts) > 4 else "")
    first = parts[0][:12] if parts else b""
    begin = first.decode("ascii") if first.isascii() and first.decode().isprintable() else ""
    begin = repr(begin) if begin else first.hex(" ")
    return f"an unknown dialect ({len(parts)} parts of {sizes} bytes, beginning with {begin})"
