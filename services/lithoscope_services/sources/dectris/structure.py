"""Look at the heads of a CBOR message before a library builds objects of it.

A megabyte of empty arrays would become sixty of objects, tags can share values so that a short
message prints as an endless one, and a head can announce more than there is. RFC 8949, section 3.
"""

from lithoscope_services.errors import SourceError

#: A start message of a detector with four channels has some 150 items, an image some 50.
MAX_ITEMS = 10_000
MAX_DEPTH = 16
MAX_TEXT_BYTES = 2**16
#: In front of a message it says that this is CBOR, and nothing more.
SELF_DESCRIBED = b"\xd9\xd9\xf7"
#: Dates, arrays of several dimensions, typed arrays (RFC 8746) and DECTRIS's compression.
TAGS = frozenset({0, 40, 1040, 56500, *range(64, 88)})
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6


def check_structure(data: bytes) -> None:
    """Refuse a message that is no single item, or has too many parts, levels or odd tags.

    Parameters
    ----------
    data
        The message without :data:`SELF_DESCRIBED`.

    Raises
    ------
    SourceError
        With the place of what is wrong; the text begins with ``cbor``.
    """
    place, n_items, open_levels = 0, 0, [1]
    while open_levels:
        if open_levels[-1] == 0:
            open_levels.pop()
            continue
        open_levels[-1] -= 1
        n_items += 1
        if n_items > MAX_ITEMS or len(open_levels) > MAX_DEPTH:
            raise SourceError(
                f"cbor: more than {MAX_ITEMS} items or {MAX_DEPTH} levels at byte {place}; is "
                "this Stream V2 of a detector?"
            )
        begin = place
        major, value, place = _head(data, begin)
        if major in (_BYTES, _TEXT):
            if value > len(data) - place or (major == _TEXT and value > MAX_TEXT_BYTES):
                raise SourceError(
                    f"cbor: a string of {value} bytes at byte {begin} of {len(data)}"
                )
            place += value
        elif major in (_ARRAY, _MAP):
            n_parts = value if major == _ARRAY else 2 * value
            if n_parts > len(data) - place:
                raise SourceError(f"cbor: {n_parts} parts at byte {begin} of {len(data)}")
            open_levels.append(n_parts)
        elif major == _TAG:
            if value not in TAGS:
                raise SourceError(f"cbor: tag {value} at byte {begin} is none of Stream V2")
            open_levels.append(1)
    if place != len(data):
        raise SourceError(f"cbor: {len(data) - place} bytes follow the end of the message")


def _head(data: bytes, place: int) -> tuple[int, int, int]:
    """Read a head: its major type, its argument, and where its content begins."""
    if place >= len(data):
        raise SourceError(f"cbor: the message ends at byte {place}, in the middle")
    major, info = data[place] >> 5, data[place] & 31
    if info < 24:
        return major, info, place + 1
    if info > 27:
        raise SourceError(f"cbor: an item without a length at byte {place} is not taken")
    end = place + 1 + (1 << (info - 24))
    if end > len(data):
        raise SourceError(f"cbor: the message ends at byte {len(data)}, in the middle")
    return major, int.from_bytes(data[place + 1 : end], "big"), end
