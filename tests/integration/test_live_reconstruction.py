"""A scan that is begun while it runs: the same bytes in the end, whatever became of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from live_scans import COLUMNS, N_VIEWS, ROWS, LiveStore, RodScan, told
from live_stage import RODS, batch, begun, finish, finish_whole, take, watch

from lithoscope_messages import SlabReady
from lithoscope_pipeline.correct import Correction, MedianFinder
from lithoscope_pipeline.reconstruct import accumulator_bytes, fourier_bytes
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct import ReconstructStage, follow
from lithoscope_services.stages.reconstruct.tile_scan import TileScan, UprightAxis
from lithoscope_store import FrameReader, Store

GOLDEN_DEG = tuple(np.mod(np.arange(N_VIEWS) * 180.0 * (np.sqrt(5.0) - 1.0) / 2.0, 180.0))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> LiveStore:
    """An experiment whose scan 0 has its volume; not to be changed."""
    return begun(tmp_path_factory.mktemp("first"), RODS)


@pytest.fixture
def live(first: LiveStore, tmp_path: Path) -> LiveStore:
    """A copy of it, to go on with."""
    return first.copied_to(tmp_path)


@pytest.mark.parametrize(
    "order",
    [
        [range(N_VIEWS)],
        [range(7), range(7, 8), range(8, 41), range(41, N_VIEWS)],
        [range(N_VIEWS - 1, -1, -1)],
        [list(range(1, N_VIEWS, 2)), list(range(0, N_VIEWS, 2))],
    ],
    ids=["at once", "in portions", "backwards", "odd ones first"],
)
def test_a_scan_that_was_begun_early_has_the_bytes_of_one_that_was_not(
    live: LiveStore, order: Sequence[Sequence[int]]
) -> None:
    early = take(live, ReconstructStage(), order)

    late = batch(live, 1)

    assert early.batch_reason == ""
    assert late.batch_reason == follow.NOTHING_BEGUN
    assert (early.sha256, early.axis, early.work_key) == (late.sha256, late.axis, late.work_key)


def test_phase_retrieval_and_its_halo_leave_the_bytes_alone(tmp_path: Path) -> None:
    live = begun(
        tmp_path,
        RODS,
        **{"scan.distance_mm": 20.0, "scan.energy_keV": 27.5, "reconstruct.phase": "paganin"},
    )

    early = take(live, ReconstructStage(), [range(20), range(20, N_VIEWS)])

    assert early.batch_reason == ""
    assert early.sha256 == batch(live, 1).sha256


def test_what_was_begun_and_lost_with_its_process_costs_nothing_but_time(live: LiveStore) -> None:
    live.begin(1, RODS)
    live.write(1, RODS, range(30))
    watch(live, ReconstructStage())

    successor = ReconstructStage()
    live.write(1, RODS, range(30, N_VIEWS), with_beam=False)
    watch(live, successor)
    early = finish(live, successor, 1)

    assert early.batch_reason == ""
    assert early.sha256 == batch(live, 1).sha256


def test_what_came_after_the_last_look_is_added_by_the_task(live: LiveStore) -> None:
    stage = ReconstructStage()
    live.begin(1, RODS)
    live.write(1, RODS, range(50))
    watch(live, stage)
    live.write(1, RODS, range(50, N_VIEWS), with_beam=False)

    early = finish(live, stage, 1)

    assert early.batch_reason == ""
    assert early.sha256 == batch(live, 1).sha256


def test_missing_projections_force_the_batch_path_and_are_named(live: LiveStore) -> None:
    there = [index for index in range(N_VIEWS) if index not in (21, 85)]

    volume = take(live, ReconstructStage(), [there])

    assert volume.batch_reason == "2 of its projections are missing or too dark"
    assert volume.sha256 == batch(live, 1).sha256


def test_the_first_scan_says_that_no_axis_was_known(tmp_path: Path) -> None:
    live = LiveStore(tmp_path)
    stage = ReconstructStage()
    live.begin(0, RODS)
    live.write(0, RODS, range(N_VIEWS))
    watch(live, stage)

    volume = finish_whole(live, stage, 0)

    assert volume.batch_reason == "no earlier scan tells the rotation axis"


def test_an_axis_that_moved_is_used_and_named(live: LiveStore) -> None:
    moved = RodScan(axis_px=RODS.axis_px + 2.0)
    stage = ReconstructStage()
    live.begin(1, moved)
    live.write(1, moved, range(N_VIEWS))
    watch(live, stage)

    volume = finish(live, stage, 1)

    assert volume.batch_reason.startswith("the rotation axis moved by 2.")
    assert volume.axis is not None
    # Noise and the discs' few features put the axis 0.05 px off on this scan.
    assert volume.axis.position_px == pytest.approx(moved.axis_px, abs=0.15)


def test_an_axis_that_seems_to_move_within_its_noise_is_held(live: LiveStore) -> None:
    before = live.history.scans[0].volume
    nearly = RodScan(axis_px=RODS.axis_px + 0.1)
    live.begin(1, nearly)
    live.write(1, nearly, range(N_VIEWS))

    volume = finish(live, ReconstructStage(), 1)

    assert volume.axis is not None
    assert before is not None
    assert before.axis is not None
    assert volume.axis.position_px == before.axis.position_px


def test_flats_after_the_projections_force_the_batch_path(tmp_path: Path) -> None:
    rods = RodScan(n_flats_after=2)
    live = LiveStore(tmp_path, replace_values(Settings(), {"scan.rotation_axis": RODS.axis_px}))
    stage = ReconstructStage()
    for scan in (0, 1):
        live.begin(scan, rods)
        live.write(scan, rods, range(N_VIEWS))
        watch(live, stage)
        live.write_frames(scan, rods, [("flat", 1, 0), ("flat", 1, 1)])
        volume = finish_whole(live, stage, scan)
        live.tell(volume)

    assert "flats after the projections are used" in volume.batch_reason


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"reconstruct.rings": "sorting"}, "rings are told by statistics over all angles"),
        ({"reconstruct.flats": "eigen"}, "flats after the projections are used"),
    ],
)
def test_what_needs_the_whole_scan_is_named(
    tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    rods = RodScan(n_flats_after=2)
    live = begun(tmp_path, rods, **settings)
    stage = ReconstructStage()
    live.begin(1, rods)
    live.write(1, rods, range(N_VIEWS))
    live.write_frames(1, rods, [("flat", 1, 0), ("flat", 1, 1)])
    watch(live, stage)

    assert reason in finish(live, stage, 1).batch_reason


@pytest.mark.parametrize(
    ("n_slabs", "reason"),
    [
        (0, "there is not enough memory to begin a slab"),
        (1, "memory let 1 of 3 slabs be begun early"),
    ],
)
def test_what_memory_does_not_hold_is_done_afterwards(
    live: LiveStore, monkeypatch: pytest.MonkeyPatch, n_slabs: int, reason: str
) -> None:
    # The first slab has two grids of eight rows each, and may take half of what is free.
    pair = (1, 9, COLUMNS, COLUMNS)
    grid_bytes = accumulator_bytes(*pair) - fourier_bytes(*pair)
    finder_bytes = MedianFinder.memory_bytes(N_VIEWS, 16, COLUMNS)
    slab_bytes = 2 * grid_bytes + finder_bytes
    monkeypatch.setattr(follow, "free_host_bytes", lambda: 2 * n_slabs * slab_bytes)

    volume = take(live, ReconstructStage(), [range(N_VIEWS)])

    assert volume.batch_reason == reason
    assert volume.sha256 == batch(live, 1).sha256


def test_a_scan_is_begun_as_soon_as_the_one_before_is_done(live: LiveStore) -> None:
    stage = ReconstructStage()
    live.begin(1, RODS)
    live.write(1, RODS, range(N_VIEWS))
    live.complete(1)
    live.begin(2, RODS)
    live.write(2, RODS, range(60))
    watched = stage.watch(live.history)
    assert watched is not None
    assert watched["batch_reason"] == "the scan before was still being reconstructed"
    watch(live, stage)

    (task,) = stage.plan(live.history)
    live.tell(*told(stage.execute(task, str(live.root))))
    watch(live, stage)
    live.write(2, RODS, range(60, N_VIEWS), with_beam=False)

    assert finish(live, stage, 2).batch_reason == ""


@pytest.mark.parametrize("tilt_deg", [0.0, 1.5])
def test_corrected_rows_have_the_same_bytes_in_any_portion(
    live: LiveStore, tilt_deg: float
) -> None:
    frames = FrameReader(Store(live.root).experiment("cell"), 0, 0)
    tile = TileScan.of(frames, Correction(), edge_on_deg=90.0, n_expected=N_VIEWS)
    axis = UprightAxis(
        position_px=RODS.axis_px, tilt_deg=tilt_deg, pivot_row_px=tile.middle_row_px
    )
    rows = tile.corrected(slice(16, 32), axis=axis)

    portions = [range(7), range(7, 50), range(50, N_VIEWS)]
    parts = [rows.attenuation(np.array(portion)) for portion in portions]
    whole = tile.corrected(slice(0, ROWS), axis=axis).attenuation()

    np.testing.assert_array_equal(np.concatenate(parts), rows.attenuation())
    np.testing.assert_array_equal(whole[:, 16:32], rows.attenuation())


def test_other_angles_than_those_of_the_scan_before_are_noticed(live: LiveStore) -> None:
    turned = RodScan(thetas_deg=tuple(np.array(RODS.thetas_deg) + 0.25))
    stage = ReconstructStage()
    live.begin(1, turned)
    live.write(1, turned, range(N_VIEWS))
    watch(live, stage)

    volume = finish(live, stage, 1)

    assert volume.batch_reason == "its angles are not those of scan 0"


def test_a_closed_shutter_is_no_view_and_makes_the_scan_a_batch(live: LiveStore) -> None:
    stage = ReconstructStage()
    dark = RodScan(closed=(25,))
    live.begin(1, dark)
    live.write(1, dark, range(N_VIEWS))
    watch(live, stage)

    volume = finish(live, stage, 1)

    assert volume.batch_reason == "1 of its projections have too little light"
    assert "low_counts" in volume.flags


def test_a_scan_with_half_its_views_is_refused_with_the_reason(live: LiveStore) -> None:
    live.begin(1, RODS)
    live.write(1, RODS, range(0, N_VIEWS, 2))
    live.complete(1)
    stage = ReconstructStage()
    (task,) = stage.plan(live.history)

    with pytest.raises(ServiceError, match="50 % of its projections, 80 % are needed"):
        list(stage.execute(task, str(live.root)))


def test_the_middle_slab_is_announced_first(live: LiveStore) -> None:
    live.begin(1, RODS)
    live.write(1, RODS, range(N_VIEWS))
    live.complete(1)
    stage = ReconstructStage()
    (task,) = stage.plan(live.history)

    slabs = [fact for fact in stage.execute(task, str(live.root)) if isinstance(fact, SlabReady)]

    assert [slab.z0 for slab in slabs] == [16, 0, 32]


def test_a_scan_waits_for_the_one_before_whose_axis_it_needs(live: LiveStore) -> None:
    for scan in (1, 2):
        live.begin(scan, RODS)
        live.write(scan, RODS, range(N_VIEWS))
        live.complete(scan)

    planned = ReconstructStage().plan(live.history)

    assert [task.scan for task in planned] == [1]


def test_nothing_in_the_key_tells_whether_a_scan_was_begun_early(live: LiveStore) -> None:
    live.begin(1, RODS)
    live.write(1, RODS, range(N_VIEWS))
    followed, fresh = ReconstructStage(), ReconstructStage()
    watch(live, followed)
    live.complete(1)

    assert followed.plan(live.history)[0].key == fresh.plan(live.history)[0].key
