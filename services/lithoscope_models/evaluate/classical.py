"""Methods without a network: thresholds, watershed, and a forest from scribbles.

Grey values tell lithium, electrolyte and packaging apart and nothing else, so that thresholds give
three classes; what they call lithium counts as electrode. All that is chosen, is chosen on one
slice of a cell that is not scored.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from lithoscope_models.evaluate.cases import Case
from lithoscope_models.evaluate.methods import Labelled, Method
from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.scribbles import (
    Forest,
    GreyRange,
    ScriptedUser,
    by_range,
    by_watershed,
    choose_range,
    draw_strokes,
    label_slice,
    train_forest,
)

_GAUSSIAN_PX: Final = 1.0
_BANDS: Final = {"narrow": 0.1, "wide": 0.3}  # of the contrast of lithium to electrolyte
_LITHIUM: Final = (SegmentClass.ELECTRODE, SegmentClass.DEPOSITED, SegmentClass.DENDRITE)
_COVERAGE: Final = 0.25
_N_PAINTED: Final = 4
_USER: Final = ScriptedUser(seed=1)
_Rule = Callable[[FloatImage], LabelVolume]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMethod:
    """A rule for one slice of grey values.

    Parameters
    ----------
    name, note
        Of its row.
    rule
        Gives the classes of a slice.
    sigma_px
        Gaussian before it; 0 for none.
    """

    name: str
    rule: _Rule
    sigma_px: float = 0.0
    note: str = ""
    n_parameters: int | None = None

    def label(self, case: Case) -> Labelled:
        """Label slice by slice."""
        segments, seconds = [], []
        for grey in case.grey:
            begin = time.perf_counter()
            segments.append(self.rule(_smooth(grey, self.sigma_px)))
            seconds.append(time.perf_counter() - begin)
        return Labelled(segments=np.stack(segments), best=None, seconds=tuple(seconds))


def classical_methods(examples: Sequence[Case]) -> list[Method]:
    """Set up all classical methods.

    Parameters
    ----------
    examples
        Scans of a cell that is not scored; ranges are chosen on the first one, the forest is
        trained on a slice of each of the first four.
    """
    out: list[Method] = []
    for sigma_px in (0.0, _GAUSSIAN_PX):
        smoothed = ", Gaussian" if sigma_px else ""
        grey, truth = _smooth(examples[0].grey[0], sigma_px), examples[0].truth[0]
        lithium = choose_range(grey, np.isin(truth, _LITHIUM))
        electrolyte = choose_range(grey, truth == SegmentClass.ELECTROLYTE)
        rules: dict[str, _Rule] = {
            "manual thresholds": _by_ranges(lithium, electrolyte),
            "Otsu": _by_otsu(2),
            "multi-Otsu": _by_otsu(3),
        }
        for name, band in _BANDS.items():
            rules[f"watershed, {name}"] = _by_watershed(lithium, electrolyte, band)
        out += [
            SliceMethod(name=f"{name}{smoothed}", rule=rule, sigma_px=sigma_px)
            for name, rule in rules.items()
        ]
    forest = _forest(examples[:_N_PAINTED])
    out.append(
        SliceMethod(
            name="random forest from scribbles",
            rule=lambda grey: label_slice(forest, grey),
            note=f"{_COVERAGE:.0%} of {_N_PAINTED} slices painted by a scripted person",
        )
    )
    return out


def _smooth(grey: FloatImage, sigma_px: float) -> FloatImage:
    if not sigma_px:
        return grey
    return np.asarray(ndimage.gaussian_filter(grey, sigma_px, mode="nearest"), np.float32)


def _by_ranges(lithium: GreyRange, electrolyte: GreyRange) -> _Rule:
    def rule(grey: FloatImage) -> LabelVolume:
        out = np.full(grey.shape, SegmentClass.BACKGROUND, np.uint8)
        out[by_range(grey, electrolyte)] = SegmentClass.ELECTROLYTE
        out[by_range(grey, lithium)] = SegmentClass.ELECTRODE
        return out

    return rule


def _by_otsu(n_classes: int) -> _Rule:
    classes = np.array(
        [SegmentClass.ELECTRODE, SegmentClass.ELECTROLYTE, SegmentClass.BACKGROUND], np.uint8
    )

    def rule(grey: FloatImage) -> LabelVolume:
        return classes[np.digitize(grey, threshold_multiotsu(grey, classes=n_classes))]

    return rule


def _by_watershed(lithium: GreyRange, electrolyte: GreyRange, band: float) -> _Rule:
    def rule(grey: FloatImage) -> LabelVolume:
        out = np.full(grey.shape, SegmentClass.BACKGROUND, np.uint8)
        out[by_watershed(grey, electrolyte, band=band)] = SegmentClass.ELECTROLYTE
        out[by_watershed(grey, lithium, band=band)] = SegmentClass.ELECTRODE
        return out

    return rule


def _forest(examples: Sequence[Case]) -> Forest:
    slices = [example.grey[0] for example in examples]
    painted = [draw_strokes(each.truth[0], _USER, coverage=_COVERAGE) for each in examples]
    return train_forest(slices, painted)
