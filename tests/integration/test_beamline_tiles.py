"""Scans of several vertical tiles: a run each over the frame link, one scan in the journal."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from linked_beamline import connected
from run_engine import N_ANGLES, N_DARKS, N_FLATS, bench, tiny_cell
from spine import Spine, spine

from lithoscope_messages import ExpectedCount, ScanCompleted
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.beamline import metadata as md
from lithoscope_services.beamline.errors import PlanError
from lithoscope_services.beamline.plans import scan_plan
from lithoscope_services.beamline.simulated import (
    experiment_steps,
)
from lithoscope_store import FrameReader

NAME = "tiles"
N_TILES = 2


def tiled_cell() -> SimulatedCell:
    cell = tiny_cell()
    acquisition = replace(cell.detector.acquisition, n_tiles=N_TILES, tile_overlap_rows=1)
    return replace(cell, detector=replace(cell.detector, acquisition=acquisition))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Spine]:
    with spine(tmp_path / "store") as made:
        made.start("journal", "ingest")
        yield made


def completions(services: Spine) -> list[ScanCompleted]:
    messages = [entry.message for entry in services.entries(NAME)]
    return [each for each in messages if isinstance(each, ScanCompleted)]


def test_the_tiles_of_a_scan_are_runs_and_the_scan_ends_with_the_last(running: Spine) -> None:
    cell = tiled_cell()
    with running.link(NAME) as link:
        engine, beamline = connected(link, cell)
        first, second = experiment_steps(cell)[0].request.tiles
        engine(scan_plan(beamline.tomograph, first))
        link.flush()
        after_first = completions(running)
        engine(scan_plan(beamline.tomograph, second))
        link.flush()

    assert after_first == []
    (completed,) = completions(running)
    assert completed.reason == "scan_end"
    assert {(s.tile, s.kind): s.stored for s in completed.account.sets} == {
        (tile, kind): count
        for tile in range(N_TILES)
        for kind, count in (("dark", N_DARKS), ("flat", N_FLATS), ("projection", N_ANGLES))
    }
    for tile in range(N_TILES):
        reader = FrameReader(running.store.experiment(NAME), 0, tile)
        key = next(key for key in reader.keys if (key.kind, key.index) == ("projection", 3))
        truth = cell.frames(0, tile=tile).frame("projection", 3)
        np.testing.assert_array_equal(reader.read_frame(key), truth)


def test_expected_counts_of_several_tiles_come_back_as_they_were_written() -> None:
    request = replace(experiment_steps(tiled_cell())[0].request, tile=1)

    start = request.start

    assert start[md.TILE] == 1
    assert md.parse_expected(start[md.EXPECTED]) == request.expected
    assert ExpectedCount(tile=1, kind="flat", count=N_FLATS) in request.expected


def test_tiles_without_a_height_to_move_are_refused(tmp_path: Path) -> None:
    made = bench(tmp_path)
    request = replace(made.steps[0].request, n_tiles=3)

    with pytest.raises(PlanError, match="3 tiles were asked for"):
        made.run(scan_plan(made.beamline.tomograph, request.tiles[2]))


def test_a_tile_that_is_none_of_the_scan_is_refused() -> None:
    request = experiment_steps(tiny_cell())[0].request

    with pytest.raises(PlanError, match="no tile 1 among 1"):
        replace(request, tile=1)
