"""What time and disk an experiment will need, judged by one scan of it."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from lithoscope_services.checklist.row import CheckRow
from lithoscope_services.settings import Settings
from lithoscope_store import ExperimentPaths

_GB: Final = 1e9
_STAGES: Final = ("reconstruct", "register", "segment", "measure", "decide")


def time_row(latency_s: Mapping[str, float], deadline_s: float) -> CheckRow:
    """Compare the time from the last projection to the verdict with the deadline."""
    parts = [f"{stage} {latency_s[stage]:.1f}" for stage in _STAGES if stage in latency_s]
    total_s = latency_s.get("total")
    numbers = {f"{name}_s": value for name, value in latency_s.items()} | {
        "deadline_s": deadline_s
    }
    if total_s is None:
        found = f"no verdict yet; {', '.join(parts)} s" if parts else "no verdict yet"
        return CheckRow(name="time", state="note", found=found, numbers=numbers)
    found = f"{total_s:.1f} s of {deadline_s:.0f} s ({', '.join(parts)} s)"
    if total_s <= deadline_s:
        return CheckRow(name="time", state="ok", found=found, numbers=numbers)
    longest = max((s for s in _STAGES if s in latency_s), key=lambda s: latency_s[s], default="")
    return CheckRow(
        name="time",
        state="problem",
        found=f"{found}: too late",
        advice=f"{longest} takes longest: a GPU, fewer rows, or a longer rest "
        "(plan.verdict_timeout_s)",
        numbers=numbers,
    )


def disk_rows(paths: ExperimentPaths, scan: int, settings: Settings) -> Iterator[CheckRow]:
    """Say what the scan takes on disk, and what all of them will."""
    taken = sum(_bytes_of(each) for each in _places(paths, scan))
    usage = shutil.disk_usage(paths.root)
    spared = settings.ingest.min_free_fraction * usage.total
    free = max(usage.free - spared, 0.0)
    n_scans = settings.experiment.n_scans
    numbers = {"scan_bytes": float(taken), "free_bytes": free}
    if n_scans is None:
        fit = int(free // max(taken, 1))
        found = f"{taken / _GB:.2f} GB a scan; {free / _GB:.0f} GB free are {fit} scans"
        advice = "give experiment.n_scans to compare"
        yield CheckRow(name="disk", state="note", found=found, advice=advice, numbers=numbers)
        return
    n_more = max(n_scans - scan - 1, 0)
    needed = taken * n_more
    numbers |= {"needed_bytes": float(needed)}
    found = (
        f"{taken / _GB:.2f} GB a scan, {needed / _GB:.1f} GB for {n_more} more scans, "
        f"{free / _GB:.0f} GB free"
    )
    if needed <= free:
        yield CheckRow(name="disk", state="ok", found=found, numbers=numbers)
    else:
        advice = "free space, choose another --store, or lithoscope prune finished scans"
        yield CheckRow(name="disk", state="problem", found=found, advice=advice, numbers=numbers)


def _places(paths: ExperimentPaths, scan: int) -> Iterator[Path]:
    yield paths.root / "frames" / f"{scan:04d}"
    for folder in ("reconstructions", "volumes", "maps", "meshes", "probabilities", "pictures"):
        yield from (paths.root / folder).glob(f"{scan:04d}-*")


def _bytes_of(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    return sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
