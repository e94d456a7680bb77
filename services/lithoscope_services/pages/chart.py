"""A metric over scans or charge as an SVG: line, interval as a band, limits, and marks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

_WIDTH, _HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 38
#: Okabe and Ito's colours, told apart by people of any colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A metric over the scans, or over what stands at the axis.

    Parameters
    ----------
    name
        For the key.
    points
        (place, value, low95, high95), the last two None where no interval is known.
    scans
        Number of each scan, if places are something else.
    gaps
        Numbers of points before which one is missing, if places are no numbers of scans.
    """

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    scans: Sequence[int] = ()
    gaps: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Level:
    """A value that is drawn across, with a short text."""

    value: float
    text: str


def chart(
    title: str,
    unit: str,
    lines: Sequence[Line],
    *,
    levels: Sequence[Level] = (),
    marks: Sequence[tuple[float, str]] = (),
    across: str = "scan",
    span: tuple[float, float] | None = None,
) -> str:
    """Draw lines over the numbers of scans, or over another quantity.

    Parameters
    ----------
    title, unit
        Plain text; the unit stands at the axis.
    lines
        At most four; a scan without a value leaves a gap.
    levels
        Limits, dashed.
    marks
        (place, text): upright lines.
    across
        What stands at the axis; numbers of scans are whole.
    span
        First and last place of the axis; None for those of the points.

    Returns
    -------
    str
        A figure; empty if there is nothing to be drawn.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    places = [*(point[0] for point in points), *(span or ())]
    values = [v for point in points for v in point[1:] if v is not None]
    values += [level.value for level in levels]
    frame = _Frame.around(places, values, across)
    parts = [frame.grid(unit)]
    parts += [frame.level(level) for level in levels]
    parts += [frame.mark(scan, text) for scan, text in marks]
    for colour, line in zip(COLOURS, lines, strict=False):
        parts.append(frame.line(line, colour))
    key = "".join(
        f'<span><i style="background:{colour}"></i>{escape(line.name)}</span>'
        for colour, line in zip(COLOURS, lines, strict=False)
        if len(lines) > 1
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'{"".join(parts)}</svg><div class="key">{key}</div></figure>'
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """Scans and values to places on the drawing."""

    first: float
    last: float
    low: float
    high: float
    across: str

    @classmethod
    def around(cls, places: Sequence[float], values: Sequence[float], across: str) -> "_Frame":
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        low = 0.0 if 0 <= low < 0.35 * high else low - margin
        first, last = min(places), max(places)
        side = 0.5 if across == "scan" else 0.03 * (last - first) or 0.5
        return cls(first - side, last + side, low, high + margin, across)

    def x(self, scan: float) -> float:
        share = (scan - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, unit: str) -> str:
        parts = []
        for value in _ticks(self.low, self.high):
            y = self.y(value)
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                'stroke="var(--line)"/>'
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        parts += [
            f'<text x="{self.x(place):.1f}" y="{_HEIGHT - _BOTTOM + 17}" '
            f'text-anchor="middle">{place:g}</text>'
            for place in self._places()
        ]
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        return "".join(parts) + (
            f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">'
            f"{escape(self.across)}</text>"
            f'<text x="12" y="{(_HEIGHT - _BOTTOM) / 2}" text-anchor="middle" '
            f'transform="rotate(-90 12 {(_HEIGHT - _BOTTOM) / 2})">{escape(unit)}</text>'
        )

    def _places(self) -> Sequence[float]:
        """Give the places that are named at the axis."""
        if self.across != "scan":
            return _ticks(self.first, self.last)
        every = max(1, math.ceil(int(self.last - self.first) / 13))
        return range(int(self.first + 0.5), int(self.last) + 1, every)

    def level(self, level: Level) -> str:
        y = self.y(level.value)
        return (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="var(--warn)" stroke-dasharray="5 4"/>'
            f'<text x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end" '
            f'style="fill:var(--warn)">{escape(level.text)}</text>'
        )

    def mark(self, place: float, text: str) -> str:
        x = self.x(place)
        anchor = "end" if x > _WIDTH / 2 else "start"
        beside = x - 4 if anchor == "end" else x + 4
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
            'stroke="var(--warn)"/>'
            f'<text x="{beside:.1f}" y="{_TOP + 10}" text-anchor="{anchor}" '
            f'style="fill:var(--warn)">{escape(text)}</text>'
        )

    def line(self, line: Line, colour: str) -> str:
        parts = [self._band(run, colour) for run in _runs(line)]
        for number, (place, value, low, high) in enumerate(line.points):
            scan = line.scans[number] if line.scans else place
            bounds = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
            parts.append(
                f'<circle cx="{self.x(place):.1f}" cy="{self.y(value):.1f}" r="3" '
                f'fill="{colour}"><title>scan {scan:g}: {value:.4g}{bounds}</title></circle>'
            )
        for number, ((x0, v0, *_), (x1, v1, *_)) in enumerate(pairwise(line.points), start=1):
            dash = ' stroke-dasharray="2 4"' if _is_gap(line, number) else ""
            parts.append(
                f'<line x1="{self.x(x0):.1f}" y1="{self.y(v0):.1f}" '
                f'x2="{self.x(x1):.1f}" y2="{self.y(v1):.1f}" stroke="{colour}" '
                f'stroke-width="1.6"{dash}/>'
            )
        return "".join(parts)

    def _band(self, run: Sequence[tuple[float, float, float]], colour: str) -> str:
        """Draw the interval of points that follow one another; that of a single one as a bar."""
        if len(run) == 1:
            x, low, high = self.x(run[0][0]), self.y(run[0][1]), self.y(run[0][2])
            return (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" '
                f'stroke="{colour}" stroke-width="5" stroke-opacity=".3"/>'
            )
        corners = [(x, high) for x, _, high in run] + [(x, low) for x, low, _ in reversed(run)]
        text = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in corners)
        return f'<polygon points="{text}" fill="{colour}" fill-opacity=".22"/>'


def _is_gap(line: Line, number: int) -> bool:
    """Whether something is missing before a point."""
    if line.scans:
        return number in line.gaps
    return line.points[number][0] - line.points[number - 1][0] > 1


def _runs(line: Line) -> list[list[tuple[float, float, float]]]:
    """Cut the points with an interval where one is missing: (place, low, high)."""
    runs: list[list[tuple[float, float, float]]] = []
    is_open = False
    for number, (place, _, low, high) in enumerate(line.points):
        if low is None or high is None:
            is_open = False
            continue
        if not is_open or _is_gap(line, number):
            runs.append([])
        runs[-1].append((place, low, high))
        is_open = True
    return runs


def _ticks(low: float, high: float) -> list[float]:
    """Give four to eight round numbers."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (f * step) <= 6)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]
