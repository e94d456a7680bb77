"""Let five scripted people segment the real slices by several tools; write the page and picture.

``python docs/make_user_variation.py FOLDER`` with the folder of ``im_1.tif`` and ``mask_1.tif``;
writes ``docs/user-variation.md`` between its marks and ``docs/pictures/user_variation.png``.
"""

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.scribbles import (
    COVERAGES,
    ForestParameters,
    GreyRange,
    ScriptedUser,
    by_otsu,
    by_range,
    by_watershed,
    choose_range,
    compare_labels,
    dissent,
    draw_strokes,
    label_slice,
    perceive,
    train_forest,
)

DOCS = Path(__file__).parent
PAGE, PICTURE = DOCS / "user-variation.md", DOCS / "pictures" / "user_variation.png"
THICKNESSES_PX: Final = (1.0, 2.0, 3.0, 4.0, 6.0)
NARROW, WIDE = 0.02, 0.10  # of the whole range of grey values
WINDOW_PX = 96
AS_SEEN: Final = "faces as each person sees them"
BIASES_PX: Final = (0.0, 0.1, 0.5)
SHOWN: Final = ("simple threshold", "wide watershed", "forest 10 %", "forest 25 %")
Labels = dict[str, list[LabelVolume]]


def main() -> None:
    """Segment, compare, write."""
    folder = Path(sys.argv[1])
    users = [ScriptedUser(seed=n, thickness_px=t) for n, t in enumerate(THICKNESSES_PX)]
    slices = [
        (
            tifffile.imread(folder / f"im_{number}.tif").astype(np.float32) / 65535,
            (tifffile.imread(folder / f"mask_{number}.tif") > 0).astype(np.uint8),
        )
        for number in (1, 2)
    ]
    found = [segment(grey, truth, users) for grey, truth in slices]
    parts = [
        table(f"Slice {number}", truth, labels)
        for number, ((_, truth), labels) in enumerate(zip(slices, found, strict=True), 1)
    ]
    parts.append(hand_table(*slices[1]))
    text = PAGE.read_text()
    begin, end = "<!-- tables begin -->\n", "<!-- tables end -->"
    before, rest = text.split(begin)
    PAGE.write_text(before + begin + "\n".join(parts) + end + rest.split(end)[1])
    draw(slices[1][0], slices[1][1], users[2], found[1]).save(PICTURE, optimize=True)


def hand_table(grey: FloatImage, truth: LabelVolume) -> str:
    """Compare a threshold with a forest for people who see faces more or less alike."""
    lines = [
        "\nSlice 2, standard deviation of the volume fraction (%), by how far people see faces "
        "moved:\n",
        "| bias of faces, px | faces as seen | simple threshold | forest 10 % | forest 25 % |",
        "|---|---|---|---|---|",
    ]
    for bias_px in BIASES_PX:
        users = [
            ScriptedUser(seed=n, thickness_px=t, face_bias_px=bias_px)
            for n, t in enumerate(THICKNESSES_PX)
        ]
        tools = segment(grey, truth, users, coverages=(0.10, 0.25))
        spreads = [
            compare_labels(tools[name]).standard_deviation[-1] * 100
            for name in (AS_SEEN, "simple threshold", "forest 10 %", "forest 25 %")
        ]
        lines.append(f"| {bias_px} | {' | '.join(f'{each:.2f}' for each in spreads)} |")
    return "\n".join(lines) + "\n"


def segment(
    grey: FloatImage,
    truth: LabelVolume,
    users: list[ScriptedUser],
    coverages: tuple[float, ...] = COVERAGES,
) -> Labels:
    """Give the labels of each tool by each person."""
    ranges = [_range(grey, perceive(truth, user), user) for user in users]
    tools: Labels = {
        "simple threshold": [_bytes(by_range(grey, each)) for each in ranges],
        "Otsu, three classes": [_bytes(by_otsu(grey, n_classes=3, number=2))] * len(users),
    }
    for name, band in (("narrow watershed", NARROW), ("wide watershed", WIDE)):
        tools[name] = [_bytes(by_watershed(grey, each, band=band)) for each in ranges]
    for coverage, user in product(coverages, users):
        painted = draw_strokes(truth, user, coverage=coverage)
        forest = train_forest([grey], [painted], ForestParameters(seed=user.seed))
        tools.setdefault(f"forest {coverage:.0%}".replace("%", " %"), []).append(
            label_slice(forest, grey)
        )
    tools[AS_SEEN] = [perceive(truth, user) for user in users]
    return tools


def table(title: str, truth: LabelVolume, tools: Labels) -> str:
    """Compare people and the authors' mask, one row a tool."""
    lines = [
        f"\n{title}: the mask covers {truth.mean():.2%} of it.\n",
        "| tool | volume fraction, % | standard deviation | pairs differ, % | Dice with mask |",
        "|---|---|---|---|---|",
    ]
    for name, labels in tools.items():
        agreed = compare_labels(labels)
        share = agreed.mean[-1], agreed.standard_deviation[-1]
        differing = np.mean([pair.differing for pair in agreed.pairs])
        dice = [compare_labels([truth, each]).pairs[0].dice[-1] for each in labels]
        lines.append(
            f"| {name} | {share[0] * 100:.2f} | {share[1] * 100:.2f} | {differing * 100:.2f} | "
            f"{min(dice):.3f} to {max(dice):.3f} |"
        )
    return "\n".join(lines) + "\n"


def draw(grey: FloatImage, truth: LabelVolume, user: ScriptedUser, tools: Labels) -> Image.Image:
    """Draw the middle of the slice, one person's strokes, and where people differ."""
    window = np.s_[150:342, 180:408]
    base = np.repeat((np.clip(grey, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    painted = draw_strokes(truth, user, coverage=0.10)
    strokes = base.copy()
    strokes[painted == 1], strokes[painted == 0] = (230, 159, 0), (0, 114, 178)
    panels = [("slice", base[window]), ("10 % painted by one", strokes[window])]
    for name in SHOWN:
        share = dissent(tools[name])[..., None] * 2
        red = np.array((213, 60, 0), np.float32)
        panels.append((name, (base * (1 - share) + red * share).astype(np.uint8)[window]))
    return _sheet(panels)


def _sheet(panels: list[tuple[str, NDArray[np.uint8]]]) -> Image.Image:
    n_rows, n_columns = (2 * each for each in panels[0][1].shape[:2])
    font = ImageFont.load_default(18)
    sheet = Image.new("RGB", (3 * n_columns + 24, 2 * (n_rows + 34)), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for (row, column), (name, panel) in zip(_places(), panels, strict=True):
        left, top = column * (n_columns + 12), row * (n_rows + 34)
        pen.text((left + 4, top + 5), name, font=font, fill=(30, 32, 36))
        image = Image.fromarray(panel).resize((n_columns, n_rows), Image.Resampling.NEAREST)
        sheet.paste(image, (left, top + 30))
    return sheet


def _places() -> Iterator[tuple[int, int]]:
    yield from product(range(2), range(3))


def _range(grey: FloatImage, believed: LabelVolume, user: ScriptedUser) -> GreyRange:
    """Let somebody set two sliders while looking at a window with enough of both materials."""
    rng = np.random.default_rng([user.seed, 3])
    while True:
        row, column = (int(rng.integers(0, size - WINDOW_PX)) for size in grey.shape)
        window = np.s_[row : row + WINDOW_PX, column : column + WINDOW_PX]
        if believed[window].mean() > 0.2:
            return choose_range(grey[window], believed[window] > 0)


def _bytes(mask: NDArray[np.bool_]) -> LabelVolume:
    return mask.astype(np.uint8)


if __name__ == "__main__":
    main()
