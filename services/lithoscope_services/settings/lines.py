"""Where in a TOML text a key stands, so that an error can name the line."""

import re

KeyPath = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_.\-"' ]+?)\s*=""")


def find_lines(text: str) -> dict[KeyPath, int]:
    """Map each table and each key at the start of a line to its line number.

    Parameters
    ----------
    text
        A TOML document that parses.

    Returns
    -------
    dict
        Line numbers from 1 by path; a table of an array has its index in the path. What stands
        inside a multi-line value may be taken for a key that does not exist; nobody asks for it.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            table = _split(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*table, counts[header[2]])
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            lines.setdefault((*table, *_split(key[1])), number)
    return lines


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """Give the line of a path, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        number = lines.get(path[:length])
        if number is not None:
            return number
    return None


def _split(dotted: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
