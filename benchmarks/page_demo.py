"""A demo with an open page: how soon its numbers stand there, what it costs, what viewers cost."""

import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import zmq
from playwright.sync_api import Browser, Page

from lithoscope_dashboard.sockets import open_telemetry
from lithoscope_messages import (
    Entry,
    MetricsReady,
    ScanCompleted,
    ScanProgress,
    ScanStarted,
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
    browser_growth, server_growth
        Memory at the end less that after the second scan, bytes.
    scans_alone_s, scans_watched_s
        How long scans took to take without and with viewers.
    n_answers
        What all viewers together were answered.
    least_credit_bytes
        What ingest still took from the source, at its least.
    """

    latencies_s: tuple[float, ...]
    browser_growth: int
    server_growth: int
    scans_alone_s: tuple[float, ...]
    scans_watched_s: tuple[float, ...]
    n_answers: int
    least_credit_bytes: int


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


class Viewers:
    """Twenty who look: each asks for the page each second, and for three planes of a new scan."""

    def __init__(self, url: str, count: int) -> None:
        self._url, self._count = url, count
        self._is_over = threading.Event()
        self._are_on = threading.Event()
        self.n_answers = 0
        self._threads = [threading.Thread(target=self._look) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def switch(self, *, on: bool) -> None:
        """Let them look, or rest."""
        if on:
            self._are_on.set()
        else:
            self._are_on.clear()

    def close(self) -> None:
        """Send them home."""
        self._is_over.set()
        self._are_on.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        seen = ""
        while not self._is_over.is_set():
            self._are_on.wait()
            try:
                source = self._source()
                newest = source.get("newest")
                token = next((s["token"] for s in source["scans"] if s["scan"] == newest), None)
                if token and token != seen:
                    seen = token
                    for axis in "zyx":
                        self._ask(f"slice/{NAME}/{newest}/{axis}/5.webp?px=512&v={token}")
                        self._ask(f"slice/{NAME}/{newest}/{axis}/5.png?layer=labels&px=512")
            except (OSError, KeyError, ValueError):
                pass  # the demo begins or ends
            self._is_over.wait(1.0)

    def _source(self) -> dict[str, Any]:
        part = json.loads(self._ask("view?at=/"))["parts"]["live-source"]
        return dict(json.loads(part["a"]["data-source"]))

    def _ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self._url}api/v1/{path}", timeout=20) as reply:
            data: bytes = reply.read()
        self.n_answers += 1
        return data


def watch_demo(browser: Browser, root: Path, *, n_scans: int, n_viewers: int) -> DemoFigures:
    """Run a demo to its end with an open page; viewers look at every other pair of scans."""
    store = Store(root)
    with _demo(root, n_scans) as process:
        instance = _instance(store, process)
        url = str(instance.dashboard_url)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(url)
        page.evaluate(_WATCH_JS)
        viewers, credit = Viewers(url, n_viewers), Credit(Path(instance.runtime_dir))
        server = _server(process)
        changes, first = _until_end(store, process, page, viewers, server, credit)
        last = (_browser_bytes(), _bytes_of(server))
        viewers.close()
        credit.close()
        page.close()
    entries = read_journal(store.experiment(NAME).journal)
    alone, watched = _scan_times(entries)
    return DemoFigures(
        latencies_s=tuple(_latencies_s(entries, changes)),
        browser_growth=last[0] - first[0],
        server_growth=last[1] - first[1],
        scans_alone_s=alone,
        scans_watched_s=watched,
        n_answers=viewers.n_answers,
        least_credit_bytes=credit.least_bytes,
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


def _instance(store: Store, process: psutil.Popen) -> InstanceFile:
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


def _until_end(
    store: Store,
    process: psutil.Popen,
    page: Page,
    viewers: Viewers,
    server: psutil.Process,
    credit: Credit,
) -> tuple[list[tuple[float, str]], tuple[int, int]]:
    """Follow a demo; gives when values came, and the memory after the second scan."""
    first = (0, 0)
    while not store.experiment(NAME).manifest.exists() and process.poll() is None:
        page.wait_for_timeout(50)
        credit.look()
        n_scans = int(page.evaluate("document.querySelectorAll('.thumb').length"))
        viewers.switch(on=_is_watched(n_scans - 1))
        if first == (0, 0) and n_scans >= 3:
            first = (_browser_bytes(), _bytes_of(server))
    found: list[tuple[float, str]] = page.evaluate("window.changes")
    return found, first


def _is_watched(scan: int) -> bool:
    return scan % 4 >= 2


def _browser_bytes() -> int:
    """Memory of all processes of the browser that this one has started."""
    return sum(
        _bytes_of(child)
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name()
    )


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


def _scan_times(entries: list[Entry]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    began: dict[int, int] = {}
    alone: list[float] = []
    watched: list[float] = []
    for entry in entries:
        message = entry.message
        if isinstance(message, ScanStarted):
            began[message.scan] = message.time_ns
        elif isinstance(message, ScanCompleted) and message.scan > 1:
            # The first two also start the machine up.
            took_s = (message.time_ns - began[message.scan]) / 1e9
            (watched if _is_watched(message.scan) else alone).append(took_s)
    return tuple(alone), tuple(watched)


def middle(values: tuple[float, ...]) -> float:
    """Median; not a number where there are none."""
    return statistics.median(values) if values else float("nan")
