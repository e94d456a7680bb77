"""Tables of text as cyclers and people write them: any of the usual delimiters and commas."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_services.electrochemistry.headings import (
    ColumnMeaning,
    Quantity,
    read_heading,
    unit_factor,
)
from lithoscope_services.electrochemistry.record import (
    Column,
    CyclerRecord,
    current_from_charge,
)
from lithoscope_services.errors import SourceError

_MAX_BYTES: Final = 2 * 2**30
#: The heading stands within so many lines; EC-Lab writes some hundred before it.
_PREAMBLE_LINES: Final = 400
_DELIMITERS: Final = ("\t", ";", ",", "|")
_CLOCK = re.compile(r"(?:(\d+)[-\s:])?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")
_SIGNED: Final = ("dchg", "discharge", "entladen")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    """The heading of a table, where it stands and what stands in its columns."""

    line: int
    delimiter: str
    names: tuple[str, ...]
    columns: dict[Quantity, tuple[int, float]]

    @property
    def is_enough(self) -> bool:
        return {"time", "potential"} <= self.columns.keys() and bool(
            {"current", "charge"} & self.columns.keys()
        )


def read_table(path: Path) -> CyclerRecord:
    """Read a table with a heading: time, potential, and current or charge.

    Parameters
    ----------
    path
        Text of any encoding and delimiter; what stands before the heading is passed over.

    Raises
    ------
    SourceError
        If a column is missing or has no unit, is no numbers, or if the time falls.
    """
    lines = _decode(path).splitlines()
    heading = _find_heading(path, lines)
    rows = list(csv.reader(lines[heading.line + 1 :], delimiter=heading.delimiter))
    return _record(path, heading, [row for row in rows if any(cell.strip() for cell in row)])


def _decode(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path}: larger than 2 GiB; cut it into parts")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    elif b"\x00" in data[:4096]:
        raise SourceError(
            f"{path}: no text but a file of some program; export it as CSV or text, or give a "
            "BioLogic .mpr"
        )
    else:
        encodings = ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SourceError(f"{path}: cannot be read as text; export it as UTF-8")


def _find_heading(path: Path, lines: Sequence[str]) -> _Heading:
    best: _Heading | None = None
    for number, line in enumerate(lines[:_PREAMBLE_LINES]):
        for delimiter in _DELIMITERS:
            if delimiter not in line:
                continue
            heading = _read_heading_line(lines, number, delimiter)
            if heading.is_enough:
                return heading
            if best is None or len(heading.columns) > len(best.columns):
                best = heading
    names = ", ".join(name for name in (best.names if best else ()) if name)[:200]
    lacking = [
        what
        for what in ("time", "potential", "current")
        if best is None or what not in best.columns
    ]
    raise SourceError(
        f"{path}: no {' and no '.join(lacking)} with a unit among {names or 'its lines'}; one "
        "heading must be such as time_s, Ewe/V, I/mA or Current(A)"
    )


def _read_heading_line(lines: Sequence[str], number: int, delimiter: str) -> _Heading:
    names = tuple(cell.strip() for cell in next(csv.reader([lines[number]], delimiter=delimiter)))
    below = next(csv.reader(lines[number + 1 : number + 2], delimiter=delimiter), [])
    found: dict[Quantity, tuple[int, int, float]] = {}
    for place, name in enumerate(names):
        meaning = read_heading(name)
        if meaning is None:
            continue
        cell = below[place].strip() if place < len(below) else ""
        factor = _factor(meaning, cell)
        known = found.get(meaning.quantity)
        if factor is not None and (known is None or meaning.rank < known[0]):
            found[meaning.quantity] = (meaning.rank, place, factor)
    return _Heading(
        line=number,
        delimiter=delimiter,
        names=names,
        columns={quantity: (place, factor) for quantity, (_, place, factor) in found.items()},
    )


def _factor(meaning: ColumnMeaning, cell_below: str) -> float | None:
    """Give the factor of the heading, of the unit in the row below it, or of a clock."""
    if meaning.factor is not None:
        return meaning.factor
    if meaning.quantity == "time" and _CLOCK.fullmatch(cell_below):
        return 1.0
    return unit_factor(meaning.quantity, cell_below.strip("()[]"))


def _record(path: Path, heading: _Heading, rows: Sequence[Sequence[str]]) -> CyclerRecord:
    if rows and _is_units(heading, rows[0]):
        rows = rows[1:]
    wide = sum(len(row) > len(heading.names) + 1 for row in rows[:100])
    if heading.delimiter == "," and wide > len(rows[:100]) / 2:
        raise SourceError(
            f"{path}: commas stand both between columns and in numbers; export it with semicolons "
            "or tabs between columns"
        )
    notes = []
    whole = [row for row in rows if all(_is_there(row, p) for p, _ in heading.columns.values())]
    if len(whole) < len(rows):
        notes.append(f"{len(rows) - len(whole)} rows without all values were left out")
    values = {
        quantity: factor * _numbers(path, heading, whole, place)
        for quantity, (place, factor) in heading.columns.items()
    }
    time_s = values["time"]
    falls = np.flatnonzero(np.diff(time_s) < 0)
    if time_s.size < 2:
        raise SourceError(f"{path}: {time_s.size} readings; at least two are needed")
    if falls.size:
        name = heading.names[heading.columns["time"][0]]
        raise SourceError(
            f"{path}: the time in {name!r} falls after reading {falls[0] + 1}; export the time "
            "since the beginning of the test, not that of each step"
        )
    if "current" in values:
        current = values["current"]
    else:
        current = current_from_charge(time_s, values["charge"])
        notes.append("the current was taken from the charge, of which it is the slope")
    signs = _signs(heading, whole, current)
    if signs is not None:
        notes.append("the current of discharge steps was counted as negative")
        current = current * signs
    return CyclerRecord(
        time_s=time_s, potential_V=values["potential"], current_mA=current, notes=tuple(notes)
    )


def _is_units(heading: _Heading, row: Sequence[str]) -> bool:
    """Whether a row holds the units of the columns above it."""
    cells = [
        (quantity, row[place].strip("()[] "))
        for quantity, (place, _) in heading.columns.items()
        if place < len(row)
    ]
    return bool(cells) and all(unit_factor(q, cell) is not None for q, cell in cells if cell)


def _is_there(row: Sequence[str], place: int) -> bool:
    return place < len(row) and row[place].strip().lower() not in ("", "nan", "xxx", "-", "--")


def _numbers(path: Path, heading: _Heading, rows: Sequence[Sequence[str]], place: int) -> Column:
    cells = [row[place].strip() for row in rows]
    try:
        return np.array([_number(cell) for cell in cells], np.float64)
    except ValueError:
        pass
    for number, cell in enumerate(cells):
        try:
            _number(cell)
        except ValueError:
            raise SourceError(
                f"{path}, line {heading.line + 2 + number}: {cell[:40]!r} in column "
                f"{heading.names[place]!r} is no number; mend or remove the line"
            ) from None
    raise SourceError(f"{path}: column {heading.names[place]!r} is no numbers; mend the table")


def _number(cell: str) -> float:
    """Read a number with a point or a comma, or a time as the clock has it, in seconds."""
    try:
        return float(cell)
    except ValueError:
        plain = cell.replace(",", ".")
    clock = _CLOCK.fullmatch(plain)
    if clock is not None:
        days, hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return float(plain)


def _signs(heading: _Heading, rows: Sequence[Sequence[str]], current: Column) -> Column | None:
    """Give -1 where a column says discharge, if the cycler writes currents without a sign."""
    if (current < 0).any():
        return None
    places = [
        place
        for place, name in enumerate(heading.names)
        if any(word in name.lower() for word in ("step", "state", "status"))
    ]
    for place in places:
        texts = [row[place].lower().replace(" ", "") if place < len(row) else "" for row in rows]
        is_discharge = np.array([any(word in text for word in _SIGNED) for text in texts])
        if is_discharge.any():
            return np.where(is_discharge, -1.0, 1.0)
    return None
