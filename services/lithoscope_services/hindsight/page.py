"""One page for a series: what grew, when it was to be seen, when each rule would have warned."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final

from lithoscope_messages import Entry
from lithoscope_services.errors import ServiceError
from lithoscope_services.hindsight.filmstrip import scan_picture, volume_picture
from lithoscope_services.hindsight.findings import (
    Growth,
    Report,
    TriedRule,
    first_growth,
    tried_rules,
)
from lithoscope_services.hindsight.series import NOISY, missing_scans
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.pages.chart import Level, Line, chart
from lithoscope_services.pages.html import page, picture, table
from lithoscope_services.report import make_report
from lithoscope_services.rule_backtest import backtest_experiments
from lithoscope_services.settings import Settings
from lithoscope_services.version import software_version
from lithoscope_store import ExperimentPaths, Store, volume_info

_CHARTS: Final = (
    ("Thickness of the sides", ("plating_side_thickness_um", "stripping_side_thickness_um")),
    ("Deposited and redeposited lithium", ("deposited_thickness_um", "redeposited_thickness_um")),
    ("Dendrites", ("dendrite_volume_um3",)),
    ("Remaining gap", ("remaining_gap_um",)),
)
_KEY: Final = (
    ("#e69f00", "deposited"),
    ("#009e73", "redeposited"),
    ("#d55e00", "dendrite"),
    ("#cc79a7", "pit"),
    ("#ffffff", "void"),
)


class HindsightError(ServiceError, ValueError):
    """There is nothing to look back at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRemark:
    """What stands beside a scan: its file, and what was not as it should be."""

    scan: int
    source: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """All that the page says.

    Parameters
    ----------
    report
        As ``lithoscope report --json``.
    scans
        A remark for each scan that is there.
    missing
        Numbers of the series without a scan.
    growth
        When each metric left its noise.
    rules
        When each would have warned, the earliest first.
    end_scan
        Scan up to which leads are counted.
    """

    report: Report
    scans: tuple[ScanRemark, ...]
    missing: tuple[int, ...]
    growth: tuple[Growth, ...]
    rules: tuple[TriedRule, ...]
    end_scan: int

    def as_json(self) -> dict[str, Any]:
        """Give what ``--json`` prints."""
        return {
            "experiment": self.report["experiment"],
            "scans": [asdict(each) for each in self.scans],
            "missing_scans": list(self.missing),
            "growth": [asdict(each) for each in self.growth],
            "rules": [asdict(each) for each in self.rules],
            "end_scan": self.end_scan,
        }

    @property
    def warned(self) -> tuple[TriedRule, ...]:
        """The rules that would have warned, the earliest first."""
        return tuple(each for each in self.rules if each.scan is not None)


def look_back(
    paths: ExperimentPaths,
    entries: Sequence[Entry],
    *,
    end_scan: int | None = None,
    settings: Settings | None = None,
) -> Hindsight:
    """Fold a finished series into what the page says, and try the rules on it.

    Parameters
    ----------
    paths, entries
        The experiment and its journal.
    end_scan
        Scan at which a warning would have been too late; None for the last one.
    settings
        With the rules that are tried; None for those of the experiment.

    Raises
    ------
    HindsightError
        If there is no such scan.
    """
    history = History(paths.name)
    history.extend(entries)
    report = make_report(paths.name, entries)
    scans = list(history.in_order())
    pulses = {each.scan: each.started.phase.pulse for each in scans if each.started is not None}
    end = scans[-1].scan if end_scan is None else end_scan
    if end not in pulses:
        raise HindsightError(f"--end-scan {end}: there are scans {sorted(pulses)} alone")
    used = history.settings if settings is None else settings
    store = Store(paths.root.parent)
    (backtested,) = backtest_experiments(store, [paths.name], used)
    modes = {rule.id: rule.mode for rule in used.rules}
    return Hindsight(
        report=report,
        scans=tuple(_remark(paths, each) for each in scans),
        missing=missing_scans([each.scan for each in scans]),
        growth=tuple(first_growth(report, pulses)),
        rules=tuple(tried_rules(backtested, modes, pulses, end)),
        end_scan=end,
    )


def write_page(paths: ExperimentPaths, entries: Sequence[Entry], found: Hindsight) -> str:
    """Write the page.

    Parameters
    ----------
    paths, entries
        The experiment and its journal.
    found
        From :func:`look_back`.

    Returns
    -------
    str
        HTML, one file with its pictures.
    """
    history = History(paths.name)
    history.extend(entries)
    n_noted = len(found.missing) + sum(bool(each.remarks) for each in found.scans)
    parts = [
        f"<h1>{escape(paths.name)}, seen afterwards</h1>",
        f'<p class="soft">{len(found.scans)} scans that were reconstructed elsewhere, taken '
        "through register, segment, measure and decide.</p>",
        _lead(found),
        f"<p>{n_noted} of {len(found.scans) + len(found.missing)} scans are missing or not as the "
        'others; <a href="#series">see the list</a>.</p>'
        if n_noted
        else "<p>All files of the series are there, and none is unlike the others.</p>",
        "<h2>Scan by scan</h2>",
        _key(),
        _film(paths, history, found),
        "<h2>What was measured</h2>",
        _charts(history, found),
        "<h2>When growth could first be seen</h2>",
        _growth_table(found),
        "<h2>When each rule would have warned</h2>",
        _rules_table(found),
        '<h2 id="series">The series</h2>',
        _series_table(found),
        f'<p class="soft">Made by lithoscope {escape(software_version())} from '
        f"{len(entries)} journal entries; the numbers are those of <code>lithoscope report "
        f"{escape(paths.name)}</code>. Grey values are those of the files: no absolute "
        "attenuation is claimed.</p>",
    ]
    return page(f"{paths.name}, seen afterwards", parts)


def _remark(paths: ExperimentPaths, scan: ScanHistory) -> ScanRemark:
    remarks: list[str] = []
    source = "" if scan.started is None else scan.started.origin.rsplit("/", 1)[-1]
    if scan.volume is not None:
        said = volume_info(paths.resolve(scan.volume.path)).provenance
        missing = said.get("missing_slices", [])
        if missing:
            numbers = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
            noun = "slice" if len(missing) == 1 else "slices"
            remarks.append(
                f"{len(missing)} {noun} missing ({numbers}), filled from the neighbours"
            )
        ratio = said.get("noise_ratio", 1.0)
        if ratio > NOISY:
            remarks.append(
                f"noise {ratio:.2f} times that of the series, as at {1 / ratio**2:.2f} of its dose"
            )
    if scan.transform is not None and scan.transform.verdict == "unregistered":
        remarks.append(f"not registered: {scan.transform.reason}")
    if scan.failure is not None:
        remarks.append(f"{scan.failure.stage} failed: {scan.failure.error}")
    return ScanRemark(scan=scan.scan, source=source, remarks=tuple(remarks))


def _lead(found: Hindsight) -> str:
    seen = [each for each in found.growth if each.scan is not None]
    texts = []
    if seen:
        first = min(seen, key=lambda each: each.scan if each.scan is not None else 0)
        texts.append(f"Growth could first be seen at scan {first.scan} ({_plain(first.metric)}).")
    else:
        texts.append("No growth could be told from noise.")
    if found.warned:
        rule = found.warned[0]
        lead = rule.lead_pulses or 0
        when = f"{_pulses(lead)} before" if lead else "not before"
        texts.append(
            f"The first rule, {rule.rule}, would have warned at scan {rule.scan}, {when} scan "
            f"{found.end_scan}."
        )
    else:
        texts.append("No rule would have warned.")
    kind = "lead" if found.warned else "lead good"
    return f'<p class="{kind}">{escape(" ".join(texts))}</p>'


def _key() -> str:
    spans = "".join(
        f'<span><i style="background:{colour}"></i>{name}</span>' for colour, name in _KEY
    )
    return (
        '<p class="soft">Middle slice of each scan in the reference frame, the plating side up.'
        f'</p><div class="key">{spans}</div>'
    )


def _film(paths: ExperimentPaths, history: History, found: Hindsight) -> str:
    remarks = {each.scan: each for each in found.scans}
    fired = {each.scan: each.rule for each in reversed(found.warned)}
    figures = []
    for number in sorted({*remarks, *found.missing}):
        if number in found.missing:
            figures.append(
                '<figure class="marked"><div class="gone">missing</div>'
                f"<figcaption><b>scan {number}</b><br>no file of this number</figcaption></figure>"
            )
            continue
        said = remarks[number]
        lines = [f"<b>scan {number}</b> {escape(said.source)}"]
        lines += [f'<span class="warn">{escape(text)}</span>' for text in said.remarks]
        if number in fired:
            lines.append(f'<span class="warn">{escape(fired[number])} warns</span>')
        marked = ' class="marked"' if said.remarks or number in fired else ""
        figures.append(
            f"<figure{marked}>{_picture(paths, history.scans[number])}"
            f"<figcaption>{'<br>'.join(lines)}</figcaption></figure>"
        )
    return f'<div class="film">{"".join(figures)}</div>'


def _picture(paths: ExperimentPaths, scan: ScanHistory) -> str:
    if scan.labels is not None:
        return picture(scan_picture(paths, scan.labels), f"scan {scan.scan}, labelled slice")
    if scan.volume is not None:
        return picture(volume_picture(paths, scan.volume.path), f"scan {scan.scan}, slice")
    return '<div class="gone">no volume</div>'


def _charts(history: History, found: Hindsight) -> str:
    rules = {rule.metric: rule for rule in history.settings.rules if rule.mode != "off"}
    figures = []
    for title, names in _CHARTS:
        lines = [
            Line(name=_plain(name), points=points)
            for name in names
            if (points := _points(found.report, name))
        ]
        levels = [Level(rules[name].set_value, rules[name].id) for name in names if name in rules]
        said: list[tuple[Growth | TriedRule, str]] = [(each, "seen") for each in found.growth]
        said += [(each, "warned") for each in found.warned]
        marks = [
            (each.scan, text)
            for each, text in said
            if each.metric in names and each.scan is not None
        ]
        unit = _unit(found.report, names)
        figures.append(chart(title, unit, lines, levels=levels, marks=marks))
    return f'<div class="charts">{"".join(figures)}</div>'


def _points(report: Report, name: str) -> list[tuple[int, float, float | None, float | None]]:
    return [
        (scan["scan"], metric["value"], metric["low95"], metric["high95"])
        for scan in report["scans"]
        if (metric := scan["metrics"].get(name)) is not None and metric["value"] is not None
    ]


def _unit(report: Report, names: Sequence[str]) -> str:
    for scan in report["scans"]:
        for name in names:
            if name in scan["metrics"]:
                return _shown_unit(scan["metrics"][name]["unit"])
    return ""


def _shown_unit(unit: str) -> str:
    return unit.replace("um", "µm").replace("3", "³")


def _growth_table(found: Hindsight) -> str:
    if not found.growth:
        return "<p>Too few scans were measured to tell growth from noise.</p>"
    rows = [
        (
            escape(_plain(each.metric)),
            "never" if each.scan is None else f"<b>{each.scan}</b>",
            f"{each.limit:.4g} {escape(_shown_unit(each.unit))}",
            f"{each.spread:.3g}",
            escape(each.basis),
        )
        for each in found.growth
    ]
    return (
        '<p class="soft">The first scan that lies beyond 3.3 standard deviations of one scan, and '
        "the next one too.</p>"
        + table(
            ("metric", "first at scan", "limit", "deviation", "known from"), rows, numbers=(1, 3)
        )
    )


def _rules_table(found: Hindsight) -> str:
    rows = [
        (
            f"<b>{escape(each.rule)}</b>",
            escape(each.metric),
            escape(each.action),
            "never" if each.scan is None else f'<span class="warn">{each.scan}</span>',
            "" if each.lead_pulses is None else str(each.lead_pulses),
            escape("switched off" if each.mode == "off" else each.says),
        )
        for each in found.rules
    ]
    headings = ("rule", "watches", "proposes", "first at scan", "lead, pulses", "what it says")
    return (
        f'<p class="soft">Leads are counted in pulses up to scan {found.end_scan}. Rules on '
        "images count as if commissioned; nothing was sent anywhere.</p>"
        + table(headings, rows, numbers=(3, 4))
    )


def _series_table(found: Hindsight) -> str:
    rows = [
        (
            str(each.scan),
            escape(each.source),
            '<span class="warn">' + escape("; ".join(each.remarks)) + "</span>"
            if each.remarks
            else '<span class="good">as it should be</span>',
        )
        for each in found.scans
    ]
    rows += [
        (str(number), "", '<span class="warn">missing: no file of this number</span>')
        for number in found.missing
    ]
    rows.sort(key=lambda row: int(row[0]))
    return table(("scan", "file", "remarks"), rows, numbers=(0,))


def _plain(metric: str) -> str:
    name = metric.removesuffix("_um3").removesuffix("_um")
    return name.replace("_", " ")


def _pulses(count: int) -> str:
    return "1 pulse" if count == 1 else f"{count} pulses"
