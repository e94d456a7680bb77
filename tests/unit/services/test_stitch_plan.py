"""Tiles in the store laid together, by what they share or by what the settings say."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_messages import AxisFinding
from lithoscope_services.errors import ServiceError
from lithoscope_services.stages.reconstruct.tiles import TileVolume, plan_stitch, tile_numbers
from lithoscope_store import create_volume, write_slab

N_ROWS, EDGE, OVERLAP = 20, 96, 8
AXIS = AxisFinding(position_px=47.5, confidence=1.0, verdict="resolved")


def sample(seed: int, n_rows: int) -> NDArray[np.float32]:
    """Make a sample of specks a few voxels wide."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (n_rows, EDGE, EDGE))
    return ndimage.gaussian_filter(noise, 1.5).astype(np.float32)


def stored(folder: Path, *tiles: NDArray[np.float32]) -> list[TileVolume]:
    made = []
    for number, tile in enumerate(tiles):
        path = folder / f"{number}.zarr"
        create_volume(path, shape=tile.shape, voxel_um=1.0, name="tile", slab_slices=16, levels=1)
        for z0 in range(0, N_ROWS, 16):
            write_slab(path, z0, tile[z0 : z0 + 16])
        made.append(TileVolume(tile=number, path=path, axis=AXIS))
    return made


def test_three_tiles_are_laid_by_what_they_share(tmp_path: Path) -> None:
    step = N_ROWS - OVERLAP
    whole = sample(0, N_ROWS + 2 * step)
    tiles = stored(tmp_path, *(whole[n * step : n * step + N_ROWS] for n in range(3)))

    plan = plan_stitch(tiles, overlap_rows=None)

    assert plan.shape == whole.shape
    assert [each.overlap_rows for each in plan.findings] == [None, OVERLAP, OVERLAP]
    assert plan.flags == ()
    np.testing.assert_allclose(plan.slab(0, len(whole)), whole, atol=1e-5)
    np.testing.assert_array_equal(plan.slab(10, 30), plan.slab(0, len(whole))[10:30])


def test_what_the_settings_say_is_made_exact_by_what_tiles_share(tmp_path: Path) -> None:
    whole = sample(1, 2 * N_ROWS - OVERLAP)
    tiles = stored(tmp_path, whole[:N_ROWS], whole[N_ROWS - OVERLAP :])

    plan = plan_stitch(tiles, overlap_rows=OVERLAP + 3)

    assert plan.findings[1].verdict == "resolved"
    assert plan.findings[1].origin_px == pytest.approx((N_ROWS - OVERLAP, 0.0, 0.0), abs=0.1)


def test_tiles_that_share_nothing_lie_as_the_settings_say_and_are_flagged(tmp_path: Path) -> None:
    tiles = stored(tmp_path, sample(2, N_ROWS), sample(3, N_ROWS))

    plan = plan_stitch(tiles, overlap_rows=OVERLAP)

    assert plan.shape[0] == 2 * N_ROWS - OVERLAP
    assert plan.findings[1].verdict == "unresolved"
    assert plan.flags == ("tile_shift_unresolved",)


def test_tiles_that_share_nothing_are_refused_where_the_settings_say_nothing(
    tmp_path: Path,
) -> None:
    tiles = stored(tmp_path, sample(2, N_ROWS), sample(3, N_ROWS))

    with pytest.raises(
        ServiceError, match=r"tile 1 cannot be laid .* set scan\.tile_overlap_rows"
    ):
        plan_stitch(tiles, overlap_rows=None)


def test_the_volumes_of_tiles_are_removed_when_they_are_asked_to_be(tmp_path: Path) -> None:
    whole = sample(1, 2 * N_ROWS - OVERLAP)
    plan = plan_stitch(
        stored(tmp_path, whole[:N_ROWS], whole[N_ROWS - OVERLAP :]), overlap_rows=None
    )

    plan.remove_tiles()

    assert list(tmp_path.iterdir()) == []


def test_tiles_are_those_of_the_account_the_lowest_first() -> None:
    assert tile_numbers([{"tile": 1}, {"tile": 0}, {"tile": 1}]) == (0, 1)
