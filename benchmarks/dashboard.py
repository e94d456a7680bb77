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
from benchmarks.page_paced import FIRST_ALONE, N_ALONE, share_ms, watch_paced
from benchmarks.tables import Report, Table

N_VIEWERS = 20


def measure(*, is_quick: bool) -> Report:
    """Look at a stored volume, turn a mesh, and watch a demo."""
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        tables = (
            _slices(Path(folder) / "slices", is_quick=is_quick),
            _frames(Path(folder) / "slices", is_quick=is_quick),
            _demo(Path(folder) / "demo", is_quick=is_quick),
            *_paced(Path(folder) / "paced", is_quick=is_quick),
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
            "A tiny demo runs to its end, as fast as it can, with one open page. Latency is from "
            "the commit of MetricsReady to the change of the tile, by one clock. Growth is from "
            "the third scan to the end, nothing being collected for it: proportional set size of "
            "all processes of the browser, the heap of the page, that of the server.",
            f"A tiny demo whose exposures take a given time. After {FIRST_ALONE + N_ALONE} scans "
            f"Locust opens {N_VIEWERS} tabs in a process of its own on the same machine: each is "
            "told by the line as a page is, answers its questions, and asks for six pictures of "
            "each new scan. A scan takes from its first frame's announcement to its end; beside "
            "the exposures lies what the run engine needs between the sets of frames.",
        ),
        tables=tables,
        packages=("dash", "lithoscope", "locust", "numcodecs", "playwright"),
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
        found = watch_demo(browser, root / "store", n_scans=6 if is_quick else 25)
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
            ("of it the heap of the page, MiB", f"{found.heap_growth / MIB:.0f}"),
            ("growth of the server, MiB", f"{found.server_growth / MIB:.0f}"),
        ),
    )


def _paced(root: Path, *, is_quick: bool) -> tuple[Table, Table]:
    root.mkdir()
    n_scans, scan_s = (7, 3.0) if is_quick else (10, 20.0)
    found = watch_paced(root / "store", n_scans=n_scans, scan_s=scan_s, n_viewers=N_VIEWERS)
    alone, watched = middle(found.alone_s), middle(found.watched_s)
    times = Table(
        title=f"A paced demo with {N_VIEWERS} tabs",
        columns=("what", "value"),
        rows=(
            ("exposures of a scan, nominal, s", f"{found.nominal_s:.2f}"),
            (f"a scan without tabs, s ({len(found.alone_s)})", f"{alone:.2f}"),
            (f"a scan with them, s ({len(found.watched_s)})", f"{watched:.2f}"),
            ("with / without", f"{watched / alone:.4f}"),
            ("with / nominal", f"{watched / found.nominal_s:.4f}"),
            ("least credit of ingest, MiB", f"{found.least_credit_bytes / MIB:.0f}"),
        ),
    )
    rows = [
        (
            *(each["name"], str(each["num_requests"]), str(each["num_failures"])),
            *(f"{share_ms(each['response_times'], share):.0f}" for share in (0.5, 0.95)),
        )
        for each in found.asked
    ]
    heads = ("kind", "answers", "failures", "median, ms", "95 %, ms")
    return times, Table(title="What the tabs were told", columns=heads, rows=rows)
