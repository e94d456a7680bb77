"""The dashboard process beside a real journal, looked at with a real Chromium."""

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from dashboard_instance import DEADLINE_S, NAME, TOKEN, Instance, fetch, running_instance
from overheard import overhear
from playwright.sync_api import Page, expect
from waiting import until

from lithoscope_messages import ApprovalRequested

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all: each test adds scans of its own, and starts again what it ends."""
    with running_instance(tmp_path_factory.mktemp("browser") / "store") as made:
        made.add_scan(0, gap_um=110.0)
        made.propose(0)
        health = f"{made.url}api/v1/health"
        until(
            lambda: json.loads(fetch(health)[2])["head"] == 3,
            timeout_s=DEADLINE_S,
            what="the proposal on the page",
        )
        yield made


@pytest.mark.browser
def test_a_metric_changes_on_the_page_without_a_reload(instance: Instance, page: Page) -> None:
    page.goto(instance.url)
    expect(page.locator("#metric-remaining_gap_um")).to_have_text("110.0")
    expect(page.locator("#live-state")).to_have_text("LIVE")
    page.evaluate("window.wasHere = true")

    instance.add_scan(1, gap_um=231.5)

    expect(page.locator("#metric-remaining_gap_um")).to_have_text("231.5")
    assert page.evaluate("window.wasHere") is True


@pytest.mark.browser
def test_an_approval_goes_into_the_journal_with_a_name(instance: Instance, page: Page) -> None:
    page.goto(instance.url)

    page.locator("#approve-0").click()
    page.locator("#reason").fill("it bridges")
    page.locator("#person").fill("Ada")
    page.locator("#ask-confirm").click()

    expect(page.locator("#answer-note")).to_have_text("Approval of proposal 0 is in the journal.")
    expect(page.locator("#proposal-0")).to_have_attribute("data-status", "approval asked")
    with instance.client("command_line") as journal:
        asked = journal.read_all(NAME)[-1].message
    assert isinstance(asked, ApprovalRequested)
    # A typed name rests on the account: without a login nobody has checked it.
    assert (asked.proposal, asked.person) == ("gap:0", f"Ada ({getpass.getuser()})")
    assert asked.reason == "it bridges"


@pytest.mark.browser
def test_a_journal_that_dies_is_shown_and_found_again(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}system")
    expect(page.locator("#service-journal")).to_have_attribute("data-health", "well")

    instance.journal.kill()
    instance.journal.wait()

    expect(page.locator("#service-journal")).to_have_attribute("data-health", "stale")
    expect(page.locator("#live-state")).to_have_text("OFFLINE")

    instance.journal = instance.start_journal()
    instance.add_scan(2, gap_um=228.0)

    expect(page.locator("#scan-2")).to_be_visible()
    expect(page.locator("#service-journal")).to_have_attribute("data-health", "well")
    expect(page.locator("#live-state")).to_have_text("LIVE")


@pytest.mark.browser
def test_a_page_whose_server_is_gone_says_so_and_goes_on_with_the_next(
    instance: Instance, page: Page
) -> None:
    page.goto(f"{instance.url}system")
    expect(page.locator("#service-dashboard")).to_have_attribute("data-health", "busy")
    page.evaluate("window.wasHere = true")

    instance.dashboard.kill()

    expect(page.locator("#stale-note")).to_contain_text("this page is old")

    instance.restart_dashboard()
    instance.add_scan(3, gap_um=225.0)

    expect(page.locator("#stale-note")).to_be_empty()
    expect(page.locator("#scan-3")).to_be_visible()
    assert page.evaluate("window.wasHere") is True


@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_a_silent_journal_makes_no_line_dead(
    instance: Instance, page: Page, is_soak: bool
) -> None:
    page.goto(f"{instance.url}system")
    expect(page.locator("#service-journal")).to_have_attribute("data-health", "well")
    page.evaluate("window.wasHere = true")

    instance.journal.send_signal(signal.SIGSTOP)
    # A line that nothing comes over for 10 s is taken for dead and opened anew.
    page.wait_for_timeout(600_000 if is_soak else 11_000)
    expect(page.locator("#live-state")).to_have_text("OFFLINE")
    expect(page.locator("#stale-note")).to_be_empty()
    instance.journal.send_signal(signal.SIGCONT)
    instance.add_scan(4, gap_um=222.0)

    expect(page.locator("#scan-4")).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("LIVE")
    assert page.evaluate("window.wasHere") is True


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (390, 844)])
def test_the_page_fits_loads_nothing_from_elsewhere_and_breaks_no_policy(
    instance: Instance, page: Page, size: tuple[int, int]
) -> None:
    heard = overhear(page)
    page.set_viewport_size({"width": size[0], "height": size[1]})

    page.goto(instance.url)
    expect(page.locator("#approve-0")).to_be_visible()

    assert heard.complaints == []
    assert heard.elsewhere(instance.url) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_slice_is_kept_for_ever_under_its_token_alone(instance: Instance) -> None:
    slice_url = f"{instance.url}api/v1/slice/first/0/z/3.png?layer=labels"

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
def test_a_slice_that_is_not_there_is_refused(instance: Instance, path: str, status: int) -> None:
    assert fetch(f"{instance.url}api/v1/slice/{path}")[0] == status


def test_foreign_hosts_and_foreign_pages_are_refused(instance: Instance) -> None:
    assert fetch(instance.url)[0] == 200
    assert fetch(instance.url, Host="evil.example:80")[0] == 403
    assert fetch(instance.url, Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--port", "TAKEN"), "cannot listen on"), (("--host", "0.0.0.0"), "in the clear")],
)
def test_a_wrong_address_is_one_line_and_exit_code_1(
    instance: Instance, options: tuple[str, str], words: str
) -> None:
    taken = instance.url.rstrip("/").rpartition(":")[2]

    run = subprocess.run(
        [
            *(sys.executable, "-m", "lithoscope_dashboard", "--store", str(instance.store.root)),
            *("--runtime-dir", str(instance.runtime_dir)),
            *(taken if option == "TAKEN" else option for option in options),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert words in run.stderr


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
