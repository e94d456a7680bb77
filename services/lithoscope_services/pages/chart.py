"""A metric over the scans as an SVG: line, interval, limits, and marks where something was."""

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
    """A metric over the scans.

    Parameters
    ----------
    name
        For the key.
    points
        (scan, value, low95, high95), the last two None where no interval is known.
    """

    name: str
    points: Sequence[tuple[int, float, float | None, float | None]]


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
    marks: Sequence[tuple[int, str]] = (),
) -> str:
    """Draw lines over the numbers of scans.

    Parameters
    ----------
    title, unit
        Plain text; the unit stands at the axis.
    lines
        At most four; a scan without a value leaves a gap.
    levels
        Limits, dashed.
    marks
        (scan, text): upright lines.

    Returns
    -------
    str
        A figure; empty if there is nothing to be drawn.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    scans = [point[0] for point in points]
    values = [v for point in points for v in point[1:] if v is not None]
    values += [level.value for level in levels]
    frame = _Frame.around(scans, values)
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

    @classmethod
    def around(cls, scans: Sequence[int], values: Sequence[float]) -> "_Frame":
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or max(1.0, 0.1 * abs(high))
        low = 0.0 if 0 <= low < 0.35 * high else low - margin
        return cls(min(scans) - 0.5, max(scans) + 0.5, low, high + margin)

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
        count = int(self.last - self.first)
        every = max(1, math.ceil(count / 13))
        parts += [
            f'<text x="{self.x(scan):.1f}" y="{_HEIGHT - _BOTTOM + 17}" '
            f'text-anchor="middle">{scan}</text>'
            for scan in range(int(self.first + 0.5), int(self.last) + 1, every)
        ]
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        return "".join(parts) + (
            f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">scan</text>'
            f'<text x="12" y="{(_HEIGHT - _BOTTOM) / 2}" text-anchor="middle" '
            f'transform="rotate(-90 12 {(_HEIGHT - _BOTTOM) / 2})">{escape(unit)}</text>'
        )

    def level(self, level: Level) -> str:
        y = self.y(level.value)
        return (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="var(--warn)" stroke-dasharray="5 4"/>'
            f'<text x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end" '
            f'style="fill:var(--warn)">{escape(level.text)}</text>'
        )

    def mark(self, scan: int, text: str) -> str:
        x = self.x(scan)
        anchor = "end" if x > _WIDTH / 2 else "start"
        place = x - 4 if anchor == "end" else x + 4
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
            'stroke="var(--warn)"/>'
            f'<text x="{place:.1f}" y="{_TOP + 10}" text-anchor="{anchor}" '
            f'style="fill:var(--warn)">{escape(text)}</text>'
        )

    def line(self, line: Line, colour: str) -> str:
        parts = []
        for scan, value, low, high in line.points:
            x = self.x(scan)
            if low is not None and high is not None:
                parts.append(
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.y(low):.1f}" '
                    f'y2="{self.y(high):.1f}" stroke="{colour}" stroke-width="5" '
                    'stroke-opacity=".3"/>'
                )
            parts.append(
                f'<circle cx="{x:.1f}" cy="{self.y(value):.1f}" r="3" fill="{colour}">'
                f"<title>scan {scan}: {value:.4g}</title></circle>"
            )
        for (before, v0, *_), (after, v1, *_) in pairwise(line.points):
            dash = ' stroke-dasharray="2 4"' if after - before > 1 else ""
            parts.append(
                f'<line x1="{self.x(before):.1f}" y1="{self.y(v0):.1f}" '
                f'x2="{self.x(after):.1f}" y2="{self.y(v1):.1f}" stroke="{colour}"{dash}/>'
            )
        return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Give four to eight round numbers."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (f * step) <= 6)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]
