"""Draw the picture of the README from a stored experiment: slices with labels, and the gap.

``python docs/make_filmstrip.py STORE EXPERIMENT OUT.jpg``
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lithoscope_messages import LabelsReady, MetricsReady
from lithoscope_store import Store, label_classes, read_journal, read_region

FRAMES = 7
ZOOM = 1.0
MARGIN = 24
PLOT_HEIGHT = 260
BACKGROUND, INK, FAINT, GAP = (17, 20, 24), (230, 232, 235), (90, 96, 104), (213, 94, 0)
OPACITY = 0.45


def main() -> None:
    """Draw the picture."""
    store, name, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    paths = Store(store).experiment(name)
    messages = [entry.message for entry in read_journal(paths.journal)]
    labels = {m.scan: m for m in messages if isinstance(m, LabelsReady)}
    metrics = {m.scan: m for m in messages if isinstance(m, MetricsReady)}
    scans = sorted(metrics)
    chosen = [scans[round(i * (len(scans) - 1) / (FRAMES - 1))] for i in range(FRAMES)]
    tiles = [draw_slice(paths.resolve(labels[scan].path), labels[scan]) for scan in chosen]
    width = sum(tile.width for tile in tiles) + MARGIN * (len(tiles) + 1)
    height = max(tile.height for tile in tiles) + PLOT_HEIGHT + 3 * MARGIN
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    x = MARGIN
    for scan, tile in zip(chosen, tiles, strict=True):
        sheet.paste(tile, (x, MARGIN))
        charge = metrics[scan].charge_mAh or 0.0
        text = f"scan {scan}   {charge:z.2f} mAh"
        draw.text((x, MARGIN + tile.height + 4), text, INK, font=font(15))
        x += tile.width + MARGIN
    box = (MARGIN + 70, height - PLOT_HEIGHT, width - MARGIN, height - MARGIN - 30)
    draw_gap(draw, metrics, box)
    sheet.save(out, quality=88)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give Pillow's own face in a size."""
    return ImageFont.load_default(size)


def draw_slice(path: Path, ready: LabelsReady) -> Image.Image:
    """Draw the middle slice with its labels, y upwards."""
    region = (slice(ready.shape[0] // 2, ready.shape[0] // 2 + 1), slice(None), slice(None))
    grey = read_region(path, region)[0].astype(np.float64)
    classes = read_region(path, region, label=ready.label_name)[0]
    low, high = np.percentile(grey, (1, 99))
    shade = 255 * np.clip((grey - low) / (high - low), 0, 1)
    picture = np.repeat(shade[..., None], 3, axis=2)
    for each in label_classes(path, ready.label_name):
        if each.name not in ("background", "electrolyte"):
            is_in = classes == each.value
            colour = np.array(each.colour[:3], dtype=np.float64)
            picture[is_in] = (1 - OPACITY) * picture[is_in] + OPACITY * colour
    image = Image.fromarray(picture[::-1].astype(np.uint8))
    return image.resize((round(image.width * ZOOM), round(image.height * ZOOM)))


def draw_gap(
    draw: ImageDraw.ImageDraw, metrics: dict[int, MetricsReady], box: tuple[int, int, int, int]
) -> None:
    """Draw the remaining gap of every scan, and the set value of the rule."""
    values = [
        (scan, fact.metrics["remaining_gap_um"].value) for scan, fact in sorted(metrics.items())
    ]
    points = [(scan, value) for scan, value in values if value is not None]
    left, top, right, bottom = box
    last, highest = points[-1][0], 50 * np.ceil(max(value for _, value in points) / 50)

    def at(scan: float, value: float) -> tuple[float, float]:
        return left + (right - left) * scan / last, bottom - (bottom - top) * value / highest

    for value in np.arange(0, highest + 1, 50):
        draw.line([at(0, value), at(last, value)], fill=(40, 45, 52))
        draw.text((left - 50, at(0, value)[1] - 9), f"{value:.0f}", FAINT, font=font(15))
    draw.line([at(0, 120), at(last, 120)], fill=GAP, width=1)
    draw.text((left + 8, at(0, 120)[1] - 20), "rule: propose to hold", GAP, font=font(15))
    draw.line([at(scan, value) for scan, value in points], fill=INK, width=3)
    for scan, value in points:
        x, y = at(scan, value)
        colour = GAP if value < 120 else INK
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
    draw.text((left, top - 26), "remaining gap, micrometres", INK, font=font(16))
    for scan in range(0, last + 1, max(1, last // 12)):
        draw.text((at(scan, 0)[0] - 4, bottom + 6), str(scan), FAINT, font=font(15))
    draw.text((right - 60, bottom + 24), "scan", FAINT, font=font(15))


if __name__ == "__main__":
    main()
