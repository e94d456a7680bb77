"""The pages: how soon a number or a slice is there, how smooth surfaces turn, what it costs."""

import tempfile
from pathlib import Path

from benchmarks.page_browser import (
    NAME,
    chromium,
    dashboard,
    store_volume,
    time_frames,
    time_slices,
)
from benchmarks.page_demo import MIB, middle, watch_demo
from benchmarks.tables import Report, Table

N_VIEWERS = 20


def measure(*, is_quick: bool) -> Report:
    """Look at a stored volume, turn a mesh, and watch a demo."""
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        tables = (
            _slices(Path(folder) / "slices", is_quick=is_quick),
            _frames(Path(folder) / "slices", is_quick=is_quick),
            _demo(Path(folder) / "demo", is_quick=is_quick),
        )
    return Report(
        title="Pages",
        method=(
            "A volume of noise, which hardly compresses, is asked for over HTTP, each plane for "
            "the first time. A page asks for what its screen can show: at 1920 x 1080 three "
            "planes of at most 512 pixels, of a zoomed plane the part that is seen. Files are in "
            "the cache of the system.",
            "Chromium draws by the processor (SwiftShader). Our scene, bare WebGL with the same "
            "triangles and shaders, and the whole mesh are drawn in turn, 900 x 600 pixels, a "
            "pixel read back after each frame; the ratio is the median over frames.",
            f"A tiny demo runs to its end with one open page. Of every four scans {N_VIEWERS} "
            "viewers look at two: each asks for the page once a second and for six pictures of "
            "each new scan. Latency is from the commit of MetricsReady to the change of the tile, "
            "by one clock. Growth is from the third scan to the end, proportional set size, of "
            "all processes of the browser and of that of the server.",
        ),
        tables=tables,
        packages=("dash", "lithoscope", "numcodecs", "playwright"),
    )


def _slices(root: Path, *, is_quick: bool) -> Table:
    side, depth = (512, 32) if is_quick else (1024, 128)
    store_volume(root, side=side, depth=depth)
    rows = []
    with dashboard(root) as url:
        for what, query in (
            ("coarse, shown first", "webp?px=128"),
            ("what a screen shows, 512 px", "webp?px=512"),
            ("its labels", "png?px=512&layer=labels"),
            ("zoomed, 512 x 512 of the finest", "webp?px=512&box=128,128,640,640"),
            ("all of the finest", f"webp?px={side}"),
        ):
            if is_quick and "box" in query:
                continue
            found = time_slices(url, depth=depth, query=query, repeats=9)
            rows.append((what, f"{found[0]:.0f}", f"{found[1]:.0f}", f"{found[2] / 1024:.0f}"))
    return Table(
        title=f"A slice of {depth} x {side} x {side} voxels, {len(rows)} ways",
        columns=("what is asked for", "median, ms", "greatest, ms", "kiB"),
        rows=rows,
    )


def _frames(root: Path, *, is_quick: bool) -> Table:
    rows = []
    with dashboard(root) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{url}3d?experiment={NAME}")
        for n_triangles in (20_000,) if is_quick else (20_000, 300_000):
            found = time_frames(page, n_triangles=n_triangles, frames=5 if is_quick else 25)
            numbers = (found["all"], found["fewer"])
            times = (found["ours"], found["bare"], found["whole"])
            texts = (*(f"{each:.0f}" for each in numbers), *(f"{each:.1f}" for each in times))
            rows.append((*texts, f"{found['ratio']:.2f}"))
    return Table(
        title="A mesh that turns, drawn by the processor",
        columns=(
            *("triangles", "while moving", "our frame, ms", "bare WebGL, ms"),
            *("whole mesh, ms", "ours / bare"),
        ),
        rows=rows,
    )


def _demo(root: Path, *, is_quick: bool) -> Table:
    root.mkdir()
    with chromium() as browser:
        found = watch_demo(
            browser, root / "store", n_scans=6 if is_quick else 25, n_viewers=N_VIEWERS
        )
    alone, watched = middle(found.scans_alone_s), middle(found.scans_watched_s)
    latencies = sorted(found.latencies_s)
    greatest = f"{latencies[-1]:.2f}" if latencies else "none"
    return Table(
        title="A demo with an open page",
        columns=("what", "value"),
        rows=(
            ("scans whose number was seen to come", str(len(latencies))),
            ("journal to screen, median, s", f"{middle(found.latencies_s):.3f}"),
            ("journal to screen, greatest, s", greatest),
            ("growth of the browser, MiB", f"{found.browser_growth / MIB:.0f}"),
            ("growth of the server, MiB", f"{found.server_growth / MIB:.0f}"),
            (f"a scan without viewers, s ({len(found.scans_alone_s)})", f"{alone:.2f}"),
            (f"a scan with {N_VIEWERS}, s ({len(found.scans_watched_s)})", f"{watched:.2f}"),
            ("with / without", f"{watched / alone:.3f}"),
            ("answers to viewers", str(found.n_answers)),
            ("least credit of ingest, MiB", f"{found.least_credit_bytes / MIB:.0f}"),
        ),
    )
