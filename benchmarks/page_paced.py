"""A paced demo that twenty tabs of a load tool look at: is a scan ever late, ingest ever full?"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.page_demo import NAME, Credit, instance_of
from benchmarks.tables import ROOT
from lithoscope_messages import Entry, ScanCompleted, ScanStarted
from lithoscope_services.launch import DemoOptions, run_demo
from lithoscope_services.settings import Settings, replace_values
from lithoscope_store import Store, read_journal

SEED = 5
#: The first two start the machine up; while the next is taken, the tabs are opened.
FIRST_ALONE = 2
N_ALONE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedFigures:
    """What was seen of a paced demo.

    Parameters
    ----------
    nominal_s
        Exposures of a scan, all sets.
    alone_s, watched_s
        From the beginning of each scan to its end, without and with tabs.
    least_credit_bytes
        What ingest still took from the source, at its least.
    asked
        What the load tool says, one row a kind of request.
    """

    nominal_s: float
    alone_s: tuple[float, ...]
    watched_s: tuple[float, ...]
    least_credit_bytes: int
    asked: tuple[dict[str, Any], ...]  # JSON of Locust


def watch_paced(root: Path, *, n_scans: int, scan_s: float, n_viewers: int) -> PacedFigures:
    """Run a demo whose scans take a given time; tabs open after the first five."""
    store = Store(root)
    command = [sys.executable, "-m", "benchmarks.page_paced", str(root), str(n_scans), str(scan_s)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    process = psutil.Popen(command, **quiet)
    try:
        instance = instance_of(store, process)
        credit = Credit(Path(instance.runtime_dir))
        _follow(store, process, credit, until_scan=FIRST_ALONE + N_ALONE)
        with _tabs(str(instance.dashboard_url), n_viewers) as asked:
            _follow(store, process, credit, until_scan=None)
        credit.close()
    finally:
        process.terminate()
        process.wait(30)
    took = _times(read_journal(store.experiment(NAME).journal), scan_s)
    return PacedFigures(
        nominal_s=took[0][0],
        alone_s=tuple(each for _, each in took[FIRST_ALONE : FIRST_ALONE + N_ALONE]),
        # The one in which they come has them only in part.
        watched_s=tuple(each for _, each in took[FIRST_ALONE + N_ALONE + 1 :]),
        least_credit_bytes=credit.least_bytes,
        asked=tuple(asked),
    )


def _follow(
    store: Store, process: psutil.Popen, credit: Credit, *, until_scan: int | None
) -> None:
    """Follow a demo until a scan has begun, or to its end."""
    paths = store.experiment(NAME)
    while process.poll() is None and not paths.manifest.exists():
        credit.look()
        begun = [e.message for e in _entries(paths.journal) if isinstance(e.message, ScanStarted)]
        if until_scan is not None and any(each.scan >= until_scan for each in begun):
            return
        time.sleep(0.5)


def _entries(journal: Path) -> list[Entry]:
    return read_journal(journal) if journal.exists() else []


@contextmanager
def _tabs(url: str, n_viewers: int) -> Iterator[list[dict[str, Any]]]:
    """Open tabs by a load tool in a process of its own; what it counted is there afterwards."""
    found: list[dict[str, Any]] = []
    users = ("--users", str(n_viewers), "--spawn-rate", str(n_viewers))
    file = Path(__file__).with_name("page_viewers.py")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "locust", "-f", str(file), "--headless", "--json"),
            *("--host", url.rstrip("/"), "--loglevel", "ERROR", *users),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        counted, _ = process.communicate(timeout=60)
        found += json.loads(counted)


def _times(entries: list[Entry], scan_s: float) -> list[tuple[float, float]]:
    """Give of each scan how long its exposures take, and how long it took."""
    begun: dict[int, ScanStarted] = {}
    found = []
    for entry in entries:
        message = entry.message
        if isinstance(message, ScanStarted):
            begun[message.scan] = message
        elif isinstance(message, ScanCompleted):
            began = begun[message.scan]
            counts = {each.kind: each.count for each in began.expected}
            frames = sum(each.count for each in began.expected)
            nominal_s = scan_s * frames / counts["projection"]
            found.append((nominal_s, (message.time_ns - began.time_ns) / 1e9))
    return found


def share_ms(counted: dict[str, int], share: float) -> float:
    """Give the time within which a share of the answers came, from Locust's counts by time."""
    times = sorted((float(time_ms), count) for time_ms, count in counted.items())
    wanted = share * sum(count for _, count in times)
    for time_ms, count in times:
        wanted -= count
        if wanted <= 0:
            return time_ms
    return float("nan")


def main() -> None:
    """Run the demo itself, paced."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("n_scans", type=int)
    parser.add_argument("scan_s", type=float)
    asked = parser.parse_args()
    settings = replace_values(Settings(), {"dashboard.port": 0})
    run_demo(
        DemoOptions(
            store=asked.root,
            name=NAME,
            size="tiny",
            n_scans=asked.n_scans,
            seed=SEED,
            is_headless=True,
            waits=False,
            settings=settings,
            scan_s=asked.scan_s,
        )
    )


if __name__ == "__main__":
    main()
