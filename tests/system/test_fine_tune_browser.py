"""A network is fine-tuned from the Labels page, in a real Chromium; a run ends with its page."""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from dashboard_instance import Instance, fetch, running_instance
from playwright.sync_api import Page, expect
from stored_cell import journal_of, shared_cell
from waiting import until

from lithoscope_messages import LabelsReady, TransformReady
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import SegmentClass, segments_of
from lithoscope_pipeline.phantom import make_cell
from lithoscope_services.painting.classes import PAINTED_CLASSES
from lithoscope_store import Store
from lithoscope_store.fine_tunes import RunState, runs_of
from lithoscope_store.painted_labels import replace_planes
from lithoscope_store.painted_planes import PaintLayer

pytestmark = [pytest.mark.system, pytest.mark.browser]
PATIENCE_MS = 240_000
SLICES = (2, 8, 14, 20)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A dashboard over a stored cell, four slices of which are painted."""
    for name in ("torch", "lightning", "monai"):
        pytest.importorskip(name, reason="pip install 'lithoscope[train]' runs these tests")
    store = shared_cell(tmp_path_factory)
    paint_truth(store)
    with running_instance(store.root) as made:
        yield made


def paint_truth(store: Store) -> None:
    messages = [entry.message for entry in journal_of(store, "cell")]
    (roi,) = (
        Roi(**each.roi.model_dump())
        for each in messages
        if isinstance(each, TransformReady) and each.verdict == "reference"
    )
    (labels,) = (each for each in messages if isinstance(each, LabelsReady) and each.scan == 1)
    truth = segments_of(make_cell("tiny", seed=5, n_scans=2).labels(1, roi))
    replace_planes(
        store.experiment("cell").resolve(labels.path),
        PaintLayer(axis="z", person="Ada", round=1),
        {z: np.ascontiguousarray(truth[z]) for z in SLICES},
        PAINTED_CLASSES,
        time_ns=1,
    )


def ask(instance: Instance, n_steps: int) -> dict[str, Any]:
    """Ask for a fine-tuning as the page does."""
    status, headers, body = fetch(f"{instance.url}api/v1/session")
    assert status == 200
    cookie = headers["Set-Cookie"].partition(";")[0]
    request = urllib.request.Request(
        f"{instance.url}api/v1/fine-tune",
        json.dumps({"experiment": "cell", "n_steps": n_steps}).encode(),
        {
            "Content-Type": "application/json",
            "Cookie": cookie,
            "Origin": instance.url.rstrip("/"),
            "X-CSRF-Token": json.loads(body)["csrf"],
        },
    )
    with urllib.request.urlopen(request) as reply:
        found: dict[str, Any] = json.loads(reply.read())
    return found


def about(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{instance.url}api/v1/fine-tune/cell.json")[2])
    return found


def test_the_page_fine_tunes_and_compares_before_and_after(
    instance: Instance, page: Page, tmp_path: Path
) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{instance.url}labels?experiment=cell")
    expect(page.locator("#fine-tune-text")).to_contain_text(f"{len(SLICES)} slices are painted")
    page.fill("#fine-tune-steps", "3")
    page.click("#fine-tune")
    expect(page.locator("#fine-tune")).to_be_disabled()
    page.locator("#labels-network[data-status=done]").wait_for()

    rows = page.locator("#fine-tune-report tbody tr")
    expect(rows.first).to_contain_text("background")
    expect(page.locator("#fine-tune-text")).to_have_text(
        re.compile("count as validated|counts as")
    )
    expect(page.locator("#fine-tune-report .command")).to_contain_text("lithoscope reprocess cell")
    picture = page.locator(".report-picture").first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("each => each.complete && each.naturalWidth") > 300
    page.screenshot(path=str(tmp_path / "fine-tune.png"), full_page=True)

    (run,) = runs_of(Store(instance.store.root), "cell")
    state = run.read_state()
    assert (state.status, state.step, state.n_steps) == ("done", 3, 3)
    assert (run.path / "report.md").is_file()
    assert state.found["after"] == about(instance)["run"]["found"]["after"]
    assert {each.key for each in SegmentClass} >= set(state.found["after"])


def test_nobody_begins_without_the_token_of_a_page(instance: Instance) -> None:
    request = urllib.request.Request(
        f"{instance.url}api/v1/fine-tune",
        json.dumps({"experiment": "cell"}).encode(),
        {"Content-Type": "application/json", "Origin": instance.url.rstrip("/")},
    )
    n_runs = len(runs_of(instance.store, "cell"))

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)

    assert refused.value.code == 403
    refused.value.close()
    assert len(runs_of(instance.store, "cell")) == n_runs


def test_a_run_ends_with_its_page_and_is_not_taken_for_one_that_goes_on(
    instance: Instance,
) -> None:
    number = ask(instance, 20_000)["number"]
    until(
        lambda: about(instance)["run"]["status"] == "learning", timeout_s=120, what="the training"
    )
    with pytest.raises(urllib.error.HTTPError, match="409") as refused:
        ask(instance, 3)
    refused.value.close()
    run = runs_of(instance.store, "cell")[number - 1]
    begun = [each.pid for each in psutil.Process(instance.dashboard.pid).children()]

    instance.dashboard.kill()
    instance.restart_dashboard()

    until(lambda: not any(map(lives, begun)), timeout_s=60, what="the end of the run")
    until(lambda: not run.is_running, timeout_s=60, what="the lock")
    until(lambda: is_up(instance), timeout_s=60, what="the page")
    said = about(instance)["run"]
    assert isinstance(run.read_state(), RunState)
    assert (said["status"], "begin another one" in said["message"]) == ("failed", True)


def is_up(instance: Instance) -> bool:
    try:
        return fetch(f"{instance.url}api/v1/health")[0] == 200
    except urllib.error.URLError:
        return False


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != "zombie"
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
