"""Which simulated experiments intervals are calibrated on: of each family, and between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from lithoscope_models.data.cells import CellDraw
from lithoscope_pipeline.phantom import FamilyName, SizeName

#: They differ in growth (mossy, filaments), contrast, noise spectrum and blur.
FAMILIES: Final[tuple[FamilyName, ...]] = (
    *("default", "mossy", "filaments", "soft_contrast", "coarse_noise", "blurred"),
)
#: Families that experiments between two of them are drawn towards, in turn: those whose labels err
#: as no others' do.
_TOWARDS: Final[tuple[FamilyName, ...]] = (
    "filaments",
    "mossy",
    "filaments",
    "blurred",
    "filaments",
    "mossy",
)
#: How far: at most half way, so that each is rather what it comes from.
_SHARE: Final = (0.4, 0.5)
#: Scans that are looked at of those between: errors of the scans of one experiment are much alike,
#: so that more experiments tell more than more scans do.
_SCANS_BETWEEN: Final = (0, 6, 12, 17, 22)
#: Of nine experiments in a row the last three are between two families.
_IN_A_ROW: Final = 9
_STREAM: Final = 73
_FIRST_SEED: Final = 70_000  # far from the cells that networks are trained on
_FIRST_SEED_BETWEEN: Final = 80_000
#: Against that of the family: contrast-to-noise from about 2.3 to 7 in each. Where there is less,
#: the labels of the default network fall apart.
_NOISE: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"soft_contrast": (0.4, 1.0), "coarse_noise": (0.35, 0.8)}
)
_OTHER_NOISE: Final = (0.6, 1.8)
_BRIDGED_SHARE: Final = 0.4
_BRIDGE_PULSE: Final = (5.0, 12.0)
#: Full width at half maximum of what blurs an image besides its family's own detector, largest:
#: every family reaches what `blurred` has, which differs in its growth from no other.
_BLUR_PX: Final[Mapping[str, float]] = MappingProxyType({"blurred": 1.0})
_OTHER_BLUR_PX: Final = 2.0
_FACE_BIAS_PX: Final = 0.1
_FACE_SPREAD_PX: Final = 0.05
_IN_PLANE_PX: Final = (0.03, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is looked at of each experiment.

    Parameters
    ----------
    size
        Detector: edge of the voxels, blur and noise.
    scans
        Of the 25 scans of a cycle: the first half-cycle closely, its last scan, some later ones.
    view_px
        Rows and columns of the detector, so that the box lies in its view.
    box_px
        Box along z, y and x: across all layers, a part of the electrodes.
    """

    size: SizeName = "small"
    scans: tuple[int, ...] = (0, 2, 4, 6, 8, 10, 12, 17, 22)
    view_px: tuple[int, int] = (42, 336)
    box_px: tuple[int, int, int] = (40, 288, 112)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment of the calibration.

    Parameters
    ----------
    number
        From 0; families take turns, so that any first part of all experiments is balanced.
        Those between two families are counted apart.
    cell
        The cell.
    noise
        Noise against that of the family.
    blur_px
        Full width at half maximum of what blurs it besides its family's detector, voxels.
    bridge_pulse
        Pulse in which it is bridged, None if it is not.
    """

    number: int
    cell: CellDraw
    noise: float
    blur_px: float
    bridge_pulse: float | None

    @property
    def name(self) -> str:
        """Name of its folder."""
        if self.cell.towards is None:
            return f"{self.number:03d}-{self.cell.family}"
        return f"b{self.number:03d}-{self.cell.family}-{self.cell.towards}"

    @property
    def seen_name(self) -> str:
        """Name of the folder of all that hangs on how it is looked at."""
        name = f"seen-{self.blur_px:.4f}"
        return f"{name}-{self.offset_px:.4f}" if self.offset_px else name

    @property
    def offset_px(self) -> float:
        """How far the cell lies from where its layers put it, along y.

        The frame that is found in a first scan lies anywhere between the voxels, its faces are
        cut as they come, and the error of that scan stays in all that are compared with it.
        Cells of a family lie where they always did: nearly all their first scans are cut alike.
        """
        if self.cell.towards is None:
            return 0.0
        rng = np.random.default_rng([self.cell.seed, _STREAM, 3])
        return float(rng.uniform(-0.5, 0.5))

    def face_errors_px(self, n_scans: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Draw what measuring the outer faces leaves: shape (n_scans, 2), voxels.

        On cells that went through the whole chain it was up to 0.2 voxels, much the same in all
        scans of a cell.
        """
        rng = np.random.default_rng([self.cell.seed, _STREAM, 1])
        errors = _FACE_BIAS_PX * rng.standard_normal(2)
        errors = errors + _FACE_SPREAD_PX * rng.standard_normal((n_scans, 2))
        errors[0] = 0.0  # displacements count from the first scan
        return np.asarray(errors)

    def in_plane_errors_px(
        self, n_scans: int
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Draw what registration leaves along z and x: shape (n_scans, 2), voxels.

        Half of what is left belongs to the cell, for all scans are compared with one that is
        changing away; how much, from a thirtieth of a voxel to a quarter, differs between cells.
        """
        rng = np.random.default_rng([self.cell.seed, _STREAM, 2])
        sd = float(np.exp(rng.uniform(*np.log(_IN_PLANE_PX)))) / np.sqrt(2.0)
        errors = sd * rng.standard_normal(2) + sd * rng.standard_normal((n_scans, 2))
        errors[0] = 0.0  # the others are brought to the first
        return np.asarray(errors)


def draw_experiment(number: int, plan: Plan) -> Experiment:
    """Draw the experiment of a number; the same number gives the same one."""
    seed = _FIRST_SEED + number
    rng = np.random.default_rng([seed, _STREAM])
    family = FAMILIES[number % len(FAMILIES)]
    cell = CellDraw(seed=seed, size=plan.size, family=family, spread=1.0)
    return _drawn(number, cell, rng)


def draw_between(number: int, plan: Plan) -> Experiment:
    """Draw an experiment part of the way from one family to another.

    Counted from 0, apart from those of `draw_experiment`.
    """
    seed = _FIRST_SEED_BETWEEN + number
    rng = np.random.default_rng([seed, _STREAM])
    towards = _TOWARDS[number % len(_TOWARDS)]
    others = [each for each in FAMILIES if each != towards]
    cell = CellDraw(
        seed=seed,
        size=plan.size,
        family=others[rng.integers(len(others))],
        spread=1.0,
        towards=towards,
        share=float(rng.uniform(*_SHARE)),
    )
    return _drawn(number, cell, rng)


def draw_in_turn(place: int, plan: Plan) -> tuple[Experiment, Plan]:
    """Draw the experiment at a place of the calibration: six of the families, three between.

    And say what is looked at of it.
    """
    rows, rest = divmod(place, _IN_A_ROW)
    n_families = len(FAMILIES)
    if rest < n_families:
        return draw_experiment(rows * n_families + rest, plan), plan
    n_between = _IN_A_ROW - n_families
    between = draw_between(rows * n_between + rest - n_families, plan)
    scans = tuple(each for each in plan.scans if each in _SCANS_BETWEEN)
    return between, replace(plan, scans=scans)


def _drawn(number: int, cell: CellDraw, rng: np.random.Generator) -> Experiment:
    own, other = (
        np.log(_NOISE.get(each, _OTHER_NOISE)) for each in (cell.family, cell.towards or "")
    )
    noise = float(np.exp(rng.uniform(*(own + cell.share * (other - own)))))
    bridge = float(rng.uniform(*_BRIDGE_PULSE)) if rng.random() < _BRIDGED_SHARE else None
    ends = [_BLUR_PX.get(each, _OTHER_BLUR_PX) for each in (cell.family, cell.towards or "")]
    blur = float(rng.uniform(0.0, ends[0] + cell.share * (ends[1] - ends[0])))
    return Experiment(number=number, cell=cell, noise=noise, blur_px=blur, bridge_pulse=bridge)
