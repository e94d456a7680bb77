"""Two experiments side by side: metrics with their differences, agreement of labels, decisions."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from lithoscope_messages import Entry, LabelsReady, TransformReady
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.report import JsonObject, make_report
from lithoscope_store import ExperimentPaths, label_classes, read_slab, volume_info

#: Beyond this the same voxel is not the same place in both.
LARGEST_SHIFT_PX: Final = 0.5
_SLAB: Final = 32


class NothingInCommonError(ServiceError, ValueError):
    """Two experiments have no scan of the same number."""


def compare_experiments(
    paths: tuple[ExperimentPaths, ExperimentPaths],
    entries: tuple[Sequence[Entry], Sequence[Entry]],
) -> JsonObject:
    """Compare two experiments, scan by scan.

    Parameters
    ----------
    paths
        Where they lie.
    entries
        Their journals.

    Returns
    -------
    dict
        ``a``, ``b``; ``scans``: for each scan that both have ``metrics`` (``a``, ``b``,
        ``difference``, its ``half_width`` from both intervals, and ``is_beyond`` if the difference
        is larger; None where an interval is not known) and ``labels`` (``dice`` by class, or
        ``reason`` why they cannot be laid over each other); ``only_in_a``, ``only_in_b``; and
        ``rules``: scans at which each rule fired in either.

    Raises
    ------
    NothingInCommonError
        If they have no scan in common.
    """
    reports = [make_report(p.name, e) for p, e in zip(paths, entries, strict=True)]
    by_scan = [{scan["scan"]: scan for scan in report["scans"]} for report in reports]
    common = sorted(by_scan[0].keys() & by_scan[1].keys())
    if not common:
        raise NothingInCommonError(
            f"{paths[0].name} and {paths[1].name} have no scan in common; check the names"
        )
    histories = [_history(p.name, e) for p, e in zip(paths, entries, strict=True)]
    why_not = _why_other_places(histories[0], histories[1])
    return {
        "a": paths[0].name,
        "b": paths[1].name,
        "scans": [
            {
                "scan": scan,
                "metrics": _metrics(by_scan[0][scan]["metrics"], by_scan[1][scan]["metrics"]),
                "labels": _labels(
                    paths, (histories[0].scans[scan], histories[1].scans[scan]), why_not
                ),
            }
            for scan in common
        ],
        "only_in_a": sorted(by_scan[0].keys() - by_scan[1].keys()),
        "only_in_b": sorted(by_scan[1].keys() - by_scan[0].keys()),
        "rules": _rules(reports[0], reports[1]),
    }


def summarise(compared: JsonObject) -> list[JsonObject]:
    """Give one row a metric: over how many scans it differs, and where most.

    Returns
    -------
    list
        ``metric``, ``unit``, ``n_scans``, ``n_equal``, ``n_beyond`` (None if no interval is
        known), ``mean_difference``, ``largest_difference`` and ``at_scan``; the metrics that
        differ first.
    """
    found: dict[str, list[tuple[int, JsonObject]]] = {}
    for scan in compared["scans"]:
        for name, metric in scan["metrics"].items():
            if metric["difference"] is not None:
                found.setdefault(name, []).append((scan["scan"], metric))
    rows = []
    for name, series in sorted(found.items()):
        differences = [metric["difference"] for _, metric in series]
        known = [m["is_beyond"] for _, m in series if m["is_beyond"] is not None]
        largest = max(range(len(series)), key=lambda n: abs(differences[n]))
        rows.append(
            {
                "metric": name,
                "unit": series[0][1]["unit"],
                "n_scans": len(series),
                "n_equal": differences.count(0.0),
                "n_beyond": sum(known) if known else None,
                "mean_difference": float(np.mean(differences)),
                "largest_difference": differences[largest],
                "at_scan": series[largest][0],
            }
        )
    return sorted(rows, key=lambda row: row["n_equal"] == row["n_scans"])


def _history(name: str, entries: Sequence[Entry]) -> History:
    history = History(name)
    history.extend(entries)
    return history


def _metrics(first: JsonObject, second: JsonObject) -> JsonObject:
    return {name: _difference(first.get(name), second.get(name)) for name in first | second}


def _difference(a: JsonObject | None, b: JsonObject | None) -> JsonObject:
    """Subtract; intervals of both are taken as of errors that know nothing of each other."""
    unit = next(metric["unit"] for metric in (a, b) if metric is not None)
    difference = None
    if a is not None and b is not None and None not in (a["value"], b["value"]):
        difference = b["value"] - a["value"]
    widths = [_half_width(metric) for metric in (a, b)]
    width = None
    if difference is not None and None not in widths:
        width = math.hypot(*(each for each in widths if each is not None))
    return {
        "unit": unit,
        "a": a,
        "b": b,
        "difference": difference,
        "half_width": width,
        "is_beyond": None if width is None or difference is None else abs(difference) > width,
    }


def _half_width(metric: JsonObject | None) -> float | None:
    if metric is None or metric["low95"] is None or metric["high95"] is None:
        return None
    return float(metric["high95"] - metric["low95"]) / 2


def _why_other_places(first: History, second: History) -> str:
    """Say why a voxel of one is not that of the other; empty if it is."""
    frames = [_frame(history) for history in (first, second)]
    if frames[0] is None or frames[1] is None:
        return "one of them has no reference frame"
    (scan_a, a), (scan_b, b) = frames[0], frames[1]
    if scan_a != scan_b:
        return f"their reference frames are set by scans {scan_a} and {scan_b}"
    corners = [
        np.array([z, y, x]) for z in _ends(a, "z") for y in _ends(a, "y") for x in _ends(a, "x")
    ]
    shift_px = max(float(np.abs(_to_scan(a, c) - _to_scan(b, c)).max()) for c in corners)
    if shift_px > LARGEST_SHIFT_PX:
        return f"their reference frames lie {shift_px:.2f} voxels apart"
    return ""


def _ends(transform: TransformReady, axis: str) -> tuple[float, float]:
    return getattr(transform.roi, f"{axis}0"), getattr(transform.roi, f"{axis}1")


def _to_scan(transform: TransformReady, point: Any) -> Any:  # three numbers
    from lithoscope_services.stages.register_frame import frame_transform

    return frame_transform(transform.model_dump()).to_scan(point)


def _frame(history: History) -> tuple[int, TransformReady] | None:
    for scan in history.in_order():
        if scan.transform is not None and scan.transform.verdict == "reference":
            return scan.scan, scan.transform
    return None


def _labels(
    paths: tuple[ExperimentPaths, ExperimentPaths],
    scans: tuple[ScanHistory, ScanHistory],
    why_not: str,
) -> JsonObject:
    first, second = scans[0].labels, scans[1].labels
    if first is None or second is None:
        return {"dice": {}, "is_equal": False, "reason": "one of them has no labels"}
    roots = [p.resolve(f.path) for p, f in zip(paths, (first, second), strict=True)]
    names = {each.value: each.name for each in label_classes(roots[0], first.label_name)}
    if first.sha256 == second.sha256:
        return {"dice": dict.fromkeys(names.values(), 1.0), "is_equal": True, "reason": ""}
    boxes = _common_boxes(scans)
    if first.voxel_um != second.voxel_um:
        why_not = f"their voxels are {first.voxel_um:g} and {second.voxel_um:g} um"
    if why_not or boxes is None:
        return {"dice": {}, "is_equal": False, "reason": why_not or "their regions do not meet"}
    counts = np.zeros((256, 3), np.int64)
    for a, b in _slabs(roots, (first, second), boxes):
        counts[:, 0] += np.bincount(a.ravel(), minlength=256)
        counts[:, 1] += np.bincount(b.ravel(), minlength=256)
        counts[:, 2] += np.bincount(a[a == b].ravel(), minlength=256)
    dice = {
        name: None if total == 0 else float(2 * counts[value, 2] / total)
        for value, name in names.items()
        for total in [counts[value, 0] + counts[value, 1]]
    }
    return {"dice": dice, "is_equal": False, "reason": ""}


def _common_boxes(
    scans: tuple[ScanHistory, ScanHistory],
) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
    """Give what the regions share, in the voxels of each."""
    transforms = [scan.transform for scan in scans]
    if transforms[0] is None or transforms[1] is None:
        return None
    rois = [transform.roi for transform in transforms if transform is not None]
    boxes: tuple[list[slice], list[slice]] = ([], [])
    for axis in "zyx":
        starts = [getattr(roi, f"{axis}0") for roi in rois]
        low, high = max(starts), min(getattr(roi, f"{axis}1") for roi in rois)
        if low >= high:
            return None
        for box, start in zip(boxes, starts, strict=True):
            box.append(slice(low - start, high - start))
    return tuple(boxes[0]), tuple(boxes[1])


def _slabs(
    roots: Sequence[Any],  # paths
    facts: tuple[LabelsReady, LabelsReady],
    boxes: tuple[tuple[slice, ...], tuple[slice, ...]],
) -> Iterator[tuple[Any, Any]]:
    """Read both, slab by slab, over what they share."""
    n_z = boxes[0][0].stop - boxes[0][0].start
    for z0 in range(0, n_z, _SLAB):
        both = []
        for root, fact, box in zip(roots, facts, boxes, strict=True):
            start = box[0].start + z0
            end = min(start + _SLAB, box[0].stop, volume_info(root).shape[0])
            slab = read_slab(root, start, end, label=fact.label_name)
            both.append(slab[:, box[1], box[2]])
        yield both[0], both[1]


def _rules(first: JsonObject, second: JsonObject) -> JsonObject:
    fired: dict[str, JsonObject] = {}
    for side, report in (("a", first), ("b", second)):
        for fact in report["decisions"]:
            if fact["type"] == "RuleFired":
                rule = fired.setdefault(fact["rule"], {"a": [], "b": []})
                rule[side].append(fact["scan"])
    return fired
