"""The table of all methods as Markdown; numbers come from the same document as the JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lithoscope_pipeline.labels import SegmentClass

Document = Mapping[str, Any]
_NONE: Final = "–"
_KEYS: Final = tuple(each.key for each in SegmentClass)


def as_markdown(document: Document) -> str:
    """Write what `evaluate` has found."""
    methods: Sequence[Document] = document["methods"]
    parts = ["# Methods on held-out scans", f"`{document['command']}`", document["what"]]
    parts += [
        _section("IoU", _iou_rows(methods)),
        _section("All voxels", _voxel_rows(methods)),
        _section("Objects", _object_rows(methods)),
        _section("IoU of objects by their size in voxels", _size_rows(methods)),
        _section("IoU by contrast-to-noise of the scan", _cnr_rows(methods)),
        _section("Found volume over true volume, less 1", _bias_rows(methods)),
        *(_confusion(each) for each in methods),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in lines)])


def _marked(method: Document) -> str:
    notes = [method["note"]] if method["note"] else []
    if method["is_converged"] is False:
        notes.append("*not converged*")
    return method["name"] + (f" ({'; '.join(notes)})" if notes else "")


def _number(value: float | None, digits: int = 3) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _iou_rows(methods: Sequence[Document]) -> list[list[str]]:
    rows = [["method", *_KEYS, "all lithium", "macro", "by frequency"]]
    for each in methods:
        values = [*(each["iou"][key] for key in _KEYS), each["lithium_iou"]]
        values += [each["macro_iou"], each["frequency_weighted_iou"]]
        rows.append([_marked(each), *map(_number, values)])
    return rows


def _voxel_rows(methods: Sequence[Document]) -> list[list[str]]:
    head = ["method", "accuracy", "mean Dice", "calibration error", "parameters", "ms a slice"]
    rows = [head]
    for each in methods:
        n = each["n_parameters"]
        rows.append(
            [
                each["name"],
                _number(each["accuracy"], 4),
                _number(each["mean_dice"]),
                _number(each["calibration_error"], 4),
                _NONE if n is None else f"{n:,}".replace(",", " "),
                _number(each["ms_per_slice"], 1),
            ]
        )
    return rows


def _object_rows(methods: Sequence[Document]) -> list[list[str]]:
    rows = [["method", "class", "F1", "true", "recovered", "found", "right", "µm apart", "95 %"]]
    for each in methods:
        for key, found in each["objects"].items():
            counts = [found[n] for n in ("n_true", "n_recovered", "n_found", "n_right")]
            apart = [found["surface_distance_um"], found["surface_distance_95_um"]]
            rows.append(
                [
                    each["name"],
                    key,
                    _number(found["f1"]),
                    *map(str, counts),
                    *(_number(value, 2) for value in apart),
                ]
            )
    return rows


def _size_rows(methods: Sequence[Document]) -> list[list[str]]:
    sizes = list(next(iter(methods[0]["objects"].values()))["iou_by_size"]) if methods else []
    rows = [["method", "class", *sizes]]
    for each in methods:
        for key, found in each["objects"].items():
            values = [found["iou_by_size"][size] for size in sizes]
            rows.append([each["name"], key, *map(_number, values)])
    return rows


def _cnr_rows(methods: Sequence[Document]) -> list[list[str]]:
    rows = [["method", "contrast-to-noise", *_KEYS]]
    for each in methods:
        for about, iou in each["iou_by_cnr"].items():
            rows.append([each["name"], about, *(_number(iou[key]) for key in _KEYS)])
    return rows


def _bias_rows(methods: Sequence[Document]) -> list[list[str]]:
    rows = [["method", *_KEYS]]
    rows += [
        [each["name"], *(_signed(each["volume_bias"][key]) for key in _KEYS)] for each in methods
    ]
    return rows


def _signed(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.3f}"


def _confusion(method: Document) -> str:
    rows = [["truth, found as", *_KEYS]]
    for key, counts in zip(_KEYS, method["confusion"], strict=True):
        rows.append([key, *map(str, counts)])
    return _section(f"Voxels: {method['name']}", rows)
