"""Live page, metrics, maps and surfaces, asked in a real Chromium what a person would ask them."""

import csv
import io
import json
import re
from collections.abc import Iterator

import pictured_cell as cell
import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_instance import DEADLINE_S, Instance, fetch, running_instance
from overheard import overhear
from playwright.sync_api import Locator, Page, Route, expect
from waiting import until

pytestmark = [pytest.mark.system, pytest.mark.browser]
# As for the other pages, but with WebGL by the processor.
FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
NEWEST, TIGHTEST = 2, 1  # the scan that was last, and the one with the smallest gap
SIZES = [(1920, 1080), (1280, 720), (390, 844)]
PAGES = ["/", "/metrics", "/maps", "/3d"]
# How many colours a small square of a canvas has, about a place in CSS pixels.
COLOURS_JS = """
(each, [x, y]) => {
  const ratio = each.width / each.clientWidth;
  const { data } = each.getContext("2d").getImageData(x * ratio - 8, y * ratio - 8, 16, 16);
  return new Set(new Uint32Array(data.buffer)).size;
}
"""
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
N_FACTS = 2 + 6 * 3


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Three scans of a dendrite whose height is known; the first lacks frames."""
    with running_instance(tmp_path_factory.mktemp("pictures") / "store") as made:
        cell.begin(made)
        for scan in range(3):
            cell.add(made, scan, missing=7 if scan == 0 else 0)
        health = f"{made.url}api/v1/health"
        until(
            lambda: json.loads(fetch(health)[2])["head"] == N_FACTS,
            timeout_s=DEADLINE_S,
            what="the scans on the page",
        )
        yield made


@pytest.fixture(scope="module")
def browser_flags() -> list[str]:
    return FLAGS


def plane(page: Page, axis: str) -> Locator:
    return page.locator(f"canvas[data-axis={axis}]")


def open_live(page: Page, instance: Instance) -> None:
    page.goto(instance.url)
    for axis in "zyx":
        expect(plane(page, axis)).to_have_attribute("data-labels", "yes")


def barriers(page: Page) -> list[str]:
    """What keeps people out, in the dark and in the light."""
    found: list[str] = []
    for scheme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", scheme)
        found += [
            f"{scheme}: {each['id']} {each['nodes'][0]['target']}"
            for each in Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    return found


def set_range(field: Locator, value: float) -> None:
    field.evaluate(
        """(each, value) => {
            each.value = value;
            each.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        value,
    )


def test_the_live_page_answers_what_a_person_asks(instance: Instance, page: Page) -> None:
    open_live(page, instance)

    # Which scan do I see, what is the gap, what is its limit, what part is seen?
    expect(page.locator("#shown-scan")).to_have_attribute("data-scan", str(NEWEST))
    expect(page.locator("#metric-remaining_gap_um")).to_have_text(f"{cell.gap_um(NEWEST):.1f}")
    expect(page.locator("#limit-remaining_gap_um")).to_have_text("limit: below 40.0 µm")
    expect(page.locator("#interval-dendrite_volume_um3")).to_have_text("interval not modelled")
    expect(page.locator("#area-seen")).to_have_text("CT sees 13.8 % of the active area")
    # Do we make the deadline? The verdict came a second after the scan, of 600.
    expect(page.locator("#deadline")).to_have_attribute("data-outlook", "made")
    # What is at this place?
    for axis, place in (("z", cell.Z), ("y", 44), ("x", cell.X)):
        set_range(page.locator(f"#position-{axis}"), place)
    expect(page.locator("#readout")).to_contain_text("dendrite (D)")


def test_one_point_links_the_three_planes(instance: Instance, page: Page) -> None:
    open_live(page, instance)
    canvas = plane(page, "z")
    frame = canvas.bounding_box()
    assert frame is not None

    # The middle of the cross-section is y 30, x 20 of 60 x 40 voxels; go a tenth of it higher.
    scale = min(frame["width"] / 40, frame["height"] / 60)
    canvas.click(position={"x": frame["width"] / 2 + 1, "y": frame["height"] / 2 - 6 * scale + 1})

    expect(plane(page, "y")).to_have_attribute("data-index", "24")
    expect(plane(page, "x")).to_have_attribute("data-index", "20")
    canvas.press("ArrowUp")
    expect(plane(page, "z")).to_have_attribute("data-index", "9")


def test_hiding_a_class_and_fading_labels_ask_for_nothing(instance: Instance, page: Page) -> None:
    open_live(page, instance)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "/slice/" in each.url else None)
    pixels = "each => each.toDataURL()"
    before = plane(page, "z").evaluate(pixels)

    page.locator("[data-class=electrolyte]").click()
    hidden = plane(page, "z").evaluate(pixels)
    page.keyboard.press("p")
    set_range(page.locator("#opacity"), 0)
    bare = plane(page, "z").evaluate(pixels)

    expect(page.locator("[data-class=plating_electrode]")).to_have_attribute(
        "aria-pressed", "false"
    )
    assert before != hidden != bare
    assert asked == []


def test_contrast_is_set_by_hand_for_all_scans_and_given_back(
    instance: Instance, page: Page
) -> None:
    open_live(page, instance)
    own, text = page.locator("#window-own"), page.locator("#window-text")
    expect(text).to_contain_text("1/cm")
    before, pixels = text.inner_text(), plane(page, "y").evaluate("each => each.toDataURL()")

    with page.expect_response(lambda each: "/y/" in each.url and "low=" in each.url) as asked:
        set_range(page.locator("#window-black"), 90)

    about = json.loads(asked.value.headers["x-lithoscope-about"])
    black = float(text.inner_text().split(" to ")[0])
    assert about["window"][0] == pytest.approx(black, abs=0.005)
    expect(own).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("[")
    expect(plane(page, "y")).to_have_attribute("data-scan", str(NEWEST - 1))
    assert text.inner_text() != before
    page.locator("#live-button").click()
    own.click()
    expect(text).to_have_text(before)
    wait_until = "([each, old]) => each.toDataURL() === old"
    page.wait_for_function(wait_until, arg=[plane(page, "y").element_handle(), pixels])


def test_a_scan_that_is_chosen_stays_until_live_is_pressed(instance: Instance, page: Page) -> None:
    open_live(page, instance)
    thumb = page.locator(".thumb[data-scan='0']")
    expect(thumb).to_have_attribute("data-state", "incomplete")
    expect(thumb).to_have_text("!0")

    thumb.click()

    expect(plane(page, "z")).to_have_attribute("data-scan", "0")
    live = page.locator("#live-button")
    expect(live).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("]")
    expect(plane(page, "z")).to_have_attribute("data-scan", "1")
    live.click()
    expect(plane(page, "z")).to_have_attribute("data-scan", str(NEWEST))
    expect(page.locator(".timeline-plot polyline.current")).to_have_count(1)


def test_a_slice_of_another_scan_is_never_shown(instance: Instance, page: Page) -> None:
    def of_another(route: Route) -> None:
        reply = route.fetch()
        about = json.loads(reply.headers["x-lithoscope-about"]) | {"scan": 0}
        headers = {**reply.headers, "x-lithoscope-about": json.dumps(about)}
        route.fulfill(response=reply, headers=headers)

    page.route("**/slice/*/2/z/*layer=labels*", of_another)
    with page.expect_console_message(lambda each: "asked for" in each.text):
        page.goto(instance.url)

    expect(plane(page, "y")).to_have_attribute("data-scan", "2")
    assert plane(page, "z").get_attribute("data-scan") is None


def test_limits_axes_and_the_table_follow_what_is_chosen(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}metrics")

    expect(
        page.locator("#metrics-figure .annotation-text", has_text="gap: set below 40")
    ).to_have_count(1)
    expect(
        page.locator("#metrics-figure .annotation-text", has_text="gap: reset below 60")
    ).to_have_count(1)
    page.get_by_label("time", exact=True).check()
    expect(page.locator("#metrics-figure")).to_contain_text("time / h")
    page.get_by_label("median of 3").check()
    expect(page.locator("#metrics-figure")).to_contain_text("remaining gap, median of 3")
    address = page.locator("#metrics-csv").get_attribute("href")
    assert address is not None
    rows = csv.DictReader(io.StringIO(fetch(f"{instance.url}{address[1:]}")[2].decode()))
    written = [float(each["value"]) for each in rows if each["metric"] == "remaining_gap_um"]
    assert written == [cell.gap_um(scan) for scan in range(3)]


def test_the_maps_page_answers_what_a_person_asks(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}maps")
    gap = cell.gap_um(NEWEST)
    place = f"z {cell.Z}, x {cell.X}"

    # Where is the gap smallest, and how small; what is it elsewhere?
    expect(page.locator("#map-least")).to_contain_text(f"{gap:g} µm at {place} (16.0, 40.0 µm)")
    canvas = page.locator("#map-canvas")
    frame = canvas.bounding_box()
    assert frame is not None
    scale = min(frame["width"] / 40, frame["height"] / 16)
    canvas.hover(
        position={"x": frame["width"] / 2 + 0.5 * scale, "y": frame["height"] / 2 + 0.5 * scale}
    )
    expect(page.locator("#map-hover")).to_have_attribute("data-value", f"{gap:g}")
    expect(page.locator("#profile-text")).to_contain_text(f"z {cell.Z}")
    # What has changed since the scan before?
    page.get_by_label("Less scan").select_option("scan 1")
    expect(page.locator("#map-greatest")).to_contain_text(
        f"{gap - cell.gap_um(TIGHTEST):g} µm at {place}"
    )
    expect(page.locator(".colour-bar")).to_have_attribute("src", "/api/v1/colours/balance.png")


def test_a_current_below_its_detection_limit_is_veiled_and_said(
    instance: Instance, page: Page
) -> None:
    page.goto(f"{instance.url}maps?map={cell.CURRENT}")
    canvas = page.locator("#map-canvas")
    expect(page.locator("#map-detected")).to_have_text("51.3 % of what was measured")
    frame = canvas.bounding_box()
    assert frame is not None
    scale = min(frame["width"] / 40, frame["height"] / 16)
    middle = {"x": frame["width"] / 2, "y": frame["height"] / 2}

    canvas.hover(position={"x": middle["x"] - 9.5 * scale, "y": middle["y"] + 4.5 * scale})
    expect(page.locator("#map-hover")).to_contain_text("0.25 mA/cm²")
    expect(page.locator("#map-hover")).to_contain_text("below the limit of 0.5")
    canvas.hover(position={"x": middle["x"] + 9.5 * scale, "y": middle["y"] + 4.5 * scale})
    expect(page.locator("#map-hover")).to_contain_text("1.5 mA/cm²")
    expect(page.locator("#map-hover")).not_to_contain_text("below")
    # Lines cross what is veiled; what is not has one colour.
    n_colours = [
        canvas.evaluate(COLOURS_JS, [middle["x"] + side * 9 * scale, middle["y"] + 5 * scale])
        for side in (-1, 1)
    ]
    assert n_colours[0] > n_colours[1] == 1
    page.locator("#map-tools select").first.select_option("remaining_gap_um")
    expect(page.locator("#map-detected")).to_have_text("no limit is known")


def test_surfaces_are_hidden_clipped_and_turned(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}3d")
    canvas = page.locator("#surface-canvas")
    expect(canvas).to_have_attribute("data-scan", str(NEWEST))
    whole = int(canvas.get_attribute("data-triangles") or 0)
    page.locator("[data-class=stripping_electrode].toggle").click()
    until(
        lambda: 0 < int(canvas.get_attribute("data-triangles") or 0) < whole,
        timeout_s=DEADLINE_S,
        what="a hidden class",
    )
    page.get_by_label("ghost of the scan before").check()
    expect(canvas).to_have_attribute("data-ghost", str(TIGHTEST))
    page.locator("#clip-axis").select_option("across y")
    set_range(page.locator("#clip-place"), 50)
    expect(canvas).to_have_attribute("data-clip", re.compile(r"^y \d+\.\d$"))
    frame = canvas.bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 100, frame["y"] + 100)
    page.mouse.down()
    page.mouse.move(frame["x"] + 160, frame["y"] + 120)
    expect(canvas).to_have_attribute("data-drawn", "fewer")
    page.mouse.up()
    expect(canvas).to_have_attribute("data-drawn", "whole")


def test_a_lost_context_is_said_and_found_again(instance: Instance, page: Page) -> None:
    page.goto(f"{instance.url}3d")
    canvas, note = page.locator("#surface-canvas"), page.locator("#surface-note")
    expect(canvas).to_have_attribute("data-scan", str(NEWEST))

    canvas.evaluate(
        """each => {
            window.taken = each.getContext("webgl2").getExtension("WEBGL_lose_context");
            window.taken.loseContext();
        }"""
    )
    expect(note).to_contain_text("took the picture away")
    page.evaluate("window.taken.restoreContext()")

    expect(note).to_have_text("")


def test_without_webgl_the_numbers_are_there_all_the_same(instance: Instance, page: Page) -> None:
    page.add_init_script(
        """const own = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind.startsWith("webgl") ? null : own.call(this, kind, ...rest);
        };"""
    )
    page.goto(f"{instance.url}3d")

    expect(page.locator("#surface-note")).to_contain_text("no WebGL")
    expect(page.locator("#surface-rows tr")).to_have_count(3)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_keeps_nobody_out_loads_nothing_from_elsewhere_and_runs_no_name(
    instance: Instance, page: Page, path: str
) -> None:
    heard = overhear(page)

    page.goto(instance.url + path[1:])
    expect(page.locator("#main")).to_be_visible()
    expect(page.locator("#sample")).to_contain_text(cell.SAMPLE)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator("#main")).to_be_visible()
        # Curves are drawn anew a moment after the window has changed.
        until(
            lambda: page.evaluate(FITS),
            timeout_s=DEADLINE_S,
            what=f"{path} fitting {width} pixels",
        )
    assert barriers(page) == []

    assert heard.complaints == []
    assert page.evaluate("window.wasRun") is None
    assert heard.elsewhere(instance.url, instance.url.replace("http", "ws", 1)) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("slice/first/0/z/8.webp?px=64&box=0,0,20,20", 200),
        ("slice/first/0/z/8.webp?box=0,0,999,20", 404),
        ("slice/first/0/z/8.webp?low=2&high=1", 404),
        ("slice/first/0/z/8.gif", 422),
        ("map/first/0/remaining_gap_um.csv", 200),
        ("map/first/0/plating_current_density_mA_cm2/undetected.png?minus=1", 200),
        ("map/first/0/remaining_gap_um/undetected.png", 404),
        ("map/first/0/..%2f..%2fetc.png", 404),
        ("map/first/0/remaining_gap_um/value.json?row=99&column=0", 404),
        ("map/other/0/remaining_gap_um.json", 404),
        ("surface/first/0/electrolyte.glb", 404),
        ("surface/first/0/dendrite.glb", 200),
        ("preview/first/0/z.png", 404),
        ("metrics.csv", 422),
        ("nothing/of/this", 404),
    ],
)
def test_what_is_asked_over_http_is_there_or_refused(
    instance: Instance, path: str, status: int
) -> None:
    found, _, body = fetch(f"{instance.url}api/v1/{path}")

    assert found == status
    assert status != 404 or json.loads(body)["error"]


def test_a_picture_says_what_it_is_and_is_kept_under_its_generation(instance: Instance) -> None:
    address = f"{instance.url}api/v1/slice/first/1/y/30.png?layer=labels&px=16"

    _, loose, _ = fetch(address)
    about = json.loads(loose["X-Lithoscope-About"])
    _, fixed, _ = fetch(f"{address}&v={about['generation']}")

    named = {key: about[key] for key in ("experiment", "scan", "axis", "index", "layer")}
    assert named == {"experiment": "first", "scan": 1, "axis": "y", "index": 30, "layer": "labels"}
    # 40 voxels are shown by 16 pixels at most: three levels would be needed, there is one.
    assert about["box"] == [0, 0, 16, 40]
    assert loose["Cache-Control"] == "private, no-cache"
    assert "immutable" in fixed["Cache-Control"]
    assert fetch(address, If_None_Match=loose["ETag"])[0] == 304
