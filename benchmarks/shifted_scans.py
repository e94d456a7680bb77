"""Simulated scans that differ from those networks learn from, with their truth, at image level.

A cell is made once without noise and once with; what sets a scan apart is then done to both
images: that takes a tenth of a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.image_level import imaged
from lithoscope_models.data.measured_models import measured_model
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume, Roi
from lithoscope_pipeline.labels import SegmentClass, segments_of
from lithoscope_pipeline.phantom import FamilyName, SimulatedCell

Kind = Literal[
    "noise", "blur", "coarse", "rings", "uneven", "deposit", "growth", "zoom", "fringe", "mixed",
    "polarity",
]  # fmt: skip
#: What each kind changes, from nothing at strength 0 to what stands here at 1.
KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "noise": "contrast to noise 3.5 times lower",
        "blur": "blurred by 2 voxels",
        "coarse": "noise smoothed by 1.5 voxels, as strong as before",
        "rings": "rings of 0.7 of the contrast",
        "uneven": "grey values that rise and fall across the view, 0.4 of the contrast",
        "deposit": "plated lithium with 0.7 of the contrast taken by electrolyte in its pores",
        "growth": "another growth law, its parameters spread twice as far as in training",
        "zoom": "voxels 1.7 times larger than said",
        "fringe": "edges sharpened as by too little phase retrieval",
        "mixed": "half noise, half blur, coarser noise",
        "polarity": "grey values inverted",
    }
)
_Z: Final = 24
_BOX_YX: Final = (288, 112)
_POUCH_PX: Final = 24
_STREAM: Final = 91
_PLATED: Final = (int(SegmentClass.DEPOSITED), int(SegmentClass.DENDRITE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How a scan differs.

    Parameters
    ----------
    kind, strength
        See `KINDS`; strength from 0 to 1.
    seed
        Of what is random in it.
    """

    kind: Kind
    strength: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A scan in two parts, all of shape (n_z, n_y, n_x).

    Parameters
    ----------
    clean, grain
        Grey values without noise, and the noise, 1/cm.
    classes
        True `SegmentClass`.
    moved_px
        How far the plating outer face has moved since scan 0.
    """

    clean: FloatVolume
    grain: FloatVolume
    classes: LabelVolume
    moved_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cell of which scans are made.

    Parameters
    ----------
    seed, family, spread
        As in `CellDraw`.
    n_z
        Slices.
    """

    seed: int
    family: FamilyName = "default"
    spread: float = 1.0
    n_z: int = _Z


@lru_cache(maxsize=24)
def render(source: Source, scan: int, models: Path) -> Rendered:
    """Make a scan of a cell; blur and noise of its family are kept in the folder ``models``."""
    cell = _cell(source)
    roi = _box(cell, source.n_z)
    model = measured_model(models, "small", source.family)
    rng = np.random.default_rng([source.seed, scan, _STREAM])
    z_px, y_px, x_px = (each - round(each) for each in cell.drift(scan).shift_px)
    shift_px = (z_px, y_px, x_px)
    quiet = replace(model, noise=0 * model.noise)
    clean = imaged(cell, scan, roi, quiet, rng, shift_px=shift_px)
    rng = np.random.default_rng([source.seed, scan, _STREAM])
    noisy = imaged(cell, scan, roi, model, rng, shift_px=shift_px)
    outer_um = [cell.planes(each).outer_high_um for each in (0, scan)]
    return Rendered(
        clean=clean,
        grain=noisy - clean,
        classes=segments_of(cell.labels(scan, roi)),
        moved_px=(outer_um[1] - outer_um[0]) / cell.voxel_um,
    )


@lru_cache(maxsize=8)
def _cell(source: Source) -> SimulatedCell:
    draw = CellDraw(seed=source.seed, size="small", family=source.family, spread=source.spread)
    return drawn_cell(draw, view_px=(source.n_z + 2, 336))


def _box(cell: SimulatedCell, n_z: int) -> Roi:
    n_y, n_x = _BOX_YX
    roi = cell.roi
    y1 = min(roi.y1 + _POUCH_PX, cell.detector.n_columns)
    x0 = (roi.x0 + roi.x1 - n_x) // 2
    return Roi(z0=roi.z0, z1=roi.z0 + n_z, y0=y1 - n_y, y1=y1, x0=x0, x1=x0 + n_x)


def shifted(scan: Rendered, shift: Shift) -> Rendered:
    """Do to a scan what sets it apart; the sum of its parts is what a network sees."""
    u, clean, grain = shift.strength, scan.clean, scan.grain
    contrast = _contrast(scan)
    rng = np.random.default_rng([shift.seed, _STREAM, 1])
    match shift.kind:
        case "noise":
            grain = grain * np.float32(3.5**u)
        case "blur":
            clean = ndimage.gaussian_filter(clean, 2.0 * u)
        case "coarse":
            grain = _smoothed(grain, 1.5 * u)
        case "mixed":
            clean = ndimage.gaussian_filter(clean, u)
            grain = _smoothed(grain, 0.5 * u) * np.float32(2.0**u)
        case "rings":
            clean = clean + np.float32(0.7 * u * contrast) * _rings(clean.shape, rng)
        case "uneven":
            clean = clean + np.float32(0.4 * u * contrast) * _field(clean.shape, rng)
        case "deposit":
            plated = np.isin(scan.classes, _PLATED).astype(np.float32)
            lift = np.float32(0.7 * u * contrast)
            clean = clean + lift * ndimage.gaussian_filter(plated, 0.7)
        case "fringe":
            clean = clean - np.float32(1.5 * u) * ndimage.gaussian_laplace(clean, 1.0)
        case "polarity":
            clean, grain = -clean, -grain
        case "zoom":
            return _zoomed(scan, 1.0 + 0.7 * u)
        case "growth":
            pass  # another cell, not another image
    return replace(scan, clean=clean, grain=grain)


def _contrast(scan: Rendered) -> float:
    lithium = scan.clean[scan.classes == SegmentClass.ELECTRODE]
    electrolyte = scan.clean[scan.classes == SegmentClass.ELECTROLYTE]
    return float(np.median(electrolyte) - np.median(lithium))


def _smoothed(grain: FloatVolume, sigma_px: float) -> FloatVolume:
    smooth = ndimage.gaussian_filter(grain, sigma_px)
    return np.asarray(smooth * (grain.std() / smooth.std()), np.float32)


def _rings(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    n_z, n_y, n_x = shape
    y, x = np.mgrid[:n_y, :n_x]
    radius_px = np.hypot(y - n_y / 2, x - n_x / 2)
    profiles = ndimage.gaussian_filter(rng.standard_normal((n_z, n_y + n_x)), (1.0, 0.6))
    profiles /= profiles.std()
    at = np.arange(profiles.shape[1])
    return np.stack([np.interp(radius_px, at, each) for each in profiles]).astype(np.float32)


def _field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[2]), indexing="ij")
    a, b, c, d = rng.normal(size=4)
    field = a * x + b * np.sin(3 * x + c) + 0.5 * d * np.cos(2.5 * y)
    return np.asarray(field / field.std(), np.float32)[None]


def _zoomed(scan: Rendered, factor: float) -> Rendered:
    steps = (1.0, 1.0 / factor, 1.0 / factor)
    clean, grain = (ndimage.zoom(each, steps, order=1) for each in (scan.clean, scan.grain))
    return Rendered(
        clean=clean,
        grain=grain,
        classes=ndimage.zoom(scan.classes, steps, order=0),
        moved_px=scan.moved_px / factor,
    )
