"""Pictures of the patches in which a method is most wrong: grey values, truth, finding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lithoscope_models.evaluate.cases import Case
from lithoscope_pipeline.labels import UNLABELLED

_EDGE_PX: Final = 64
_SCALE: Final = 3
_GAP_PX: Final = 6
_N_KEPT: Final = 4
_TEXT_PX: Final = 16
# Okabe and Ito's colours, in the order of the classes.
_COLOURS: Final = np.array(
    [
        (40, 40, 40), (200, 220, 240), (150, 150, 150), (0, 114, 178), (213, 94, 0),
        (0, 158, 115), (240, 228, 66),
    ],
    np.uint8,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstPatch:
    """A patch and how many of its voxels are wrong."""

    n_wrong: int
    where: str
    grey: NDArray[np.float32]
    truth: NDArray[np.uint8]
    found: NDArray[np.uint8]


def worst_patches(
    kept: list[WorstPatch], case: Case, truth: NDArray[np.uint8], found: NDArray[np.uint8]
) -> list[WorstPatch]:
    """Keep the worst patches so far, one of a slice at most."""
    grey = case.grey
    out = list(kept)
    for number, (true_slice, found_slice) in enumerate(zip(truth, found, strict=True)):
        wrong = (true_slice != found_slice) & (true_slice != UNLABELLED)
        sums = np.pad(wrong.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        rows, columns = (min(_EDGE_PX, n) for n in wrong.shape)
        n_wrong = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns]
        n_wrong = n_wrong + sums[:-rows, :-columns]
        y, x = np.unravel_index(int(n_wrong.argmax()), n_wrong.shape)
        box = (slice(int(y), int(y) + rows), slice(int(x), int(x) + columns))
        scan = case.experiment.scans[case.index].scan
        out.append(
            WorstPatch(
                n_wrong=int(n_wrong.max()),
                where=f"{case.experiment.name}, scan {scan}, slice {case.slices[number]}",
                grey=grey[number][box],
                truth=true_slice[box],
                found=found_slice[box],
            )
        )
    return _apart(out)


def _apart(patches: list[WorstPatch]) -> list[WorstPatch]:
    """Keep the worst of different scans."""
    out: dict[str, WorstPatch] = {}
    for each in sorted(patches, key=lambda patch: -patch.n_wrong):
        out.setdefault(each.where.rpartition(",")[0], each)
    return list(out.values())[:_N_KEPT]


def draw_patches(path: Path, patches: list[WorstPatch]) -> None:
    """Draw patches below one another: grey values, truth, finding.

    Parameters
    ----------
    path
        PNG to write.
    patches
        From `worst_patches`; at least one.
    """
    edge = _EDGE_PX * _SCALE
    height = edge + _TEXT_PX + _GAP_PX
    picture = Image.new("RGB", (3 * (edge + _GAP_PX), height * len(patches)), "white")
    draw = ImageDraw.Draw(picture)
    for row, patch in enumerate(patches):
        top = row * height
        text = f"{patch.where}: {patch.n_wrong} voxels wrong; grey values, truth, found"
        draw.text((2, top + 2), text, fill="black")
        grey = np.clip((patch.grey + 0.5) / 2.0, 0, 1) * 255
        panels = [np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)]
        panels += [_coloured(each) for each in (patch.truth, patch.found)]
        for column, panel in enumerate(panels):
            image = Image.fromarray(panel).resize(
                (panel.shape[1] * _SCALE, panel.shape[0] * _SCALE), Image.Resampling.NEAREST
            )
            picture.paste(image, (column * (edge + _GAP_PX), top + _TEXT_PX))
    picture.save(path)


def _coloured(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(
        (classes == UNLABELLED)[..., None],
        np.uint8(255),
        _COLOURS[np.minimum(classes, len(_COLOURS) - 1)],
    )
