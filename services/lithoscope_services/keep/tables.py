"""Metrics, samples, decisions and frames as tables: Apache Parquet."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lithoscope_services.keep.parquet import Columns, write_parquet
from lithoscope_services.keep.stored import StoredExperiment
from lithoscope_services.report import COLUMN_TYPES, make_report, metric_columns
from lithoscope_store import FrameReader, read_electrochemistry

Advance = Callable[[int], None]
_FRAME = ("scan", "tile", "kind", "set", "index", "theta_deg", "theta_source", "time_ns", "crc32c")


def export_parquet(stored: StoredExperiment, folder: Path, advance: Advance) -> list[Path]:
    """Write ``metrics``, ``decisions``, ``electrochemistry`` and ``frames``, one file each.

    Parameters
    ----------
    stored
        What is exported.
    folder
        Where to.
    advance
        Is told the scans that are done.

    Raises
    ------
    KeepError
        If the package that writes Parquet is not installed.
    """
    report = make_report(stored.paths.name, stored.entries)
    wanted = set(stored.scans)
    scans = [scan for scan in report["scans"] if scan["scan"] in wanted]
    tables: dict[str, Columns] = {
        "metrics": metric_columns({**report, "scans": scans}),
        "decisions": _decisions(report["decisions"], wanted),
        "electrochemistry": _electrochemistry(stored),
        "frames": _frames(stored, advance),
    }
    return [
        write_parquet(
            folder / f"{name}.parquet", columns, COLUMN_TYPES if name == "metrics" else {}
        )
        for name, columns in tables.items()
    ]


def _decisions(decisions: Sequence[Mapping[str, Any]], wanted: set[int]) -> Columns:
    rows = [
        [each["type"], each.get("scan"), each["time_ns"], each.get("rule"), json.dumps(each)]
        for each in decisions
        if each.get("scan") is None or each["scan"] in wanted
    ]
    return _columns(("type", "scan", "time_ns", "rule", "json"), rows)


def _electrochemistry(stored: StoredExperiment) -> Columns:
    samples = read_electrochemistry(stored.paths)
    return {
        name: getattr(samples, name).tolist()
        for name in ("time_s", "potential_V", "current_mA", "charge_mAh")
    }


def _frames(stored: StoredExperiment, advance: Advance) -> Columns:
    rows: list[list[Any]] = []
    for scan in stored.scans:
        for tile in stored.paths.tiles(scan):
            reader = FrameReader(stored.paths, scan, tile)
            for key in reader.keys:
                parts = {**key.model_dump(), **_described(reader.record(key))}
                rows.append([parts[name] for name in _FRAME])
        advance(1)
    return _columns(_FRAME, rows)


def _described(record: Any) -> dict[str, Any]:  # a FrameRecord
    names = ("theta_deg", "theta_source", "time_ns", "crc32c")
    return {name: getattr(record, name) for name in names}


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}
