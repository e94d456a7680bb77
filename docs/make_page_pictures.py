"""Take the pictures of the pages of measurement out of a stored experiment.

``python -m docs.make_page_pictures STORE NAME`` writes ``docs/pictures/page-*.png`` (live,
metrics, maps, 3d), after ``lithoscope demo --scans 6 --as NAME --store STORE --no-wait``.
"""

import argparse
from pathlib import Path

from benchmarks.page_browser import chromium, dashboard
from playwright.sync_api import Page, ViewportSize

PICTURES = Path(__file__).parent / "pictures"
SIZE: ViewportSize = {"width": 1440, "height": 900}
#: What is there when a page has been drawn.
DRAWN = {
    "": "canvas[data-axis=z][data-labels=yes]",
    "metrics": "#metrics-figure .scatterlayer .trace",
    "maps": "#map-canvas[data-scan]",
    "3d": "#surface-canvas[data-drawn=whole]",
}


def main() -> None:
    """Open each page on the scan in the middle, and take its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("name")
    parser.add_argument("--scan", type=int, default=2)
    arguments = parser.parse_args()
    with dashboard(arguments.store) as url, chromium() as browser:
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        for path, sign in DRAWN.items():
            page.goto(f"{url}{path}?experiment={arguments.name}")
            page.locator(sign).first.wait_for()
            _settle(page, path, arguments.scan)
            page.screenshot(path=PICTURES / f"page-{path or 'live'}.png")


def _settle(page: Page, path: str, scan: int) -> None:
    """Go to a scan, and to what is worth seeing of it."""
    if path == "":
        page.locator(f".thumb[data-scan='{scan}']").click()
        page.locator(f"canvas[data-axis=x][data-scan='{scan}']").wait_for()
    for slider in ("#map-scan", "#surface-scan"):
        if page.locator(slider).count():
            page.locator(slider).evaluate(
                "(each, scan) => { each.value = scan; each.dispatchEvent(new Event('input')); }",
                scan,
            )
            page.locator(f"canvas[data-scan='{scan}']").wait_for()
    # Curves and sharper planes come a moment later.
    page.wait_for_timeout(2500)


if __name__ == "__main__":
    main()
