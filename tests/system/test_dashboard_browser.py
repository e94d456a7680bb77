"""The dashboard process beside a real journal, looked at with a real Chromium."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lithoscope_messages import ApprovalRequested, FactMessage, Role, adapter_of
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.settings.tree import Settings
from lithoscope_store import volumes
from lithoscope_store.layout import Store

pytestmark = pytest.mark.system
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
NAME = "first"
SHA = "0" * 64
TOKEN = "0" * 16
SLICES = "/api/v1/slice/first"
DEADLINE_S = 30.0
SHAPE = (8, 10, 12)
_FACTS = adapter_of(FactMessage)


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition, never for a time."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"{what} did not happen within {deadline_s:.0f} s")
        time.sleep(0.05)


class Instance:
    """A store, a journal and a dashboard, each its own process."""

    def __init__(self, store: Path, runtime_dir: Path) -> None:
        self.store, self.runtime_dir = Store(store), runtime_dir
        self.paths = self.store.experiment(NAME)
        self.paths.create()
        self._settings = runtime_dir / "settings.json"
        self._settings.write_text(Settings().model_dump_json())
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.lifeline_fd, self._lifeline_end = -1, -1
        self.journal = self.start_journal()
        self.dashboard = self.start_dashboard()
        self.url = self.wait_url()

    def start_journal(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "lithoscope_services.process", "journal"),
                *("--store", str(self.store.root), "--runtime-dir", str(self.runtime_dir)),
                *("--settings", str(self._settings)),
            ]
        )

    def start_dashboard(self, *options: str) -> "subprocess.Popen[bytes]":
        read_fd, self.lifeline_fd = os.pipe()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lithoscope_dashboard", "--port", "0"),
                *("--store", str(self.store.root), "--runtime-dir", str(self.runtime_dir)),
                *("--lifeline-fd", str(read_fd), *options),
            ],
            pass_fds=[read_fd],
            stderr=subprocess.PIPE,
        )
        os.close(read_fd)
        return process

    def wait_url(self) -> str:
        announced = self.runtime_dir / "dashboard.json"
        wait_for(announced.exists, "the announcement of the dashboard")
        return str(json.loads(announced.read_text())["url"])

    def append(self, *facts: dict[str, Any]) -> None:
        for fact in facts:
            role: Role = fact.pop("role")
            common = {"experiment": NAME, "time_ns": time.time_ns(), "producer": role}
            message = _FACTS.validate_python({**common, **fact})
            with self.client(role) as journal:
                journal.append([message])

    def client(self, role: Role) -> JournalClient:
        address = f"ipc://{self.runtime_dir}/journal"
        return JournalClient(self.context, address, role, patience_s=DEADLINE_S)

    def add_scan(self, scan: int, gap_um: float) -> None:
        """Store a small volume with labels and say so; then its metrics."""
        volume = self.paths.volume(scan, f"{scan:064d}")
        info = volumes.create_volume(volume, shape=SHAPE, voxel_um=2.0, name="test")
        volumes.create_labels(
            volume, "cell", (volumes.LabelClass(1, "stripping", (0, 114, 178, 255)),)
        )
        rng = np.random.default_rng(scan)
        for z0 in range(0, SHAPE[0], info.slab_slices):
            shape = (min(info.slab_slices, SHAPE[0] - z0), *SHAPE[1:])
            volumes.write_slab(volume, z0, rng.random(shape, np.float32))
            volumes.write_slab(volume, z0, np.full(shape, 1, np.uint8), label="cell")
        volumes.finish_volume(volume)
        metrics = {"remaining_gap_um": {"value": gap_um, "unit": "µm"}}
        self.append(
            {
                **{"type": "LabelsReady", "role": "segment", "key": f"labels:{scan}"},
                **{"scan": scan, "work_key": SHA, "path": self.paths.relative(volume)},
                **{"shape": SHAPE, "voxel_um": 2.0, "sha256": f"{scan:064d}", "model": "test"},
            },
            {
                **{"type": "MetricsReady", "role": "measure", "key": f"metrics:{scan}"},
                **{"scan": scan, "work_key": SHA, "experiment_time_s": 60.0 * scan},
                **{"cycle": 0, "half_cycle": 0, "completeness": 1.0, "metrics": metrics},
            },
        )

    def propose(self, scan: int) -> None:
        evidence = {"metric": "remaining_gap_um", "value": 110.0, "bound_used": "value"}
        self.append(
            {
                **{"type": "ProposalMade", "role": "decide", "key": f"proposal:{scan}"},
                **{"scan": scan, "proposal": f"gap:{scan}", "rule": "remaining_gap"},
                **{"rule_sha256": SHA, "action": "hold", "rule_class": "reduces_risk"},
                **{"mode": "propose", "evidence": [evidence], "reason": "the gap is small"},
                **{"experiment_time_s": 60.0, "expires_s": 600.0},
            }
        )

    def close(self) -> None:
        for process in (self.dashboard, self.journal):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()
        os.close(self.lifeline_fd)
        self.context.destroy(linger=0)


@contextmanager
def running_instance(store: Path) -> Iterator[Instance]:
    # Addresses of sockets end at 107 characters: the folder must have a short name.
    runtime_dir = Path(tempfile.mkdtemp(prefix="ls-"))
    made = Instance(store, runtime_dir)
    yield made
    made.close()
    shutil.rmtree(runtime_dir)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """An instance for a test that changes it."""
    with running_instance(tmp_path / "store") as made:
        yield made


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance with one scan and one proposal, for tests that only look."""
    with running_instance(tmp_path_factory.mktemp("settled") / "store") as made:
        made.add_scan(0, gap_um=110.0)
        made.propose(0)
        health = f"{made.url}api/v1/health"
        wait_for(lambda: json.loads(fetch(health)[2])["head"] == 3, "the proposal on the page")
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(1000 * DEADLINE_S)
    expect.set_options(timeout=1000 * DEADLINE_S)
    yield opened
    opened.close()


def fetch(url: str, **headers: str) -> tuple[int, Any, bytes]:
    """Ask over HTTP; gives status, headers and body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=names)) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.browser
def test_a_metric_changes_on_the_page_without_a_reload(instance: Instance, page: Page) -> None:
    instance.add_scan(0, gap_um=240.0)
    page.goto(instance.url)
    expect(page.locator("#metric-remaining_gap_um")).to_have_text("240.0")
    expect(page.locator("#live-state")).to_have_text("LIVE")
    page.evaluate("window.wasHere = true")

    instance.add_scan(1, gap_um=231.5)

    expect(page.locator("#metric-remaining_gap_um")).to_have_text("231.5")
    assert page.evaluate("window.wasHere") is True


@pytest.mark.browser
def test_the_viewer_follows_the_newest_scan_and_goes_where_it_is_told(
    instance: Instance, page: Page
) -> None:
    instance.add_scan(0, gap_um=240.0)
    page.goto(instance.url)
    image, labels = page.locator("#slice-image"), page.locator("#slice-labels")
    expect(image).to_have_attribute("src", f"{SLICES}/0/z/4.png?layer=image&v={TOKEN}")
    expect(labels).to_have_attribute("src", f"{SLICES}/0/z/4.png?layer=labels&v={TOKEN}")
    assert image.evaluate("each => [each.naturalHeight, each.naturalWidth]") == [10, 12]

    page.get_by_label("in plane").check()
    page.locator("#position-slider").get_by_role("slider").press("Home")
    instance.add_scan(1, gap_um=231.5)

    expect(image).to_have_attribute("src", f"{SLICES}/1/y/0.png?layer=image&v={TOKEN}")


@pytest.mark.browser
def test_an_approval_goes_into_the_journal_with_a_name(instance: Instance, page: Page) -> None:
    instance.add_scan(0, gap_um=110.0)
    instance.propose(0)
    page.goto(instance.url)
    page.locator("#person").fill("Ada")
    page.locator("#reason").fill("it bridges")

    page.locator("#approve-0").click()

    expect(page.locator("#answer-note")).to_have_text("Approval of proposal 0 is in the journal.")
    expect(page.locator("#proposal-0")).to_have_attribute("data-status", "approval asked")
    with instance.client("command_line") as journal:
        asked = journal.read_all(NAME)[-1].message
    assert isinstance(asked, ApprovalRequested)
    assert (asked.proposal, asked.person, asked.reason) == ("gap:0", "Ada", "it bridges")


@pytest.mark.browser
def test_a_journal_that_dies_is_shown_and_found_again(instance: Instance, page: Page) -> None:
    instance.add_scan(0, gap_um=240.0)
    page.goto(instance.url)
    expect(page.locator("#service-journal")).to_have_attribute("data-health", "well")

    instance.journal.kill()
    instance.journal.wait()

    expect(page.locator("#service-journal")).to_have_attribute("data-health", "stale")
    expect(page.locator("#live-state")).to_have_text("OFFLINE")

    instance.journal = instance.start_journal()
    instance.add_scan(1, gap_um=231.5)

    expect(page.locator("#metric-remaining_gap_um")).to_have_text("231.5")
    expect(page.locator("#service-journal")).to_have_attribute("data-health", "well")
    expect(page.locator("#live-state")).to_have_text("LIVE")


@pytest.mark.browser
def test_a_page_whose_server_is_gone_says_that_it_is_old(instance: Instance, page: Page) -> None:
    page.goto(instance.url)
    expect(page.locator("#service-dashboard")).to_have_attribute("data-health", "busy")

    instance.dashboard.kill()

    expect(page.locator("#stale-note")).to_contain_text("this page is old")


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (390, 844)])
def test_the_page_fits_loads_nothing_from_elsewhere_and_breaks_no_policy(
    settled: Instance, page: Page, size: tuple[int, int]
) -> None:
    complaints: list[str] = []
    addresses: list[str] = []
    page.on("console", lambda each: complaints.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda each: complaints.append(str(each)))
    page.on("request", lambda each: addresses.append(each.url))
    page.set_viewport_size({"width": size[0], "height": size[1]})

    page.goto(settled.url)
    expect(page.locator("#approve-0")).to_be_visible()
    expect(page.locator("#slice-image")).to_be_visible()
    expect(page.locator("#curve-gap .scatterlayer .trace")).to_have_count(1)

    assert complaints == []
    own = (settled.url, "data:", "blob:")
    assert [each for each in addresses if not each.startswith(own)] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_slice_is_kept_for_ever_under_its_token_alone(settled: Instance) -> None:
    slice_url = f"{settled.url}api/v1/slice/first/0/z/3.png?layer=labels"

    _, loose, data = fetch(slice_url)
    _, fixed, _ = fetch(f"{slice_url}&v={TOKEN}")

    assert data.startswith(b"\x89PNG")
    assert loose["Cache-Control"] == "private, no-cache"
    assert "immutable" in fixed["Cache-Control"]
    assert fetch(slice_url, If_None_Match=loose["ETag"])[0] == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("first/7/z/0.png", 404),
        ("first/0/z/99.png", 404),
        ("other/0/z/0.png", 404),
        ("first/0/w/0.png", 422),
        ("first/-1/z/0.png", 422),
        ("..%2f..%2fetc/0/z/0.png", 404),
    ],
)
def test_a_slice_that_is_not_there_is_refused(settled: Instance, path: str, status: int) -> None:
    assert fetch(f"{settled.url}api/v1/slice/{path}")[0] == status


def test_foreign_hosts_and_foreign_pages_are_refused(settled: Instance) -> None:
    assert fetch(settled.url)[0] == 200
    assert fetch(settled.url, Host="evil.example:80")[0] == 403
    assert fetch(settled.url, Origin="http://evil.example")[0] == 403


def test_the_dashboard_ends_when_it_is_told_or_when_its_supervisor_is_gone(
    instance: Instance,
) -> None:
    began_s = time.monotonic()
    instance.dashboard.send_signal(signal.SIGTERM)
    assert instance.dashboard.wait(10) == 0
    assert time.monotonic() - began_s < 5.0

    (instance.runtime_dir / "dashboard.json").unlink()
    os.close(instance.lifeline_fd)
    assert instance.dashboard.stderr is not None
    instance.dashboard.stderr.close()
    instance.dashboard = instance.start_dashboard()
    instance.wait_url()
    began_s = time.monotonic()
    os.close(instance.lifeline_fd)
    instance.lifeline_fd = os.open(os.devnull, os.O_RDONLY)
    assert instance.dashboard.wait(10) == 0
    assert time.monotonic() - began_s < 5.0


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--port", "TAKEN"), "cannot listen on"), (("--host", "0.0.0.0"), "has no login")],
)
def test_a_wrong_address_is_one_line_and_exit_code_1(
    settled: Instance, options: tuple[str, str], words: str
) -> None:
    taken = settled.url.rstrip("/").rpartition(":")[2]

    run = subprocess.run(
        [
            *(sys.executable, "-m", "lithoscope_dashboard", "--store", str(settled.store.root)),
            *("--runtime-dir", str(settled.runtime_dir)),
            *(taken if option == "TAKEN" else option for option in options),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert words in run.stderr
