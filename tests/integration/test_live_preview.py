"""What is shown of a scan while it runs."""

from pathlib import Path

import numpy as np
import pytest
from live_scans import COLUMNS, N_VIEWS, LiveStore, RodScan
from live_stage import RODS, begun, finish, finish_whole, likeness, watch

from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct import ReconstructStage, follow

GOLDEN_DEG = tuple(np.mod(np.arange(N_VIEWS) * 180.0 * (np.sqrt(5.0) - 1.0) / 2.0, 180.0))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> LiveStore:
    """An experiment whose scan 0 has its volume; not to be changed."""
    return begun(tmp_path_factory.mktemp("first"), RODS)


@pytest.fixture
def live(first: LiveStore, tmp_path: Path) -> LiveStore:
    """A copy of it, to go on with."""
    return first.copied_to(tmp_path)


@pytest.mark.parametrize("n_there", [1, 40, 90])
def test_a_preview_shows_the_scan_before_where_nothing_new_is_known(
    live: LiveStore, monkeypatch: pytest.MonkeyPatch, n_there: int
) -> None:
    monkeypatch.setattr(follow, "PREVIEW_EVERY_S", 0.0)
    stage = ReconstructStage()
    live.begin(1, RODS)
    live.write(1, RODS, range(N_VIEWS))
    watch(live, stage)
    finish(live, stage, 1)
    live.begin(2, RODS)
    live.write(2, RODS, range(n_there))

    shown = watch(live, stage)[-1]

    assert (shown.views_used, shown.views_filled) == (n_there, N_VIEWS - n_there)
    assert shown.axis_source == "scan_before"
    assert likeness(live, 1, shown) > 0.95


def test_a_quarter_of_a_golden_scan_is_a_usable_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PREVIEW_EVERY_S", 0.0)
    golden = RodScan(thetas_deg=GOLDEN_DEG)
    live = LiveStore(tmp_path, replace_values(Settings(), {"scan.rotation_axis": RODS.axis_px}))
    stage = ReconstructStage()
    live.begin(0, golden)
    live.write(0, golden, range(N_VIEWS // 4))

    shown = watch(live, stage)[-1]
    live.write(0, golden, range(N_VIEWS // 4, N_VIEWS), with_beam=False)
    live.tell(finish_whole(live, stage, 0))

    assert shown.axis_source == "given"
    assert shown.views_used == N_VIEWS // 4
    assert likeness(live, 0, shown) > 0.7


def test_a_preview_of_a_first_scan_says_that_its_axis_is_the_middle_of_the_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PREVIEW_EVERY_S", 0.0)
    live = LiveStore(tmp_path)
    stage = ReconstructStage()
    live.begin(0, RODS)
    live.write(0, RODS, range(10))

    begin = watch(live, stage)[-1]
    live.write(0, RODS, range(10, N_VIEWS), with_beam=False)
    last = watch(live, stage)[-1]

    assert (begin.axis_source, begin.axis_px) == ("detector_centre", (COLUMNS - 1) / 2)
    assert last.axis_source == "found"
    assert last.axis_px == pytest.approx(RODS.axis_px, abs=0.15)
