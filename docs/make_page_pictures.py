"""Take the pictures of the pages, at three sizes, from a demo that this runs.

``python -m docs.make_page_pictures`` writes ``docs/pictures/pages/NAME-WIDTHxHEIGHT.webp``. A
person of the demo approves what is proposed first, lets the plan go on, and paints two slices.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.first_hour_person import Painter, seen, strokes_on
from benchmarks.page_browser import chromium
from benchmarks.page_demo import instance_of
from PIL import Image
from playwright.sync_api import Page, TimeoutError, ViewportSize
from psutil import Popen

from lithoscope_messages import LabelsReady
from lithoscope_pipeline.labels import segments_of
from lithoscope_services.reading import read_entries
from lithoscope_store import Store, read_slab

PICTURES = Path(__file__).parent / "pictures" / "pages"
NAME = "demo"
SIZES = ((1920, 1080), (1280, 720), (390, 844))
#: Address of each page, and what is there when it has been drawn.
PAGES = {
    "live": ("", "canvas[data-axis=z][data-labels=yes]"),
    "metrics": ("metrics", "#metrics-figure .scatterlayer .trace"),
    "maps": ("maps?map=plating_current_density_mA_cm2", "#map-canvas[data-scan]"),
    "3d": ("3d", "#surface-canvas[data-drawn=whole]"),
    "labels": ("labels", "canvas[data-painted][data-answer]:not([data-answer=''])"),
    "decisions": ("decisions", "#history-table"),
    "system": ("system", "#scans-table"),
    "experiments": ("experiments", "#shelf-table"),
    "kiosk": ("kiosk", ".kiosk-number"),
    "phone": ("m", ".kiosk-number"),
}
#: Where a page is not as wide as its window; else what lies below is cut off.
WHOLE_PAGE_BELOW = 800
PATIENCE_MS = 300_000


def main() -> None:
    """Run a demo to its end, and take a picture of each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=6)
    parser.add_argument("--size", default="small")
    parser.add_argument("--scan", type=int, default=3, help="the scan that is looked at")
    asked = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="pictures-") as folder,
        _demo(Path(folder), asked.size, asked.scans) as (store, process),
        chromium() as browser,
    ):
        url = str(instance_of(store, process).dashboard_url)
        page = browser.new_page(color_scheme="dark")
        _answer(page, url)
        _paint(page, url, store, asked.scan)
        while not store.experiment(NAME).manifest.exists():
            page.wait_for_timeout(1000)
        for width, height in SIZES:
            page.set_viewport_size(ViewportSize(width=width, height=height))
            for name, (path, sign) in PAGES.items():
                page.goto(url + path)
                page.locator(sign).first.wait_for(timeout=PATIENCE_MS)
                _settle(page, name, asked.scan)
                _keep(page.screenshot(full_page=width < WHOLE_PAGE_BELOW), name, width, height)


@contextmanager
def _demo(folder: Path, size: str, n_scans: int) -> Iterator[tuple[Store, Popen]]:
    settings = folder / "demo.toml"
    settings.write_text("[dashboard]\nport = 0\n")
    process = Popen(
        [
            *(sys.executable, "-m", "lithoscope_services.cli", "demo", "--size", size),
            *("--scans", str(n_scans), "--headless", "--wait", "--as", NAME),
            *("--store", str(folder / "store"), "--config", str(settings)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield Store(folder / "store"), process
    process.terminate()
    process.wait(30)


def _answer(page: Page, url: str) -> None:
    """Approve the first proposal, and release the hold that it asks for."""
    page.goto(f"{url}decisions")
    try:
        page.locator("#approve-0").click(timeout=PATIENCE_MS)
        page.fill("#reason", "the tip is near")
        page.fill("#person", "Ada")
        page.click("#ask-confirm")
        page.locator("#release").click(timeout=PATIENCE_MS)
        page.fill("#reason", "looked at the slices")
        page.click("#ask-confirm")
    except TimeoutError as error:
        sys.stderr.write(f"nobody was asked: {error.message.splitlines()[0]}\n")


def _paint(page: Page, url: str, store: Store, scan: int) -> None:
    """Paint two slices of a scan as soon as it is labelled: strokes on what the network found."""
    page.set_viewport_size(ViewportSize(width=1280, height=900))
    found: list[LabelsReady] = []
    while not found:
        page.wait_for_timeout(1000)
        messages = [entry.message for entry in read_entries(store, NAME)]
        found = [each for each in messages if isinstance(each, LabelsReady) and each.scan == scan]
    n_z, rows, columns = found[0].shape
    volume = store.experiment(NAME).resolve(found[0].path)
    person = Painter(page, url, (rows, columns))
    for z in (n_z // 3, n_z // 2):
        person.go_to(scan, z)
        labels = segments_of(read_slab(volume, z, z + 1, label="cell")[0])
        person.paint(strokes_on(seen(labels, seed=z), coverage=0.1, seed=z))
    person.wait_for_answer()


def _settle(page: Page, name: str, scan: int) -> None:
    """Go to a scan, and to what is worth seeing of it."""
    if name == "live":
        page.locator(f".thumb[data-scan='{scan}']").click()
        page.locator(f"canvas[data-axis=x][data-scan='{scan}']").wait_for()
    if name == "labels":
        page.locator("#labels-scan").select_option(str(scan))
        page.locator(PAGES[name][1]).wait_for()
    for slider in ("#map-scan", "#surface-scan"):
        if page.locator(slider).count():
            page.locator(slider).evaluate(
                "(each, scan) => { each.value = scan; each.dispatchEvent(new Event('input')); }",
                scan,
            )
    # Curves and sharper planes come a moment later.
    page.wait_for_timeout(2500)
    # What was clicked had been brought into view.
    page.evaluate("window.scrollTo(0, 0)")


def _keep(png: bytes, name: str, width: int, height: int) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(PICTURES / f"{name}-{width}x{height}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
