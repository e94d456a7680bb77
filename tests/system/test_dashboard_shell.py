"""The shell of the pages in a real Chromium: nodes stay, clicks count, barriers are none."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_instance import DEADLINE_S, NAME, Instance, fetch, running_instance
from overheard import overhear
from playwright.sync_api import Page, expect
from waiting import until

from lithoscope_messages import (
    AcknowledgeRequested,
    ElectrochemistryAppended,
    ProposalMade,
    RejectionRequested,
    RetryRequested,
)
from lithoscope_store import JournalDatabase, Store

pytestmark = [pytest.mark.system, pytest.mark.browser]
EVIL = '<script>window.hacked = true</script><img src=x onerror="window.hacked = true">'
# A page that was drawn from a snapshot has its epoch and a number.
DRAWN = re.compile(":[1-9]")
PAGES = ("decisions", "system", "experiments", "kiosk", "m")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all: tests add to it, and look at what they have added."""
    store = tmp_path_factory.mktemp("shell") / "store"
    store_old(store)
    with running_instance(store) as made:
        made.start(sample=EVIL, n_scans=9, source="simulated")
        made.add_scan(0, gap_um=240.0)
        made.add_scan(1, gap_um=110.0)
        for scan in range(3):
            made.propose(scan)
        made.alarm(1, reason=EVIL)
        made.fail(1)
        health = f"{made.url}api/v1/health"
        until(
            lambda: json.loads(fetch(health)[2])["head"] == 10,
            timeout_s=DEADLINE_S,
            what="the facts on the page",
        )
        yield made


def store_old(store: Path) -> None:
    """Store an experiment with a proposal that nobody has answered."""
    paths = Store(store).experiment("old")
    paths.create()
    proposed = ProposalMade(
        experiment="old",
        key="gap:0",
        time_ns=1,
        producer="decide",
        scan=0,
        proposal="gap:0",
        rule="remaining_gap",
        rule_sha256="0" * 64,
        action="hold",
        parameters={},
        rule_class="reduces_risk",
        mode="propose",
        evidence=(),
        reason="the gap is small",
        experiment_time_s=0.0,
    )
    database = JournalDatabase(paths.journal, "old")
    database.append([proposed])
    database.close()


_NUMBERS = itertools.count(1)


def push(instance: Instance, page: Page, n_pushes: int) -> None:
    """Let so many pushes come, each with something new."""
    sequence = page.locator("#sequence")
    with instance.client("ingest") as journal:
        for number in itertools.islice(_NUMBERS, n_pushes):
            before = sequence.text_content()
            journal.append(
                [
                    ElectrochemistryAppended(
                        experiment=NAME,
                        key=f"samples:{number}",
                        time_ns=number,
                        producer="ingest",
                        first=number,
                        count=1,
                        time_s=60.0 + number,
                        charge_mAh=0.1 * number,
                    )
                ]
            )
            expect(sequence).not_to_have_text(before or "")


def test_a_button_stays_the_same_node_over_fifty_pushes(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}decisions")
    expect(page.locator("#reject-2")).to_be_visible()
    page.evaluate("window.kept = document.getElementById('reject-2')")

    push(instance, page, 50)
    instance.propose(3)
    expect(page.locator("#proposal-3")).to_be_visible()

    assert page.evaluate("window.kept === document.getElementById('reject-2')")


def test_what_was_pushed_is_not_kept(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}decisions")
    expect(page.locator("#sequence")).to_have_text(DRAWN)

    push(instance, page, 20)

    # Dash keeps each value that was ever set, for an undo that nobody has.
    kept = "window.dash_stores.map((each) => each.getState().history.past.length)"
    assert max(page.evaluate(kept)) <= 2


def test_a_click_that_pushes_fall_into_is_not_lost(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}decisions")
    box = page.locator("#reject-0").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()

    push(instance, page, 2)
    page.mouse.up()

    page.locator("#reason").fill("noise")
    push(instance, page, 2)
    expect(page.locator("#reason")).to_have_value("noise")
    page.locator("#ask-confirm").click()
    expect(page.locator("#proposal-0")).to_have_attribute("data-status", "rejection asked")
    asked = [m for m in instance.messages() if isinstance(m, RejectionRequested)]
    assert [(each.proposal, each.reason) for each in asked] == [("gap:0", "noise")]


def test_an_alarm_is_acknowledged_and_a_failure_tried_again(
    instance: Instance, page: Page
) -> None:
    page.goto(f"{instance.url}decisions")
    page.get_by_role("button", name="Acknowledge: rule remaining_gap is blind, scan 1").click()
    expect(page.locator("#alarms")).to_contain_text("acknowledgement asked")

    page.locator('a[data-page="/system"]').click()
    page.get_by_role("button", name="Try segment of scan 1 again").click()
    expect(page.locator("#failures")).to_contain_text("asked for by")

    messages = instance.messages()
    assert [m.alarm for m in messages if isinstance(m, AcknowledgeRequested)] == ["blind:1"]
    retried = [(m.scan, m.stage) for m in messages if isinstance(m, RetryRequested)]
    assert retried == [(1, "segment")]


def test_pages_change_without_a_reload_and_have_an_address_each(
    instance: Instance, page: Page
) -> None:
    page.goto(instance.url)
    page.evaluate("window.wasHere = true")
    # A key that is pressed before there is a bar opens nothing.
    page.locator('a[data-page="/decisions"]').wait_for()

    for key, path in (("5", "decisions"), ("6", "system"), ("7", "experiments")):
        page.keyboard.press(key)
        expect(page.locator("#page-body > [data-page-path]")).to_have_attribute(
            "data-page-path", f"/{path}"
        )
        assert page.url == f"{instance.url}{path}"
    page.go_back()

    expect(page.locator("#services-table")).to_be_visible()
    assert page.evaluate("window.wasHere") is True


def test_a_stored_experiment_opens_in_the_same_pages_and_takes_no_wish(
    instance: Instance, page: Page
) -> None:
    page.goto(f"{instance.url}experiments")
    page.locator("#stored-old").get_by_role("link", name="open").click()
    expect(page.locator("#live-state")).to_have_text("STORED")
    expect(page.locator("#replay-note")).to_contain_text("REPLAY")
    page.locator('a[data-page="/decisions"]').click()

    assert page.url == f"{instance.url}decisions?experiment=old"
    expect(page.locator("#proposal-0")).to_be_visible()
    expect(page.locator("#approve-0")).to_have_count(0)
    page.evaluate(
        "wish => window.lithoscope.ask(wish, {})",
        {"ask": "approve", "experiment": "old", "proposal": "gap:0"},
    )
    expect(page.locator("#answer-note")).to_contain_text("not the experiment that runs")


def test_markup_in_a_name_is_text(instance: Instance, page: Page) -> None:
    for path in ("", *PAGES):
        page.goto(f"{instance.url}{path}")
        expect(page.locator("#sequence")).to_have_text(DRAWN)

    page.goto(f"{instance.url}decisions")
    expect(page.locator("#sample")).to_contain_text(EVIL)
    expect(page.locator("#history")).to_contain_text(EVIL)
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nobody_meets_a_barrier(instance: Instance, page: Page, theme: str) -> None:
    found: list[str] = []
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # one of two literals
    for path in PAGES:
        page.goto(f"{instance.url}{path}")
        expect(page.locator("#sequence")).to_have_text(DRAWN)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        for each in Axe().run(page).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                nodes = [node["html"][:160] for node in each["nodes"][:3]]
                found.append(f"/{path}: {each['id']}: {nodes}")

    assert found == []


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (390, 844)])
def test_nothing_is_cut_off_comes_from_elsewhere_or_breaks_the_policy(
    instance: Instance, page: Page, size: tuple[int, int]
) -> None:
    heard = overhear(page)
    page.set_viewport_size({"width": size[0], "height": size[1]})

    for path in PAGES:
        page.goto(f"{instance.url}{path}")
        expect(page.locator("#sequence")).to_have_text(DRAWN)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path

    assert heard.complaints == []
    assert heard.elsewhere(instance.url) == []


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        (
            "decisions",
            {
                "#proposal-1": "hold · remaining_gap · scan 1",
                "#proposal-1 .evidence": "remaining gap um = 110",
                "#alarms": "Look at the flats.",
                "#lease": "Not armed",
                "#event-6": "proposed",
            },
        ),
        (
            "system",
            {
                "#service-ingest": "never heard",
                "#failures": "no memory; free it",
                "#scan-0": "100.0 %",
                "#scan-1": "test",
                "#machine": "GiB free of",
            },
        ),
        (
            "experiments",
            {
                "#stored-first": "runs",
                "#stored-old": "stopped",
                "#stored-first [data-label=source]": "simulated",
                "#stored-first [data-label='measured scans']": "2 of 0",
                "#replay-state": "No replay runs.",
            },
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_page_answers_what_its_users_ask(
    instance: Instance, page: Page, path: str, answers: dict[str, str]
) -> None:
    page.goto(f"{instance.url}{path}")

    for where, answer in answers.items():
        expect(page.locator(where)).to_contain_text(answer)
