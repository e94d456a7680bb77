"""Scans of several tiles: each reconstructed as it comes, and laid together."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_scans import LiveStore, told

from lithoscope_messages import (
    ExpectedCount,
    FrameHeader,
    FrameKind,
    ScanAccount,
    ScanCompleted,
    ScanStarted,
    SetAccount,
    SlabReady,
    VolumeReady,
)
from lithoscope_pipeline.phantom import (
    SIZES,
    AcquisitionParameters,
    CellParameters,
    FaultParameters,
    ScanFrames,
    SimulatedCell,
    make_cell,
)
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct import ReconstructStage
from lithoscope_store import ExperimentPaths, FrameReader, FrameWriter, Store, read_slab
from lithoscope_store.checksums import crc32c
from lithoscope_store.frame_reader import frames_sha256

N_ROWS, N_COLUMNS, N_VIEWS, OVERLAP, N_TILES = 20, 96, 120, 8, 2
SLAB_ROWS = 16


@cache
def cell_of(closed_share: float = 0.0) -> SimulatedCell:
    detector = replace(
        SIZES["tiny"],
        n_rows=N_ROWS,
        n_columns=N_COLUMNS,
        n_angles=N_VIEWS,
        n_flats=4,
        n_darks=2,
        acquisition=AcquisitionParameters(
            n_tiles=N_TILES, tile_overlap_rows=OVERLAP, axis_change_px=3.0
        ),
        faults=FaultParameters(shutter_closed_share=closed_share, seed=1),
    )
    return make_cell("tiny", seed=4, n_scans=2, cell=CellParameters(seed=4), detector=detector)


@cache
def frames_of(tile: int, closed_share: float) -> ScanFrames:
    return cell_of(closed_share).frames(1, tile=tile)


def expected_of() -> tuple[ExpectedCount, ...]:
    detector = cell_of().detector
    counts: tuple[tuple[FrameKind, int], ...] = (
        ("dark", detector.n_darks),
        ("flat", detector.n_flats),
        ("projection", detector.n_angles),
    )
    return tuple(
        ExpectedCount(tile=tile, kind=kind, count=count)
        for tile in range(N_TILES)
        for kind, count in counts
    )


def common(key: str) -> dict[str, Any]:
    return {"experiment": "cell", "key": key, "time_ns": 1, "producer": "test", "scan": 0}


def paths_of(live: LiveStore) -> ExperimentPaths:
    return Store(live.root).experiment("cell")


def begin(root: Path) -> LiveStore:
    settings = replace_values(Settings(), {"reconstruct.slab_rows": SLAB_ROWS})
    live = LiveStore(root, settings)
    live.tell(
        ScanStarted(
            **common("0"),
            expected=expected_of(),
            frame_shape=(N_ROWS, N_COLUMNS),
            dtype="uint16",
            voxel_size_um=cell_of().voxel_um,
        )
    )
    return live


def write_tile(live: LiveStore, tile: int, *, closed_share: float = 0.0) -> None:
    with FrameWriter(paths_of(live), 0, tile) as writer:
        for sequence, taken in enumerate(frames_of(tile, closed_share).taken()):
            header = FrameHeader(
                experiment="cell",
                scan=0,
                tile=tile,
                kind=taken.kind,
                index=taken.index,
                session="0" * 32,
                sequence=sequence,
                theta_deg=taken.theta_deg,
                time_ns=1,
                dtype="uint16",
                shape=(N_ROWS, N_COLUMNS),
                crc32c=crc32c(taken.pixels.reshape(-1).view(np.uint8).data),
            )
            writer.write(header, taken.pixels.tobytes())


def complete(live: LiveStore) -> None:
    readers = [FrameReader(paths_of(live), 0, tile) for tile in range(N_TILES)]
    sets = tuple(
        SetAccount(
            tile=each.tile,
            kind=each.kind,
            set=each.set,
            expected=each.count,
            stored=readers[each.tile].indices(each.kind, each.set).size,
        )
        for each in expected_of()
    )
    live.tell(
        ScanCompleted(
            **common("0"),
            reason="scan_end",
            account=ScanAccount(sets=sets, missing=0, completeness=1.0),
            frames_sha256=frames_sha256(readers),
        )
    )


def reconstruct(live: LiveStore, stage: ReconstructStage) -> VolumeReady:
    (task,) = stage.plan(live.history)
    facts = told(stage.execute(task, str(live.root)))
    ready = facts[-1]
    assert isinstance(ready, VolumeReady)
    assert sum(isinstance(fact, SlabReady) for fact in facts) == -(-ready.shape[0] // SLAB_ROWS)
    return ready


def volumes(live: LiveStore) -> list[Path]:
    folder = paths_of(live).root / "reconstructions"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def follow(live: LiveStore, stage: ReconstructStage) -> None:
    stage.follow(stage.watch(live.history), str(live.root))
    for _ in range(500):
        if stage.step().is_idle:
            return
    raise AssertionError("the stage never came to rest")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[LiveStore, VolumeReady]:
    """A scan of two tiles, reconstructed after its last frame."""
    live = begin(tmp_path_factory.mktemp("whole"))
    for tile in range(N_TILES):
        write_tile(live, tile)
    complete(live)
    return live, reconstruct(live, ReconstructStage())


def test_tiles_whose_axes_differ_become_one_volume(whole: tuple[LiveStore, VolumeReady]) -> None:
    live, ready = whole
    volume = read_slab(paths_of(live).resolve(ready.path), 0, ready.shape[0])

    assert ready.shape == (cell_of().detector.n_volume_rows, N_COLUMNS, N_COLUMNS)
    assert [each.verdict for each in ready.tiles] == ["first", "resolved"]
    for tile, finding in enumerate(ready.tiles):
        assert finding.axis is not None
        assert finding.axis.position_px == pytest.approx(cell_of().tile_axis_px(tile), abs=0.3)
        # Tiles of the simulator are taken at one time: nothing has moved between them.
        place = (tile * (N_ROWS - OVERLAP), 0.0, 0.0)
        assert finding.origin_px == pytest.approx(place, abs=0.5)
    assert ready.coverage is not None
    assert (ready.coverage.completeness, ready.coverage.reasons) == (1.0, ())
    assert np.isfinite(volume).all()
    assert ready.batch_reason == "1 of 2 tiles were not begun while the next one was taken"


def test_the_volumes_of_the_tiles_are_not_kept(whole: tuple[LiveStore, VolumeReady]) -> None:
    live, ready = whole

    assert volumes(live) == [paths_of(live).resolve(ready.path)]


def test_a_tile_is_reconstructed_while_the_next_one_is_taken(
    whole: tuple[LiveStore, VolumeReady], tmp_path: Path
) -> None:
    live, stage = begin(tmp_path), ReconstructStage()
    write_tile(live, 0)

    follow(live, stage)
    is_made = [(path / "tile.json").is_file() for path in volumes(live)]
    write_tile(live, 1)
    complete(live)
    ready = reconstruct(live, stage)

    assert is_made == [True]
    assert ready.sha256 == whole[1].sha256
    assert ready.tiles == whole[1].tiles


@pytest.mark.parametrize("n_steps", [1, 12])
def test_what_a_process_that_is_gone_left_of_a_tile_does_no_harm(
    whole: tuple[LiveStore, VolumeReady], tmp_path: Path, n_steps: int
) -> None:
    live, stage = begin(tmp_path), ReconstructStage()
    for tile in range(N_TILES):
        write_tile(live, tile)
    stage.follow(stage.watch(live.history), str(live.root))
    for _ in range(n_steps):
        stage.step()
    complete(live)

    ready = reconstruct(live, ReconstructStage())

    assert ready.sha256 == whole[1].sha256


def test_a_closed_shutter_at_edge_on_refuses_the_scan(tmp_path: Path) -> None:
    live = begin(tmp_path)
    for tile in range(N_TILES):
        write_tile(live, tile, closed_share=0.5)
    complete(live)

    with pytest.raises(ServiceError, match="had too little light"):
        reconstruct(live, ReconstructStage())
