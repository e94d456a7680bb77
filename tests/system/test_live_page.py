"""The live page while a demo runs: a person approves what it proposes."""

import getpass
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import demo_command, entries, running, services
from playwright.sync_api import Page, expect, sync_playwright
from waiting import until

from lithoscope_messages import ActionApproved, ProposalMade
from lithoscope_store import Store, find_instance

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
# Long enough for a slow machine that reconstructs, registers and segments meanwhile.
PATIENCE_MS = 90_000
# Without a login a typed name rests on the account.
PERSON = f"Ada ({getpass.getuser()})"
pytestmark = [pytest.mark.system, pytest.mark.browser]


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1920, "height": 1080})
        browser.close()


def test_a_metric_changes_and_a_proposal_is_approved_while_a_demo_runs(
    page: Page, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    with running(demo_command(tmp_path, "live", scans=5)) as demo:
        until(
            lambda: (found := find_instance(store)) is not None and bool(found.dashboard_url),
            timeout_s=60,
            what="the address of the page",
        )
        instance = find_instance(store)
        assert instance is not None
        assert instance.dashboard_url is not None
        page.goto(instance.dashboard_url)
        loads: list[str] = []
        page.on("framenavigated", lambda frame: loads.append(frame.url))
        gap = page.locator("#metric-remaining_gap_um")
        expect(gap).to_contain_text(re.compile(r"\d"), timeout=PATIENCE_MS)
        pristine_um = gap.inner_text()

        expect(gap).not_to_contain_text(pristine_um, timeout=PATIENCE_MS)
        page.locator("#approve-0").wait_for(timeout=PATIENCE_MS)
        page.click("#approve-0")
        page.fill("#person", "Ada")
        page.click("#ask-confirm")
        # The demo is a dry run: what was approved is soon sent nowhere and confirmed.
        proposal = page.locator("#proposal-0")
        expect(proposal).to_have_attribute(
            "data-status", re.compile("approved|sent|confirmed"), timeout=PATIENCE_MS
        )
        expect(proposal).to_contain_text(f"by {PERSON}")
        assert loads == []

        # What was approved was a hold: the plan waits until a person lets it go on.
        page.click('a[data-page="/decisions"]')
        page.locator("#release").click(timeout=PATIENCE_MS)
        page.fill("#reason", "looked at")
        page.click("#ask-confirm")

        until(
            lambda: store.experiment("live").manifest.exists(),
            timeout_s=120,
            what="the end of the demo",
        )
        assert set(services(demo)) >= {"journal", "dashboard"}
        found = entries(tmp_path, "live")

    approved = [e.message for e in found if isinstance(e.message, ActionApproved)]
    proposed = [e.message for e in found if isinstance(e.message, ProposalMade)]
    assert [(each.proposal, each.person) for each in approved] == [(proposed[0].proposal, PERSON)]
    assert json.loads((store.experiment("live").truth / "truth.json").read_text())["scans"]
