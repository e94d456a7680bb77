"""Each metric against the charge that has passed, its interval as a band."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, Final

from lithoscope_pipeline.metric import SINGLE_SCAN_PREFIX
from lithoscope_services.pages.chart import Line, chart
from lithoscope_services.report.fold import JsonObject

#: Headings of the page; a metric stands under the first that has a part of its name.
_FAMILIES: Final = (
    (
        "Gap and warning",
        ("gap", "penetration", "tip_", "short_", "growth", "bridge", "dose"),
    ),
    ("Charge and lithium", ("faraday", "li_", "missing_capacity", "dead_lithium", "coulombic")),
    ("Contact", ("void_area", "contact_area", "unfilled", "pearson")),
    ("Thickness", ("thickness", "rate_um")),
    ("Volume", ("volume",)),
    ("Coverage and share", ("coverage", "occupied_fraction", "area_seen")),
)
_QUALITY: Final = (
    "registration_residual_px",
    "reconstruction_completeness",
    "edge_on_coverage",
    "cnr_li_electrolyte",
    "edge_blur_px",
    "noise_grain",
)
_UNIT_WORDS: Final = frozenset({"um", "um2", "um3", "px", "kGy", "mA", "mAh", "cm2"})
_UNITS: Final = {"1": "", "um": "µm", "um2": "µm²", "um3": "µm³"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where scans stand at the axis.

    Parameters
    ----------
    across
        What stands at the axis.
    of_scan
        Number of a scan to its place.
    turns
        Places at which the current turned.
    """

    across: str
    of_scan: Mapping[int, float]
    turns: tuple[float, ...]

    @property
    def span(self) -> tuple[float, float]:
        """First and last place, the same for all metrics."""
        return min(self.of_scan.values()), max(self.of_scan.values())


def place_scans(report: JsonObject) -> Places:
    """Place scans at the charge that has passed, counted without its sign; else at their numbers.

    The charge of a half-cycle is what it was between its scans: where the current turned between
    two of them, what flowed there and back is not counted.
    """
    scans = [scan for scan in report["scans"] if scan["metrics"]]
    charges = [scan["charge_mAh"] for scan in scans]
    turned = [
        before["scan"]
        for before, after in pairwise(scans)
        if before["half_cycle"] != after["half_cycle"]
    ]
    if not scans or any(charge is None for charge in charges) or len(set(charges)) < 2:
        own = {scan["scan"]: float(scan["scan"]) for scan in scans}
        return Places(across="scan", of_scan=own, turns=tuple(float(scan) for scan in turned))
    of_scan, passed = {}, 0.0
    for number, scan in enumerate(scans):
        if number:
            passed += abs(charges[number] - charges[number - 1])
        of_scan[scan["scan"]] = passed
    return Places(
        across="charge passed, mAh", of_scan=of_scan, turns=tuple(of_scan[n] for n in turned)
    )


def metric_sections(report: JsonObject) -> list[str]:
    """Draw all metrics that have a value, in families, and list those that have none."""
    places = place_scans(report)
    names = sorted({name for scan in report["scans"] for name in scan["metrics"]})
    drawn = [
        name
        for name in names
        if not name.startswith(SINGLE_SCAN_PREFIX) and _has_value(report, name)
    ]
    parts = []
    for heading, members in _in_families(drawn):
        figures = "".join(_chart(report, name, places) for name in members)
        parts.append(f"<h3>{escape(heading)}</h3>")
        parts.append(f'<div class="charts many">{figures}</div>')
    empty = [name for name in names if not _has_value(report, name)]
    if empty:
        reasons = "; ".join(f"{escape(name)} ({escape(_reason(report, name))})" for name in empty)
        parts.append(f'<p class="soft">Without a value in any scan: {reasons}.</p>')
    return parts


def shown_unit(unit: str) -> str:
    """Write a unit for people: ``um3`` as µm³, nothing for a plain number."""
    plain = unit.replace("um", "µm").replace("m3", "m³").replace("m2", "m²")
    return _UNITS.get(unit, plain.replace("_", " "))


def plain_name(metric: str) -> str:
    """Write the name of a metric without its unit."""
    words = [word for word in metric.split("_") if word not in _UNIT_WORDS]
    return " ".join(words).removesuffix(" per")


def _in_families(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    left = [name for name in names if name not in _QUALITY]
    for heading, parts in _FAMILIES:
        members = [name for name in left if any(part in name for part in parts)]
        left = [name for name in left if name not in members]
        if members:
            yield heading, members
    if left:
        yield "Others", left
    quality = [name for name in names if name in _QUALITY]
    if quality:
        yield "Quality of the scans", quality


def _chart(report: JsonObject, name: str, places: Places) -> str:
    lines = [_line(report, name, plain_name(name), places)]
    alone = _line(report, f"{SINGLE_SCAN_PREFIX}{name}", "from this scan alone", places)
    if alone.points:
        lines.append(alone)
    unit = next(
        scan["metrics"][name]["unit"] for scan in report["scans"] if name in scan["metrics"]
    )
    shown = shown_unit(unit)
    title = plain_name(name) + (f", {shown}" if shown else "")
    marks = [(turn, "turn" if n == 0 else "") for n, turn in enumerate(places.turns)]
    return chart(title, shown, lines, marks=marks, across=places.across, span=places.span)


def _line(report: JsonObject, name: str, shown: str, places: Places) -> Line:
    points: list[tuple[float, float, float | None, float | None]] = []
    scans: list[int] = []
    gaps: set[int] = set()
    is_gap = False
    for scan in report["scans"]:
        metric: Mapping[str, Any] | None = scan["metrics"].get(name)
        if metric is None or metric["value"] is None or scan["scan"] not in places.of_scan:
            is_gap = bool(points)
            continue
        if is_gap:
            gaps.add(len(points))
        is_gap = False
        points.append(
            (places.of_scan[scan["scan"]], metric["value"], metric["low95"], metric["high95"])
        )
        scans.append(scan["scan"])
    return Line(name=shown, points=points, scans=scans, gaps=frozenset(gaps))


def _has_value(report: JsonObject, name: str) -> bool:
    return any(
        name in scan["metrics"] and scan["metrics"][name]["value"] is not None
        for scan in report["scans"]
    )


def _reason(report: JsonObject, name: str) -> str:
    flags = [
        flag
        for scan in report["scans"]
        for flag in scan["metrics"].get(name, {"flags": ()})["flags"]
    ]
    return flags[-1].replace("_", " ") if flags else "not measured"
