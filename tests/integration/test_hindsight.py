"""A folder of volumes to one page that says what would have been seen."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from stored_cell import store_cell

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.noise import find_noise
from lithoscope_pipeline.phantom import make_cell
from lithoscope_services.hindsight.page import Hindsight, look_back, write_page
from lithoscope_services.hindsight.run import VolumesOptions, run_volumes
from lithoscope_services.reading import read_entries
from lithoscope_services.settings import Settings
from lithoscope_store import Store, read_slab, verify_manifest

#: One in two of the scans of the simulated cycle, while it plates.
N_CYCLE, EVERY, N_SCANS = 25, 2, 6
#: Of the series: it has no folder; some of its slices have no file; it has more noise.
LOST_SCAN, THIN_SCAN, NOISY_SCAN = 4, 1, 3
LOST_SLICES = (4, 11, 12)
RULE_UM = 200.0
#: The bare rule: no look ahead, no allowance for an interval that is not known.
RULE = {
    "set_value": RULE_UM,
    "reset_value": RULE_UM + 40,
    "prediction": "none",
    "allowance": 0.0,
    "k": 1,
    "n": 1,
}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("series")
    write_series(root, N_SCANS, every=EVERY)
    return root


def write_series(root: Path, n_scans: int, *, every: int) -> None:
    """Write what another program would have: 16-bit slices of a simulated cell, and its cycler."""
    store = store_cell(
        root / "store",
        n_scans=N_CYCLE,
        taken=[every * scan for scan in range(n_scans) if scan != LOST_SCAN],
        seed=0,
        stages=("reconstruct",),
    )
    rng = np.random.default_rng(0)
    for scan in range(n_scans):
        if scan == LOST_SCAN:
            continue
        volume = slices_of(store, every * scan)
        if scan == NOISY_SCAN:
            # Half the dose: noise of its own as large as that which is there.
            sigma = find_noise(volume).sigma
            volume = volume + rng.normal(0, sigma, volume.shape).astype(np.float32)
        folder = root / "stacks" / f"cell_{scan + 1:03d}"
        folder.mkdir(parents=True)
        grey = np.clip(20_000 * (volume + 0.5), 0, 65_535).astype(np.uint16)
        for number, image in enumerate(grey):
            if scan != THIN_SCAN or number not in LOST_SLICES:
                tifffile.imwrite(folder / f"slice_{number:04d}.tif", image)
    write_record(root / "cycler.csv", every * (n_scans - 1))


def slices_of(store: Store, scan: int) -> FloatVolume:
    path = next((store.experiment("cell").root / "reconstructions").glob(f"{scan:04d}-*"))
    return np.asarray(read_slab(path, 0, 24), np.float32)


def write_record(path: Path, last_scan: int) -> None:
    """Write the cycler's table from before the first pulse to the rest of the last scan."""
    cell = make_cell("tiny", seed=0, n_scans=N_CYCLE)
    record = cell.electrochemistry(0, last_scan)
    rows = zip(record.time_s, record.potential_V, record.current_mA, strict=True)
    lines = ["time_s,potential_V,current_mA", *(f"{t},{v},{i}" for t, v, i in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def seen(series: Path) -> tuple[Store, Hindsight, str]:
    """Take the series in, and write the page."""
    store = Store(series / "mine")
    settings = Settings()
    rules = tuple(
        rule.model_copy(update=RULE) for rule in settings.rules if rule.id == "remaining_gap"
    )
    run_volumes(
        VolumesOptions(
            store=store.root,
            name="cell",
            where=str(series / "stacks"),
            voxel_um=4.5,
            echem=series / "cycler.csv",
            interval_min=30.0 * EVERY,
            settings=settings.model_copy(update={"rules": rules}),
        )
    )
    entries = read_entries(store, "cell")
    paths = store.experiment("cell")
    found = look_back(paths, entries)
    return store, found, write_page(paths, entries, found)


def test_every_scan_that_is_there_is_measured(seen: tuple[Store, Hindsight, str]) -> None:
    store, found, _ = seen

    measured = [scan["scan"] for scan in found.report["scans"] if scan["metrics"]]
    assert measured == [0, 1, 2, 3, 5]
    assert verify_manifest(store.experiment("cell")) == []


def test_missing_and_noisy_files_are_named_on_the_page(seen: tuple[Store, Hindsight, str]) -> None:
    _, found, page = seen

    remarks = {each.scan: each.remarks for each in found.scans if each.remarks}
    assert found.missing == (LOST_SCAN,)
    assert set(remarks) == {THIN_SCAN, NOISY_SCAN}
    assert "3 slices missing (4, 11, 12), filled from the neighbours" in page
    assert re.search(r"noise 1\.\d\d times that of the series, as at 0\.\d\d of its dose", page)
    assert "missing: no file of this number" in page


def test_growth_is_seen_and_the_rule_warns_where_the_numbers_say_so(
    seen: tuple[Store, Hindsight, str],
) -> None:
    _, found, page = seen

    # The worse of two passes counts: with earlier scans, and without.
    names = ("remaining_gap_um", "single_scan_remaining_gap_um")
    lows = {
        scan["scan"]: min(
            gap["value"] if gap["low95"] is None else gap["low95"]
            for gap in (scan["metrics"][name] for name in names if name in scan["metrics"])
            if gap["value"] is not None
        )
        for scan in found.report["scans"]
    }
    (rule,) = found.warned
    first = min(scan for scan, low in lows.items() if low < RULE_UM)
    assert (rule.scan, rule.lead_pulses) == (first, EVERY * (N_SCANS - 1 - first))
    assert any(each.scan is not None for each in found.growth)
    assert f"would have warned at scan {rule.scan}" in page


def test_the_page_fetches_nothing(seen: tuple[Store, Hindsight, str]) -> None:
    _, _, page = seen

    sources = re.findall(r'(?:src|href)="([^"]{0,20})', page)
    assert sources
    assert all(source.startswith(("data:image/png", "#")) for source in sources)
    assert "<script" not in page
    assert "url(" not in page


@pytest.mark.timeout(3600)
def test_twenty_five_stacks_end_in_one_page_by_one_command(is_soak: bool, tmp_path: Path) -> None:
    if not is_soak:
        pytest.skip("takes minutes; run with --soak")
    write_series(tmp_path, N_CYCLE, every=1)
    command = [sys.executable, "-m", "lithoscope_services.cli", "hindsight", "stacks"]
    more = ["--voxel-um", "4.5", "--echem", "cycler.csv", "--as", "cell"]

    subprocess.run([*command, *more], cwd=tmp_path, check=True, timeout=1800)

    page = (tmp_path / "cell.html").read_text()
    assert page.count("<img") == N_CYCLE - 1
    assert "3 slices missing (4, 11, 12)" in page
    assert "of its dose" in page
    assert "missing: no file of this number" in page
    assert "would have warned at scan" in page
