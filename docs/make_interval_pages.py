"""Write the tables of ``docs/intervals.md`` and draw its picture from the calibration.

The table of objects in ``docs/metrics.md`` as well.

``python docs/make_interval_pages.py``
"""

from pathlib import Path
from statistics import fmean

from PIL import Image, ImageDraw, ImageFont

from lithoscope_models.calibration.tables import (
    CALIBRATION_FILE,
    CalibrationFile,
    MetricScore,
    read_calibration,
)
from lithoscope_models.model_file import DEFAULT_MODEL, find_model

DOCS = Path(__file__).parent
PAGE, METRICS = DOCS / "intervals.md", DOCS / "metrics.md"
PICTURE = DOCS / "pictures" / "interval_coverage.png"
#: Differ from a shown metric by a constant factor, or hardly have an error.
LEFT_AWAY = ("_occupied_fraction", "_volume_um3", "electrode_coverage")
KEPT_VOLUMES = ("li_", "dead_")
ORIGINS = {
    "network": "Labels of the network, earlier scans shown",
    "single_scan": "Labels of the network from one scan alone (`single_scan_…`)",
    "layers": "Labels by thresholds",
}
SCALE = 2
ROW, LEFT, RIGHT, TOP, BOTTOM, WIDTH = 24, 300, 30, 70, 60, 980
PAPER, INK, FAINT, BAND = (255, 255, 255), (30, 32, 36), (205, 208, 214), (222, 238, 226)
WITHIN, FAMILY, LEFT_OUT = (0, 90, 160), (120, 170, 215), (213, 94, 0)
LEAST = 0.5


def main() -> None:
    """Write both."""
    found = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE)
    text = PAGE.read_text()
    begin, end = "<!-- tables begin -->\n", "<!-- tables end -->"
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text(before + begin + tables(found) + end + after)
    page = METRICS.read_text()
    begin, end = "<!-- objects begin -->\n", "<!-- objects end -->"
    before, rest = page.split(begin)
    METRICS.write_text(before + begin + objects_table(found) + end + rest.split(end)[1])
    draw(found).save(PICTURE, optimize=True)


def objects_table(found: CalibrationFile) -> str:
    """Write how many objects exist, and how far the chances that were given are off."""
    lines = [
        "| labels, kind | objects | that exist | off by, held out | off by, family left out |",
        "|---|---|---|---|---|",
    ]
    curves = ["| chance given | " + " | ".join(f"under {n / 10:g}" for n in range(1, 11)) + " |"]
    curves.append("|---" * 11 + "|")
    for origin, kinds in found.objects.items():
        for kind, each in kinds.items():
            n_objects = sum(each.n_objects)
            shares = zip(each.found, each.n_objects, strict=True)
            there = sum(share * n for share, n in shares) / n_objects
            name = f"{origin.replace('_', ' ')}, {kind}s"
            lines.append(
                f"| {name} | {n_objects} | {there:.0%} | {each.error:.1%} "
                f"| {each.error_left_out:.1%} |"
            )
            tenths = [""] * 10
            for given, share in zip(each.given, each.found, strict=True):
                tenths[min(int(given * 10), 9)] = f"{given:.2f}: {share:.2f}"
            curves.append(f"| {name} | " + " | ".join(tenths) + " |")
    return "\n".join([*lines, "", *curves]) + "\n"


def shown(scores: dict[str, MetricScore]) -> dict[str, MetricScore]:
    """Leave away what says the same twice."""
    return {
        name: score
        for name, score in sorted(scores.items())
        if score.spread > 0 and (not name.endswith(LEFT_AWAY) or name.startswith(KEPT_VOLUMES))
    }


def tables(found: CalibrationFile) -> str:
    """Write one table for each origin of labels."""
    parts = [
        f"\n{found.n_experiments} experiments, a third of them between families, "
        f"{found.n_scans} scans, families {', '.join(found.families)}; simulator version "
        f"{found.simulator_version}.\n"
    ]
    for origin, title in ORIGINS.items():
        holds = next(each for each in found.calibrations if each.origin == origin).holds
        parts.append(
            f"\n### {title}\n\nVoxels of {holds.voxel_um:g} µm, contrast-to-noise "
            f"{holds.cnr[0]:.1f} to {holds.cnr[1]:.1f}.\n\n"
            "| metric | covered | families, held out | families, left out | width / spread "
            "| bias, root mean square |\n|---|---|---|---|---|---|\n"
        )
        scores = shown(found.scores[origin])
        parts += [row(name, score) for name, score in scores.items()]
        parts.append(summary(scores))
    return "".join(parts)


def row(name: str, score: MetricScore) -> str:
    """Write one metric."""
    families = sorted(score.within_family.values())
    left = sorted(score.left_out.items(), key=lambda each: each[1])
    worst = f", worst: {left[0][0]}" if left and left[0][1] < 0.9 else ""
    ratio = score.width / score.spread
    return (
        f"| `{name}` | {score.within:.1%} | {families[0]:.0%} to {families[-1]:.0%} "
        f"| {left[0][1]:.0%} to {left[-1][1]:.0%}{worst} | {ratio:.2f} "
        f"| {score.bias:+.2g}, {score.error:.2g} |\n"
    )


def summary(scores: dict[str, MetricScore]) -> str:
    """Count the metrics that keep to what was asked for."""
    each = list(scores.values())
    n = len(each)
    within = sum(0.93 <= score.within <= 0.97 for score in each)
    more = sum(score.within > 0.97 for score in each)
    alone = [score.within if score.of_families is None else score.of_families for score in each]
    alone_within = sum(0.93 <= share <= 0.97 for share in alone)
    alone_most = max(alone, default=0.0)
    left = sum(min(score.left_out.values()) >= 0.9 for score in each)
    pairs = [value for score in each for value in score.left_out.values()]
    narrow = sum(score.width <= 1.5 * score.spread for score in each)
    alike = {name: [score.left_out[name] for score in each] for name in each[0].left_out}
    families = [f"{name} {fmean(shares):.0%}" for name, shares in alike.items()]
    each_left = sum(fmean(score.left_out.values()) >= 0.9 for score in each)
    return (
        f"\nOf {n} metrics {within} are covered in 93 to 97 %, {more} in more (experiments of "
        f"families alone: {alone_within} in 93 to 97 %, the most in {alone_most:.1%}); {left} in "
        "at least 90 % whichever family is left out "
        f"({sum(v >= 0.9 for v in pairs)} of {len(pairs)} pairs of metric and family); {narrow} "
        "with intervals of at most 1.5 times the spread of the errors. The mean of all families "
        f"left out is at least 90 % for {each_left} metrics; the mean of all metrics of a family "
        f"left out: {', '.join(families)}.\n"
    )


def draw(found: CalibrationFile) -> Image.Image:
    """Draw how often the truth was covered, one row a metric."""
    scores = shown(found.scores["network"])
    height = TOP + ROW * len(scores) + BOTTOM
    sheet = Image.new("RGB", (WIDTH * SCALE, height * SCALE), PAPER)
    pen = ImageDraw.Draw(sheet)
    bottom = height - BOTTOM
    box = (*place(0.93, TOP - 6), *place(0.97, bottom))
    pen.rectangle(box, fill=BAND)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        pen.line((*place(share, TOP - 6), *place(share, bottom)), fill=FAINT, width=SCALE)
        write(pen, place(share, bottom + 6), f"{share:.0%}", centre=True)
    write(pen, (LEFT * SCALE, 12 * SCALE), "True value inside the 95 % interval", size=17)
    legend(pen)
    for index, (name, score) in enumerate(scores.items()):
        y = TOP + ROW * index + ROW // 2
        pen.line((*place(LEAST, y), *place(1.0, y)), fill=FAINT, width=1)
        write(pen, (12 * SCALE, (y - 9) * SCALE), name)
        for value in score.within_family.values():
            dot(pen, value, y, FAMILY, radius=3)
        for value in score.left_out.values():
            cross(pen, value, y + 4)
        dot(pen, score.within, y, WITHIN, radius=6)
    return sheet.resize((WIDTH, height), Image.Resampling.LANCZOS)


def place(share: float, y: float) -> tuple[float, float]:
    """Say where a share lies; what is less than shown lies at the edge."""
    span = WIDTH - LEFT - RIGHT
    x = LEFT + span * (max(share, LEAST) - LEAST) / (1.0 - LEAST)
    return x * SCALE, y * SCALE


def dot(
    pen: ImageDraw.ImageDraw, share: float, y: float, colour: tuple[int, int, int], *, radius: int
) -> None:
    """Draw a dot."""
    x, at = place(share, y)
    reach = radius * SCALE
    pen.ellipse((x - reach, at - reach, x + reach, at + reach), fill=colour)


def cross(pen: ImageDraw.ImageDraw, share: float, y: float) -> None:
    """Draw a cross; an arrowhead to the left stands for less than is shown."""
    x, at = place(share, y)
    reach = 4 * SCALE
    if share < LEAST:
        pen.polygon([(x - reach, at), (x + reach, at - reach), (x + reach, at + reach)], LEFT_OUT)
        return
    for sign in (-1, 1):
        line = (x - reach, at - sign * reach, x + reach, at + sign * reach)
        pen.line(line, fill=LEFT_OUT, width=int(1.5 * SCALE))


def legend(pen: ImageDraw.ImageDraw) -> None:
    """Say what the marks are."""
    y, x = 44, LEFT
    for text, mark in (
        ("all, other experiments", "all"),
        ("each family, other experiments", "family"),
        ("each family, left out whole", "left"),
    ):
        share = LEAST + (1.0 - LEAST) * (x + 6 - LEFT) / (WIDTH - LEFT - RIGHT)
        if mark == "left":
            cross(pen, share, y)
        else:
            dot(
                pen,
                share,
                y,
                WITHIN if mark == "all" else FAMILY,
                radius=6 if mark == "all" else 3,
            )
        write(pen, ((x + 18) * SCALE, (y - 9) * SCALE), text)
        x += 215


def write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size: int = 13,
    centre: bool = False,
) -> None:
    """Write a word."""
    font = ImageFont.load_default(size * SCALE)
    x = at[0] - (pen.textlength(text, font=font) / 2 if centre else 0)
    pen.text((x, at[1]), text, INK, font=font)


if __name__ == "__main__":
    main()
