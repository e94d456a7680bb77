"""The report of a fine-tuning: a page of Markdown with pictures of held-out slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lithoscope_models.data.painted import PaintedSlice
from lithoscope_models.fine_tune.scores import HeldOutScores, SeenSlice
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass

REPORT: Final = "report.md"
# Okabe and Ito's colours, as the page has them; both electrodes are one class here.
_COLOURS: Final = {
    SegmentClass.BACKGROUND: (60, 60, 60),
    SegmentClass.ELECTROLYTE: (240, 228, 66),
    SegmentClass.ELECTRODE: (0, 114, 178),
    SegmentClass.DEPOSITED: (230, 159, 0),
    SegmentClass.DENDRITE: (213, 94, 0),
    SegmentClass.PIT: (204, 121, 167),
    SegmentClass.VOID: (255, 255, 255),
}
_OPACITY: Final = 0.55
_HEAD_PX: Final = 24
_GAP_PX: Final = 6
_PANEL_PX: Final = 360  # width of a panel, at least
_GREY: Final = (-0.7, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a fine-tuning has found.

    Parameters
    ----------
    name, base
        Of the new model and of the one that it began with.
    experiment
        Whose slices were painted; None for slices from files.
    training_slices, held_out_slices
        Which slices were learned from, and which were not.
    before, after
        What either model makes of the held-out slices.
    before_alone, after_alone
        The same without earlier scans; None where there are none.
    n_steps, cpu_s
        Steps taken, and processor time of all of it, s.
    why_not
        Why it does not count as validated; empty if it does.
    command
        That made it.
    """

    name: str
    base: str
    experiment: str | None
    training_slices: tuple[PaintedSlice, ...]
    held_out_slices: tuple[PaintedSlice, ...]
    before: HeldOutScores
    after: HeldOutScores
    before_alone: HeldOutScores | None
    after_alone: HeldOutScores | None
    n_steps: int
    cpu_s: float
    why_not: str
    command: str


def write_report(folder: Path, found: Findings) -> Path:
    """Write the page and its pictures; give the page.

    Parameters
    ----------
    folder
        Of the model.
    found
        What it says.
    """
    pictures = []
    for which, before, after in zip(
        found.held_out_slices, found.before.slices, found.after.slices, strict=True
    ):
        name = f"held-out-{which.scan:03d}-{which.z:04d}.png"
        _draw(before, after).save(folder / name)
        pictures.append((which, name))
    path = folder / REPORT
    path.write_text(_text(found, pictures))
    return path


def _text(found: Findings, pictures: Sequence[tuple[PaintedSlice, str]]) -> str:
    whose = "" if found.experiment is None else f" of `{found.experiment}`"
    verdict = (
        f"Counts as validated{whose}."
        if not found.why_not
        else f"**Does not count as validated**: {found.why_not}. Paint more, or other slices."
    )
    parts = [
        f"# {found.name}",
        f"`{found.command}`",
        f"`{found.base}`, trained on from {_list(found.training_slices)}{whose}: {found.n_steps} "
        f"steps, {found.cpu_s / 60:.1f} minutes of processor time. Judged on "
        f"{_list(found.held_out_slices)}, which it has not seen.",
        verdict,
        "## Held-out slices",
        _table(found),
        "Intersection over union of painted voxels; a class of which fewer than 50 are painted is "
        "left out. Where earlier scans exist they are shown, as they are in a running experiment.",
    ]
    if found.before_alone is not None and found.after_alone is not None:
        parts += ["Without earlier scans:", _rows(found.before_alone, found.after_alone)]
    for which, name in pictures:
        parts += [
            f"## Scan {which.scan}, slice {which.z}",
            f"![Grey values, painted, before and after]({name})",
        ]
    parts += [
        "Electrolyte yellow, electrode blue, deposited orange, dendrite red, pit pink, void "
        "white, background dark.",
        "## Next",
        f'Set `segment.model = "{Path(found.name)}"` to this folder, for new experiments or with '
        "`lithoscope reprocess`. Metrics have no intervals until `lithoscope model calibrate` was "
        "run on it.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(found: Findings) -> str:
    return _rows(found.before, found.after)


def _rows(before: HeldOutScores, after: HeldOutScores) -> str:
    lines = ["| class | painted voxels | before | after |", "|---|---|---|---|"]
    for name, value in after.iou.items():
        was = before.iou.get(name, float("nan"))
        lines.append(f"| {name} | {after.n_voxels[name]} | {was:.3f} | {value:.3f} |")
    return "\n".join(lines)


def _list(slices: Sequence[PaintedSlice]) -> str:
    by_scan: dict[int, list[str]] = {}
    for each in slices:
        by_scan.setdefault(each.scan, []).append(str(each.z))
    return "; ".join(
        f"slice{'s' if len(zs) > 1 else ''} {', '.join(zs)} of scan {scan}"
        for scan, zs in by_scan.items()
    )


def _draw(before: SeenSlice, after: SeenSlice) -> Image.Image:
    """Draw grey values, what was painted, and both findings, y upwards."""
    low, high = _GREY
    grey = np.clip((before.grey - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    panels = {
        "grey values": np.stack([grey] * 3, axis=-1),
        "painted": _over(grey, before.painted),
        "before": _over(grey, before.found),
        "after": _over(grey, after.found),
    }
    zoom = max(1, -(-_PANEL_PX // grey.shape[1]))
    height, width = (zoom * n for n in grey.shape)
    sheet = Image.new(
        "RGB", (len(panels) * (width + _GAP_PX) - _GAP_PX, height + _HEAD_PX), "white"
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, (title, panel) in enumerate(panels.items()):
        left = number * (width + _GAP_PX)
        pen.text((left + 4, 3), title, font=font, fill="black")
        image = Image.fromarray(panel[::-1].copy())
        sheet.paste(image.resize((width, height), Image.Resampling.NEAREST), (left, _HEAD_PX))
    return sheet


def _over(grey: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay colours over grey values where something is known."""
    colours = np.zeros((256, 3), np.float32)
    for each, colour in _COLOURS.items():
        colours[each] = colour
    base = np.stack([grey] * 3, axis=-1).astype(np.float32)
    strength = np.where(classes == UNLABELLED, 0.0, _OPACITY)[..., None]
    return np.asarray(base * (1 - strength) + colours[classes] * strength, np.uint8)
