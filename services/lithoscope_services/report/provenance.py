"""What a report was made from: versions, parameters and hashes, so that it can be made again."""

import json
from collections.abc import Iterator, Sequence
from html import escape

from lithoscope_messages import Entry, Fact
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.pages.html import table
from lithoscope_services.stage import json_sha256
from lithoscope_services.version import software_version

_SHOWN = 12


def provenance(history: History, entries: Sequence[Entry]) -> list[str]:
    """Write the tables: the experiment, its stages, its scans, and all of its settings."""
    parts = [table(("what", "value"), _experiment_rows(history, entries))]
    parts.append("<h3>Stages</h3>")
    parts.append(
        table(("stage", "algorithm", "made by", "parameters, SHA-256"), _stage_rows(history))
    )
    parts.append("<h3>Scans, SHA-256 and work keys</h3>")
    parts.append(
        table(
            ("scan", "frames", "volume", "labels", "metrics", "labels, voxels"),
            _scan_rows(history),
        )
    )
    if history.started is not None:
        text = json.dumps(history.started.settings, indent=1, sort_keys=True)
        parts.append(
            f"<details><summary>All settings</summary><pre>{escape(text)}</pre></details>"
        )
    return parts


def _experiment_rows(history: History, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    yield "page made by", f"lithoscope {escape(software_version())}"
    yield "journal", f"{len(entries)} entries; hash of the last {_code(entries[-1].hash)}"
    yield "experiment", "over, sealed" if history.ended is not None else "goes on"
    started = history.started
    if started is None:
        return
    description = started.description
    yield "format of the store", str(started.format_version)
    yield "settings, SHA-256", _code(json_sha256(started.settings), whole=True)
    area = description.active_area_cm2
    yield "sample", escape(description.sample or "not said")
    yield "active area", "not said" if area is None else f"{area:g} cm²"
    if description.made_from:
        yield "made from", escape(description.made_from)
    digests = sorted({each for fact in history.electrochemistry for each in fact.inputs})
    n_samples = sum(fact.count for fact in history.electrochemistry)
    attached = ", from attached files " + " ".join(map(_code, digests)) if digests else ""
    yield "electrochemistry", f"{n_samples} samples{attached}"


def _stage_rows(history: History) -> list[tuple[str, str, str, str]]:
    found: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for scan in history.in_order():
        for stage, fact, maker in _facts(scan):
            versions, makers, parameters = found.setdefault(stage, (set(), set(), set()))
            versions.add(str(fact.algorithm_version))
            makers.add(maker)
            if fact.parameters_sha256 is not None:
                parameters.add(fact.parameters_sha256)
    return [
        (
            stage,
            ", ".join(sorted(versions)),
            escape("; ".join(sorted(filter(None, makers)))),
            _several(sorted(parameters)),
        )
        for stage, (versions, makers, parameters) in found.items()
    ]


def _facts(scan: ScanHistory) -> Iterator[tuple[str, Fact, str]]:
    if scan.volume is not None:
        yield "reconstruct", scan.volume, scan.volume.backend
    if scan.transform is not None:
        yield "register", scan.transform, scan.transform.engine
    if scan.labels is not None:
        labels = scan.labels
        digest = "" if labels.model_sha256 is None else f" {labels.model_sha256[:_SHOWN]}"
        yield "segment", labels, f"{labels.model}{digest} {labels.engine}".strip()
    if scan.metrics is not None:
        yield "measure", scan.metrics, ""


def _scan_rows(history: History) -> Iterator[tuple[str, ...]]:
    for scan in history.in_order():
        yield (
            str(scan.scan),
            "" if scan.completed is None else _code(scan.completed.frames_sha256),
            "" if scan.volume is None else _code(scan.volume.sha256),
            "" if scan.labels is None else _code(scan.labels.work_key),
            "" if scan.metrics is None else _code(scan.metrics.work_key),
            "" if scan.labels is None else _code(scan.labels.sha256),
        )


def _several(digests: Sequence[str]) -> str:
    if len(digests) <= 2:
        return " ".join(map(_code, digests))
    return f"{len(digests)} different ones, as they hold what is known of each scan"


def _code(digest: str, *, whole: bool = False) -> str:
    shown = digest if whole else digest[:_SHOWN]
    return f'<code title="{digest}">{shown}</code>'
