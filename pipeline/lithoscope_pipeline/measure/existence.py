"""The chance of each object of a scan to exist, and of those that a warning rests on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from lithoscope_pipeline.measure.gaps import MIN_OBJECT_VOXELS
from lithoscope_pipeline.measure.intervals.apply import (
    NOT_CALIBRATED,
    OUTSIDE,
    IntervalContext,
    find_calibration,
    is_inside,
)
from lithoscope_pipeline.measure.intervals.existence import existence_of
from lithoscope_pipeline.measure.objects import KINDS, Existence, ObjectTable, TrackedObject
from lithoscope_pipeline.metric import Z95, Metric, not_measured

_NO_OBJECT: Final = "no_object"


def with_existence(objects: ObjectTable, context: IntervalContext) -> ObjectTable:
    """Give each object the chance that it exists, where there is a calibration for it.

    Parameters
    ----------
    objects
        Of one scan.
    context
        What they were measured in.
    """
    if _why_not(context):
        return objects
    calibration = find_calibration(context, context.origin)
    if calibration is None or context.cnr is None or context.blur_px is None:
        return objects
    chances: dict[int, Existence] = {}
    for kind, table in calibration.existence.items():
        places = [n for n, each in enumerate(objects.objects) if each.kind == kind]
        voxels = np.array([objects.objects[n].voxels for n in places], np.float64)
        found = existence_of(table, voxels, cnr=context.cnr, blur_px=context.blur_px)
        for n, chance, low, high in zip(places, *found, strict=True):
            chances[n] = Existence(chance=float(chance), low95=float(low), high95=float(high))
    return replace(
        objects,
        objects=tuple(
            replace(each, existence=chances.get(n)) for n, each in enumerate(objects.objects)
        ),
    )


def measure_existence(objects: ObjectTable, context: IntervalContext) -> dict[str, Metric]:
    """Say how likely those objects exist that gap and tip are read from, and how many there are.

    Parameters
    ----------
    objects
        From `with_existence`.
    context
        As there.

    Returns
    -------
    dict
        ``gap_object_existence``: of the dendrite with the shortest way to the other side;
        ``tip_existence``: of the highest dendrite of at least 27 voxels; ``dendrites_expected``
        and ``pits_expected``: sums over all listed objects.
    """
    why = _why_not(context)
    dendrites = [each for each in objects.objects if each.kind == "dendrite"]
    with_gap = [each for each in dendrites if each.gap_um is not None]
    nearest = min(with_gap, key=lambda each: (each.gap_um or 0.0, -each.voxels), default=None)
    large = [each for each in dendrites if each.voxels >= MIN_OBJECT_VOXELS]
    highest = max(large, key=lambda each: (each.height_um, each.voxels), default=None)
    return {
        "gap_object_existence": _of_one(nearest, why),
        "tip_existence": _of_one(highest, why),
        **{
            f"{kind}s_expected": _of_all(
                [each for each in objects.objects if each.kind == kind], why
            )
            for kind, _ in KINDS
        },
    }


def _why_not(context: IntervalContext) -> str:
    """Say why no object of a scan has a chance; empty if they have one."""
    calibration = find_calibration(context, context.origin)
    if calibration is None or not calibration.existence:
        return NOT_CALIBRATED
    if not is_inside(calibration, context, ""):
        return OUTSIDE
    return ""


def _of_one(each: TrackedObject | None, why: str) -> Metric:
    if each is None:
        return not_measured("1", _NO_OBJECT)
    if each.existence is None:
        return not_measured("1", why or NOT_CALIBRATED)
    found = each.existence
    return Metric(
        value=found.chance, unit="1", low95=found.low95, high95=found.high95, voxels=each.voxels
    )


def _of_all(objects: Sequence[TrackedObject], why: str) -> Metric:
    """Add up chances; the curve errs for all objects alike, whether each is there is chance."""
    chances = [each.existence for each in objects if each.existence is not None]
    if why or len(chances) < len(objects):
        return not_measured("1", why or NOT_CALIBRATED)
    p = np.array([each.chance for each in chances])
    low = np.array([each.low95 for each in chances])
    high = np.array([each.high95 for each in chances])
    value, by_chance = float(p.sum()), Z95 * float(np.sqrt((p * (1 - p)).sum()))
    return Metric(
        value=value,
        unit="1",
        low95=max(0.0, value - float(np.hypot(value - low.sum(), by_chance))),
        high95=min(float(len(p)), value + float(np.hypot(high.sum() - value, by_chance))),
        voxels=sum(each.voxels for each in objects),
    )
