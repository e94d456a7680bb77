"""A demo with an open page: how soon its numbers stand there, and what it costs."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq
from playwright.sync_api import Browser, CDPSession

from lithoscope_dashboard.sockets import open_telemetry
from lithoscope_messages import (
    Entry,
    MetricsReady,
    ScanProgress,
    adapter_of,
    decode,
)
from lithoscope_store import InstanceFile, Store, find_instance, read_journal

NAME = "cell"
MIB = 2**20
_PROGRESS = adapter_of(ScanProgress)
# When a tile gets a value that it did not have, by the clock of this machine.
_WATCH_JS = """
() => {
  window.changes = [];
  let last = null;
  const look = () => {
    const tile = document.getElementById("metric-plating_side_thickness_um");
    const now = tile && tile.textContent;
    if (now && now !== "–" && now !== last) window.changes.push([Date.now(), now]);
    last = now;
  };
  new MutationObserver(look).observe(document.body,
    { childList: true, subtree: true, characterData: true });
  look();
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFigures:
    """What was seen of a demo.

    Parameters
    ----------
    latencies_s
        From a fact in the journal to its number on the screen, one a scan.
    browser_growth, heap_growth, server_growth
        Memory at the end less that after the second scan, bytes: of all processes of the browser,
        of the objects of the page alone, of the server.
    """

    latencies_s: tuple[float, ...]
    browser_growth: int
    heap_growth: int
    server_growth: int


class Credit:
    """Follows how many bytes ingest still takes; the least is kept."""

    def __init__(self, runtime_dir: Path) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_telemetry(self._context, runtime_dir, "ingest", "ScanProgress")
        self.least_bytes = -1

    def look(self) -> None:
        """Take what has come; does not wait."""
        while self._socket.poll(0):
            progress = decode(self._socket.recv(), _PROGRESS)
            known = self.least_bytes
            credit = progress.credit_bytes
            self.least_bytes = credit if known < 0 else min(known, credit)

    def close(self) -> None:
        """End."""
        self._context.destroy(linger=0)


def watch_demo(browser: Browser, root: Path, *, n_scans: int) -> DemoFigures:
    """Run a demo to its end with an open page."""
    store = Store(root)
    with _demo(root, n_scans) as process:
        url = str(instance_of(store, process).dashboard_url)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(url)
        page.evaluate(_WATCH_JS)
        inspector = page.context.new_cdp_session(page)
        inspector.send("Performance.enable")
        server = _server(process)

        def memory() -> tuple[int, int, int]:
            return _browser_bytes(), _heap_bytes(inspector), _bytes_of(server)

        first = (0, 0, 0)
        while not store.experiment(NAME).manifest.exists() and process.poll() is None:
            page.wait_for_timeout(50)
            n_seen = int(page.evaluate("document.querySelectorAll('.thumb').length"))
            if first == (0, 0, 0) and n_seen >= 3:
                first = memory()
        changes: list[tuple[float, str]] = page.evaluate("window.changes")
        grown = [now - then for now, then in zip(memory(), first, strict=True)]
        page.close()
    entries = read_journal(store.experiment(NAME).journal)
    return DemoFigures(
        latencies_s=tuple(_latencies_s(entries, changes)),
        browser_growth=grown[0],
        heap_growth=grown[1],
        server_growth=grown[2],
    )


@contextmanager
def _demo(root: Path, n_scans: int) -> Iterator[psutil.Popen]:
    settings = root.parent / "demo.toml"
    settings.write_text("[dashboard]\nport = 0\n")
    process = psutil.Popen(
        [
            *(sys.executable, "-m", "lithoscope_services.cli", "demo", "--size", "tiny"),
            *("--scans", str(n_scans), "--seed", "5", "--headless", "--as", NAME),
            *("--store", str(root), "--config", str(settings)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.terminate()
    process.wait(30)


def instance_of(store: Store, process: psutil.Popen) -> InstanceFile:
    """Wait until a demo says where its page is."""
    while process.poll() is None:
        found = find_instance(store)
        if found is not None and found.dashboard_url:
            return found
        time.sleep(0.1)
    raise RuntimeError("the demo ended before its page was there")


def _server(process: psutil.Popen) -> psutil.Process:
    for child in process.children(recursive=True):
        if "lithoscope_dashboard" in " ".join(child.cmdline()):
            return child
    raise RuntimeError("the demo has no dashboard")


def _browser_bytes() -> int:
    """Memory of all processes of the browser that this one has started."""
    return sum(
        _bytes_of(child)
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name()
    )


def _heap_bytes(inspector: CDPSession) -> int:
    """Size of the heap of the page; nothing is collected for it."""
    found = inspector.send("Performance.getMetrics")["metrics"]
    return int(next(each["value"] for each in found if each["name"] == "JSHeapTotalSize"))


def _bytes_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _latencies_s(entries: list[Entry], changes: list[tuple[float, str]]) -> list[float]:
    """Match each value that came with the newest fact before it that has this value."""
    appended: list[tuple[float, str]] = []
    for entry in entries:
        if isinstance(entry.message, MetricsReady):
            metric = entry.message.metrics["plating_side_thickness_um"]
            if metric.value is not None:
                appended.append((entry.appended_ns / 1e9, f"{metric.value:.1f}"))
    latencies_s = []
    for time_ms, text in changes:
        earlier = [at_s for at_s, value in appended if value == text and at_s <= time_ms / 1000]
        if earlier:
            latencies_s.append(time_ms / 1000 - earlier[-1])
    return latencies_s


def middle(values: tuple[float, ...]) -> float:
    """Median; not a number where there are none."""
    return statistics.median(values) if values else float("nan")
