"""Tiles of the simulated cell, noise and phase contrast included, laid on each other."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.correct import Correction, correct
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.phantom import (
    SIZES,
    AcquisitionParameters,
    CellParameters,
    SimulatedCell,
    make_cell,
)
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import FourierBackend
from lithoscope_pipeline.tile_match import (
    find_overlap,
    find_tile_shift,
    matching_columns,
    slice_signatures,
)

OVERLAP = 8
N_SOAK, N_SAMPLE = 30, 3
#: Moved by hand beside what the simulator does: (y, x), voxels.
MOVED_PX = (3, -4)


def two_tiles(seed: int) -> SimulatedCell:
    detector = replace(
        SIZES["tiny"],
        acquisition=AcquisitionParameters(
            n_tiles=2, tile_overlap_rows=OVERLAP, axis_change_px=3.0
        ),
    )
    return make_cell(
        "tiny", seed=seed, n_scans=3, cell=CellParameters(seed=seed), detector=detector
    )


def volume_of(cell: SimulatedCell, tile: int, scan: int) -> FloatVolume:
    frames, optics = cell.frames(scan, tile=tile), cell.cell.optics
    phase = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )
    return FourierBackend().reconstruct(
        correct(
            np.stack(list(frames.projections)),
            frames.flats,
            frames.darks,
            correction=Correction(phase=phase, flats="before"),
        ),
        np.radians(frames.thetas_deg),
        rotation_axis_px=cell.tile_axis_px(tile),
        voxel_um=cell.voxel_um,
    )


@pytest.mark.parametrize("seed", range(N_SOAK))
def test_tiles_of_a_cell_find_their_rows_and_their_shift(seed: int, is_soak: bool) -> None:
    if seed >= N_SAMPLE and not is_soak:
        pytest.skip("one of many seeds; run with --soak")
    cell = two_tiles(seed)
    lower, upper = (volume_of(cell, tile, seed % 3) for tile in range(2))
    inner = matching_columns(cell.detector.n_columns)
    moved = np.roll(upper, MOVED_PX, axis=(1, 2))

    overlap = find_overlap(
        slice_signatures(lower[:, inner, inner]), slice_signatures(moved[:, inner, inner])
    )
    shift = find_tile_shift(lower[-OVERLAP:, inner, inner], moved[:OVERLAP, inner, inner])

    assert overlap.is_resolved
    assert abs(overlap.rows - OVERLAP) <= 1
    assert shift.verdict == "resolved"
    # What registration between scans is to be told from: half a voxel.
    assert shift.shift_px == pytest.approx((0.0, *MOVED_PX), abs=0.35)


@pytest.mark.parametrize("seed", range(N_SOAK))
def test_tiles_of_different_cells_are_not_taken_for_neighbours(seed: int, is_soak: bool) -> None:
    if seed >= 1 and not is_soak:
        pytest.skip("one of many seeds; run with --soak")
    cells = two_tiles(seed), two_tiles(seed + 100)
    lower, upper = (volume_of(each, tile, seed % 3) for tile, each in enumerate(cells))
    inner = matching_columns(cells[0].detector.n_columns)

    overlap = find_overlap(
        slice_signatures(lower[:, inner, inner]), slice_signatures(upper[:, inner, inner])
    )

    assert not overlap.is_resolved
