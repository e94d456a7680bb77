"""The Labels page in a real Chromium: seven slices painted, a forest that answers, corrections."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import painted_cell as cell
import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_instance import NAME, Instance, fetch, running_instance
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from waiting import until

from lithoscope_messages import PaintRequested, SlicePainted
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_store.painted_labels import PaintedLabels, read_painted

pytestmark = [pytest.mark.system, pytest.mark.browser]
SLICES = (1, 4, 7, 10, 13, 16, 19)
BRUSH = 3
PAINTER = "<script>window.wasRun = true</script>"
PATIENCE_MS = 90_000
SAVED = "All strokes are stored."
LETTERS = dict(zip(SegmentClass, "BEFLDIV", strict=True))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    pytest.importorskip("sklearn", reason="pip install 'lithoscope[labels]' runs this test")
    with (
        running_instance(tmp_path_factory.mktemp("labels") / "store") as made,
        cell.label_service(made),
    ):
        made.start(sample="cell")
        cell.add_volume(made)
        cell.wait_for_scan(made)
        yield made


@pytest.fixture(scope="module")
def seven(instance: Instance, browser: Browser) -> PaintedLabels:
    """Seven slices, painted with a pointer by somebody with a dangerous name."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    open_page(page, instance)
    page.fill("#painter", PAINTER)
    page.locator("#painter").press("Tab")
    set_range(page, "#brush", BRUSH)
    for z in SLICES:
        go_to(page, z)
        for each in cell.strokes(z, BRUSH):
            drag(page, each)
    wait_for_answer(page)
    expect(page.locator(".painted-line").first).to_contain_text("<script>")
    assert page.evaluate("window.wasRun") is None
    page.close()
    return read_painted(instance.paths, 0)


def open_page(page: Page, instance: Instance) -> None:
    page.goto(f"{instance.url}labels")
    page.locator("canvas[data-painted]").wait_for(timeout=PATIENCE_MS)


def wait_for_answer(page: Page) -> None:
    """Wait until all is stored and a forest that has seen it has answered all slices."""
    expect(page.locator("#labels-saved")).to_have_text(SAVED, timeout=PATIENCE_MS)
    fresh = page.locator("#labels-answer[data-fresh=yes][data-status=done]")
    fresh.wait_for(timeout=PATIENCE_MS)


def set_range(page: Page, selector: str, value: int) -> None:
    page.locator(selector).evaluate(
        "(each, value) => { each.value = value; each.dispatchEvent(new Event('input')); }", value
    )


def go_to(page: Page, z: int, number: int = 1) -> None:
    set_range(page, "#labels-slice", z)
    page.locator(f"canvas[data-painted='z/{z}/{number}'][data-index='{z}']").wait_for()


def at(page: Page, row: int, column: int) -> tuple[float, float]:
    """Where the middle of a voxel is on the screen: the whole slice is fitted in."""
    frame = page.locator("#labels-viewer canvas").bounding_box()
    assert frame is not None
    rows, columns = cell.truth().shape[1:]
    scale = min(frame["width"] / columns, frame["height"] / rows)
    x = frame["x"] + frame["width"] / 2 + (column + 0.5 - columns / 2) * scale
    y = frame["y"] + frame["height"] / 2 + (row + 0.5 - rows / 2) * scale
    return x, y


def drag(page: Page, stroke: cell.Stroke) -> None:
    page.keyboard.press(LETTERS[SegmentClass(stroke.value)].lower())
    page.mouse.move(*at(page, stroke.row, stroke.left))
    page.mouse.down()
    page.mouse.move(*at(page, stroke.row, stroke.right), steps=3)
    page.mouse.up()


def about(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{instance.url}api/v1/labels/{NAME}/0.json")[2])
    return found


def answer(instance: Instance, z: int) -> NDArray[np.uint8]:
    """The plane as the newest forest labels it."""
    token = about(instance)["answer"]["token"]
    status, _, png = fetch(f"{instance.url}api/v1/answer/{NAME}/0/z/{z}.png?v={token}")
    assert status == 200
    return np.asarray(Image.open(io.BytesIO(png)))


def own(instance: Instance, number: int, z: int) -> NDArray[np.uint8]:
    """What is stored of a round on a slice, by whomever."""
    for plane in read_painted(instance.paths, 0).planes:
        if (plane.round, plane.axis, plane.index) == (number, "z", z):
            return plane.classes
    return np.full(cell.truth().shape[1:], UNLABELLED, np.uint8)


def wait_until(instance: Instance, number: int, z: int, pixels: list[int]) -> None:
    until(
        lambda: own(instance, number, z)[10, :3].tolist() == pixels,
        timeout_s=60,
        what=f"{pixels} in row 10",
    )


def test_stored_labels_are_the_strokes_and_nothing_else(seven: PaintedLabels) -> None:
    shape = cell.truth()[0].shape

    assert sorted(each.index for each in seven.planes) == list(SLICES)
    for plane in seven.planes:
        expected = cell.painted(shape, cell.strokes(plane.index, BRUSH), BRUSH)
        np.testing.assert_array_equal(plane.classes, expected)
        known = plane.classes != UNLABELLED
        np.testing.assert_array_equal(plane.classes[known], cell.truth()[plane.index][known])
        assert plane.person.startswith(PAINTER)
        assert (plane.axis, plane.round) == ("z", 1)


def test_the_journal_says_who_painted_what_and_when(
    instance: Instance, seven: PaintedLabels
) -> None:
    messages = instance.messages()
    facts = [each for each in messages if isinstance(each, SlicePainted)]
    requests = {each.key: each for each in messages if isinstance(each, PaintRequested)}

    for plane in seven.planes:
        last = [f for f in facts if f.index == plane.index and f.person == plane.person][-1]
        assert sum(last.n_pixels.values()) == (plane.classes != UNLABELLED).sum()
        assert requests[last.key].time_ns == plane.time_ns


def test_the_answer_labels_slices_that_nobody_painted(
    instance: Instance, seven: PaintedLabels
) -> None:
    state = about(instance)["answer"]

    assert state["planes"] == list(range(cell.N_SLICES))
    assert state["n_planes"] == len(SLICES)
    assert len(state["suggested"]) == 3
    right = [(answer(instance, z) == cell.truth()[z]).mean() for z in (3, 12, 21)]
    # Grey values of lithium that was there and that was plated overlap; the rest is told apart.
    assert np.mean(right) > 0.85


def test_corrections_on_the_answer_are_the_next_round(
    instance: Instance, seven: PaintedLabels, page: Page
) -> None:
    z = 12
    wrong = (answer(instance, z) == SegmentClass.ELECTRODE) & (
        cell.truth()[z] == SegmentClass.DEPOSITED
    )
    row, left, right = cell.longest_run(wrong)
    stroke = cell.Stroke(int(SegmentClass.DEPOSITED), row, left, right)
    open_page(page, instance)
    page.fill("#painter", "ada")
    page.locator("#painter").press("Tab")
    page.locator("#next-round").click()
    go_to(page, z, 2)
    set_range(page, "#brush", 1)
    drag(page, stroke)
    wait_for_answer(page)

    np.testing.assert_array_equal(own(instance, 2, z), cell.painted(wrong.shape, [stroke], 1))
    for plane in seven.planes:
        np.testing.assert_array_equal(own(instance, 1, plane.index), plane.classes)
    corrected = answer(instance, z)[row, left : right + 1] == SegmentClass.DEPOSITED
    assert corrected.mean() > 0.5
    assert about(instance)["answer"]["round"] == 2


def test_the_keyboard_paints_undoes_and_erases(
    instance: Instance, seven: PaintedLabels, page: Page
) -> None:
    open_page(page, instance)
    page.fill("#painter", "keys")
    page.locator("#painter").press("Tab")
    z = 2
    number = max(each["round"] for each in about(instance)["planes"])
    go_to(page, z, number)
    set_range(page, "#brush", 1)
    canvas = page.locator("#labels-viewer canvas")
    canvas.focus()
    for key in ("d", "Shift+ArrowDown", "Enter", "ArrowRight", "ArrowRight", "Enter", "Space"):
        page.keyboard.press(key)
    wait_for_answer(page)
    painted = own(instance, number, z)
    assert painted[10, :3].tolist() == [SegmentClass.DENDRITE] * 3
    assert (painted != UNLABELLED).sum() == 3

    page.keyboard.press("z")
    page.keyboard.press("z")
    until(
        lambda: not (own(instance, number, z) != UNLABELLED).any(),
        timeout_s=60,
        what="the undoing",
    )
    page.keyboard.press("y")
    for key in ("x", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    until(
        lambda: own(instance, number, z)[10, :3].tolist() == [4, 255, 4],
        timeout_s=60,
        what="erasing",
    )
    page.keyboard.press("PageUp")
    expect(canvas).to_have_attribute("data-index", "3")
    page.keyboard.press("n")
    suggested = about(instance)["answer"]["suggested"]
    expect(canvas).to_have_attribute("data-index", str(suggested[0]))


def test_a_viewer_sees_the_answer_and_has_no_tools(
    instance: Instance, seven: PaintedLabels, page: Page
) -> None:
    def as_viewer(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "role": "viewer", "login": True})

    page.route("**/api/v1/session", as_viewer)
    open_page(page, instance)
    expect(page.locator("#labels-saved")).to_have_text(
        "A viewer looks; painting needs an operator."
    )
    page.locator("canvas[data-answer]:not([data-answer=''])").wait_for()
    before = instance.messages()

    for tool in page.locator(".tool").all():
        expect(tool).to_be_disabled()
    drag(page, cell.strokes(10, BRUSH)[0])

    assert len(instance.messages()) == len(before)


def test_nothing_keeps_people_out_in_either_theme(
    instance: Instance, seven: PaintedLabels, page: Page, tmp_path: Any
) -> None:
    open_page(page, instance)
    page.locator("canvas[data-answer]:not([data-answer=''])").wait_for()
    found: list[str] = []
    for scheme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", scheme)
        page.screenshot(path=str(tmp_path / f"labels-{scheme}.png"))
        found += [
            f"{scheme}: {each['id']} {each['nodes'][0]['target']}"
            for each in Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]

    assert found == []
