"""Draw the simulated cell against the published one, and print the table of the page.

``python docs/make_published_cell.py docs/pictures/published_cell.png``

The numbers are those of Huang et al., npj Comput. Mater. 9, 93 (2023).
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_pipeline.phantom import make_cell

Points = Sequence[tuple[float, float]]
Series = Callable[[str], NDArray[np.float64]]
WIDTH, HEIGHT, MARGIN = 1500, 520, 70
PAPER, INK, FAINT, GRID = (255, 255, 255), (30, 34, 40), (110, 116, 124), (228, 230, 233)
PLATING, STRIPPING, BAND = (0, 114, 178), (213, 94, 0), (226, 240, 232)
TOLERANCE = 0.2
PUBLISHED_ROI_UM2 = 1707 * 2280 * 1.33**2


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published number beside the simulated one."""

    name: str
    published: float
    simulated: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve of a panel, with the published points on it."""

    name: str
    values: NDArray[np.float64]
    published: Points
    colour: tuple[int, int, int]


def main() -> None:
    """Draw the picture and print the table."""
    simulated = make_cell("medium", seed=0, n_scans=25)
    scans = simulated.truth(simulated.roi)["scans"]

    def series(name: str) -> NDArray[np.float64]:
        return np.array([scan["metrics"].get(name, {"value": np.nan})["value"] for scan in scans])

    rows = table(series)
    for row in rows:
        sys.stdout.write(
            f"| {row.name} | {row.published:.4g} | {row.simulated:.4g} | {row.unit} |\n"
        )
    sheet = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(sheet)
    panel = (WIDTH - 4 * MARGIN) // 3
    boxes = [
        (MARGIN + i * (panel + MARGIN), MARGIN, MARGIN + i * (panel + MARGIN) + panel, HEIGHT - 70)
        for i in range(3)
    ]
    draw_lines(draw, boxes[0], "thickness of each side, um", thickness_lines(series), (90, 150))
    draw_lines(draw, boxes[1], "share of the plane covered", coverage_lines(series), (0, 1))
    draw_ratios(draw, boxes[2], rows)
    sheet.save(Path(sys.argv[1]))


def table(series: Series) -> list[Row]:
    """Put the published numbers beside the simulated ones."""
    plating, stripping = series("plating_side_thickness_um"), series("stripping_side_thickness_um")
    deposited, dendrite = series("deposited_coverage"), series("dendrite_coverage")
    gap, left_um = series("electrode_gap_um"), series("dendrite_thickness_um")[24]
    return [
        Row(name="plating side, pristine", published=107.7, simulated=plating[0], unit="um"),
        Row(name="plating side, charged", published=140.1, simulated=plating[12], unit="um"),
        Row(
            name="stripping, first half-cycle",
            published=-0.93,
            simulated=(stripping[12] - stripping[0]) / 12,
            unit="um a pulse",
        ),
        Row(
            name="stripping, second half-cycle",
            published=2.47,
            simulated=(stripping[24] - stripping[12]) / 12,
            unit="um a pulse",
        ),
        Row(name="stripping side, end", published=130.5, simulated=stripping[24], unit="um"),
        Row(name="deposit covers, charged", published=0.984, simulated=deposited[12], unit="1"),
        Row(name="deposit covers, end", published=0.0016, simulated=deposited[24], unit="1"),
        Row(name="dendrites cover, charged", published=0.30, simulated=dendrite[12], unit="1"),
        Row(name="dendrites cover, end", published=0.12, simulated=dendrite[24], unit="1"),
        Row(
            name="dendrites left in the ROI",
            published=1.11e7,
            simulated=left_um * PUBLISHED_ROI_UM2,
            unit="um3",
        ),
        Row(
            name="void area, end",
            published=0.539,
            simulated=series("void_area_fraction")[24],
            unit="1",
        ),
        Row(name="gap widens by", published=39.3, simulated=gap[12] - gap[0], unit="um"),
    ]


def thickness_lines(series: Series) -> list[Line]:
    """Return the curves of the first panel."""
    down = [(float(n), 112.0 - 0.93 * n) for n in (0, 12)]
    return [
        Line(
            name="plating side",
            values=series("plating_side_thickness_um"),
            published=[(0, 107.7), (12, 140.1)],
            colour=PLATING,
        ),
        Line(
            name="stripping side",
            values=series("stripping_side_thickness_um"),
            published=[*down, (24, 130.5)],
            colour=STRIPPING,
        ),
    ]


def coverage_lines(series: Series) -> list[Line]:
    """Return the curves of the second panel."""
    return [
        Line(
            name="deposit",
            values=series("deposited_coverage"),
            published=[(12, 0.984), (24, 0.0016)],
            colour=PLATING,
        ),
        Line(
            name="dendrites",
            values=series("dendrite_coverage"),
            published=[(12, 0.30), (24, 0.12)],
            colour=STRIPPING,
        ),
        Line(
            name="voids",
            values=series("void_area_fraction"),
            published=[(24, 0.539)],
            colour=FAINT,
        ),
    ]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give Pillow's own face in a size."""
    return ImageFont.load_default(size)


def draw_lines(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    title: str,
    lines: list[Line],
    limits: tuple[float, float],
) -> None:
    """Draw curves over the pulses, published points as rings."""
    left, top, right, bottom = box
    low, high = limits

    def at(pulse: float, value: float) -> tuple[float, float]:
        share = (value - low) / (high - low)
        return left + (right - left) * pulse / 24, bottom - (bottom - top) * share

    draw.text((left, top - 44), title, INK, font=font(18))
    for value in np.linspace(low, high, 7 if high > 2 else 6):
        draw.line([at(0, value), at(24, value)], fill=GRID)
        draw.text((left - 42, at(0, value)[1] - 8), f"{value:g}", FAINT, font=font(14))
    for tick in range(0, 25, 4):
        draw.text((at(tick, low)[0] - 6, bottom + 8), str(tick), FAINT, font=font(14))
    draw.text((right - 44, bottom + 28), "pulses", FAINT, font=font(14))
    for number, line in enumerate(lines):
        points = [at(n, value) for n, value in enumerate(line.values) if np.isfinite(value)]
        draw.line(points, fill=line.colour, width=3)
        for pulse, value in line.published:
            x, y = at(pulse, value)
            draw.ellipse((x - 7, y - 7, x + 7, y + 7), outline=line.colour, width=3)
        draw.text((left + 110 * number, top - 22), line.name, line.colour, font=font(15))


def draw_ratios(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], rows: list[Row]
) -> None:
    """Draw simulated over published for each number, with the band allowed."""
    left, top, right, bottom = box
    begin = left + 210

    def at(ratio: float) -> float:
        return begin + (right - begin) * (ratio - 0.7) / 0.6

    draw.text((left, top - 44), "simulated / published", INK, font=font(18))
    draw.rectangle((at(1 - TOLERANCE), top, at(1 + TOLERANCE), bottom), fill=BAND)
    draw.line([(at(1), top), (at(1), bottom)], fill=FAINT)
    for ratio in (0.8, 1.0, 1.2):
        draw.text((at(ratio) - 10, bottom + 8), f"{ratio:g}", FAINT, font=font(14))
    for number, row in enumerate(rows):
        y = top + (bottom - top) * (number + 0.5) / len(rows)
        x = at(row.simulated / row.published)
        draw.text((left, y - 9), row.name, INK, font=font(15))
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=PLATING)


if __name__ == "__main__":
    main()
