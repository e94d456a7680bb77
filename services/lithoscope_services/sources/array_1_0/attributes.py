"""Read the header of an array-1.0 message, even where areaDetector wrote no valid JSON.

Its plugin puts texts of NDAttributes in quotes without escaping them, an int8 as a raw character
and an undefined value as nothing at all; ``ndattr`` is always the last key. What cannot be read
there is left out, never guessed.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.stream.frame import Attribute

MAX_HEADER_BYTES = 2**16
_NAME = r'"([A-Za-z_][\w:.\-]{0,63})"\s{0,4}:\s{0,4}'
_NUMBER = r"(-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?)(?=\s{0,4}[,}])"
# A text ends at the quote behind which another name, or the end, follows.
_TEXT = r'"([^"\n]{0,256})"(?=\s{0,4}(?:,\s{0,4}["}]|,,|\}))'
_PAIR = re.compile(_NAME + f"(?:{_NUMBER}|{_TEXT})")


def read_header(data: bytes) -> Mapping[str, Any]:
    """Parse a header.

    Parameters
    ----------
    data
        First part of the message.

    Returns
    -------
    mapping
        Its keys; ``Any`` because nothing of it has been looked at.

    Raises
    ------
    SourceError
        If it is no JSON object, and would be none without its ``ndattr`` either.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise SourceError(
            f"header: {len(data)} bytes, at most {MAX_HEADER_BYTES} are taken; send fewer "
            "attributes"
        )
    try:
        header = json.loads(data, strict=False)
    except (ValueError, RecursionError) as error:
        header = _without_attributes(data.decode("utf-8", "replace"), error)
    if not isinstance(header, dict):
        raise SourceError(f"header: a JSON object was expected, {type(header).__name__} came")
    return header


def plain_attributes(value: object) -> dict[str, Attribute]:
    """Keep the numbers and texts of an ``ndattr`` object."""
    if not isinstance(value, dict):
        return {}
    return {
        str(name): each
        for name, each in value.items()
        if isinstance(each, int | float | str) and not isinstance(each, bool)
    }


def _without_attributes(text: str, error: Exception) -> Any:  # as json.loads
    head, found, tail = text.partition('"ndattr"')
    try:
        if not found:
            raise error
        header = json.loads(head.rstrip().removesuffix(",") + "}", strict=False)
    except (ValueError, RecursionError) as cause:
        raise SourceError(
            f"header: no valid JSON ({str(cause)[:100]}); is this array-1.0?"
        ) from cause
    if isinstance(header, dict):
        header["ndattr"] = _salvage(tail)
    return header


def _salvage(text: str) -> dict[str, Attribute]:
    """Take the pairs that can be read; a name that appears twice may come from within a text."""
    found: dict[str, Attribute] = {}
    doubles: set[str] = set()
    for match in _PAIR.finditer(text):
        name, number, word = match.groups()
        if name in found:
            doubles.add(name)
        found[name] = word if number is None else float(number)
    return {name: value for name, value in found.items() if name not in doubles}
