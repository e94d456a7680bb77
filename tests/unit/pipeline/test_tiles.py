"""Tiles of blobs whose places are known exactly, laid together again."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.tile_match import (
    TileShift,
    Vector3,
    find_overlap,
    find_tile_shift,
    matching_columns,
    slice_signatures,
)
from lithoscope_pipeline.tiles import TileLayout, lay_out_tiles, stitch_slab

N_ROWS, EDGE, OVERLAP = 24, 144, 10
NO_SHIFT = TileShift(
    shift_px=(0.0, 0.0, 0.0),
    residual_px=None,
    significance=0.0,
    offset_per_cm=0.0,
    verdict="unresolved",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """Gaussian blobs between plates: they can be sampled anywhere."""

    seed: int = 0
    n_blobs: int = 1500
    spread_px: float = 1.8
    has_plates: bool = True

    def slices(
        self,
        first: int,
        n_rows: int,
        *,
        shift_px: Vector3 = (0.0, 0.0, 0.0),
        noise: float = 0.0,
        rings: float = 0.0,
    ) -> FloatVolume:
        """Sample rows from ``first`` on, with all that is at p standing at p + shift."""
        rng = np.random.default_rng(self.seed)
        centres = rng.uniform((-5.0, 0.0, 0.0), (75.0, EDGE, EDGE), (self.n_blobs, 3))
        heights = rng.normal(0.0, 1.0, self.n_blobs)
        z, y, x = (
            np.exp(
                -0.5
                * np.square(
                    (np.arange(count) + begin - moved - centres[:, axis : axis + 1])
                    / self.spread_px
                )
            )
            for axis, (count, begin, moved) in enumerate(
                zip((n_rows, EDGE, EDGE), (first, 0, 0), shift_px, strict=True)
            )
        )
        volume = np.stack([(heights * at)[None] * y.T @ x for at in z.T])
        if self.has_plates:
            volume += 3.0 * (np.abs(np.arange(EDGE) - 40.0 - shift_px[1]) < 12.0)[:, None]
        noises = np.random.default_rng((self.seed, first, round(1e6 * noise)))
        volume += noises.normal(0.0, 1.0, volume.shape) * noise
        middle = 0.5 * (EDGE - 1)
        radius = np.hypot(*(np.indices((EDGE, EDGE)) - middle))
        for row in volume:
            profile = ndimage.gaussian_filter1d(noises.normal(0.0, 1.0, EDGE), 1.0)
            row += rings * np.interp(radius, np.arange(EDGE), profile)
        return volume.astype(np.float32)


def inner(slices: FloatVolume) -> FloatVolume:
    columns = matching_columns(EDGE)
    return slices[:, columns, columns]


def matched(lower: FloatVolume, upper: FloatVolume, overlap: int = OVERLAP) -> TileShift:
    return find_tile_shift(inner(lower[-overlap:]), inner(upper[:overlap]))


@pytest.mark.parametrize("overlap", [7, 10, 17])
def test_the_rows_that_two_tiles_share_are_found(overlap: int) -> None:
    blobs = Blobs(seed=overlap)
    lower = blobs.slices(0, N_ROWS, noise=0.3)
    upper = blobs.slices(N_ROWS - overlap, N_ROWS, noise=0.3)

    found = find_overlap(slice_signatures(inner(lower)), slice_signatures(inner(upper)))

    assert found.is_resolved
    # Blobs reach over several rows: to the row it is the matching of slices that tells.
    assert abs(found.rows - overlap) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_tiles_that_share_nothing_are_not_laid_on_each_other(seed: int) -> None:
    blobs = Blobs(seed=seed)
    lower, upper = blobs.slices(0, N_ROWS, noise=0.3), blobs.slices(30, N_ROWS, noise=0.3)

    found = find_overlap(slice_signatures(inner(lower)), slice_signatures(inner(upper)))

    assert not found.is_resolved


def test_plates_alone_do_not_tell_how_tiles_overlap() -> None:
    plates = Blobs(n_blobs=1)
    lower, upper = plates.slices(0, N_ROWS, noise=0.3), plates.slices(14, N_ROWS, noise=0.3)

    found = find_overlap(slice_signatures(inner(lower)), slice_signatures(inner(upper)))

    assert not found.is_resolved


@pytest.mark.parametrize(
    "shift_px",
    [(0.0, 0.0, 0.0), (0.3, -0.4, 0.6), (-0.5, 2.25, -3.7), (1.2, -5.5, 5.0)],
)
def test_a_shift_is_found_to_a_fraction_of_a_voxel(shift_px: Vector3) -> None:
    blobs = Blobs(seed=1)
    lower = blobs.slices(0, N_ROWS, noise=0.2)
    upper = blobs.slices(N_ROWS - OVERLAP, N_ROWS, shift_px=shift_px, noise=0.2)

    found = matched(lower, upper)

    assert found.verdict == "resolved"
    # Height is known worst: ten slices, and their ends cut the blobs. In the plane what remains
    # is noise, and a parabola that stands for a Gaussian.
    assert found.shift_px == pytest.approx(shift_px, abs=0.2)


def test_the_residual_tells_a_rigid_shift_from_one_that_is_not() -> None:
    blobs = Blobs(seed=2)
    lower = blobs.slices(0, N_ROWS)
    upper = blobs.slices(N_ROWS - OVERLAP, N_ROWS, shift_px=(0.0, 1.0, -2.0))
    sheared = upper.copy()
    sheared[..., EDGE // 2 :] = np.roll(upper, 1, axis=1)[..., EDGE // 2 :]

    rigid, not_rigid = matched(lower, upper).residual_px, matched(lower, sheared).residual_px

    assert rigid is not None
    assert not_rigid is not None
    assert rigid < 0.1
    # One half lies at 1, the other at 2 voxels: each is half a voxel off the best rigid shift.
    assert 0.3 < not_rigid < 0.8


def test_rings_about_one_axis_do_not_make_a_match() -> None:
    blobs = Blobs(seed=3)
    lower = blobs.slices(0, N_ROWS, rings=2.0)
    upper = blobs.slices(N_ROWS - OVERLAP, N_ROWS, shift_px=(0.0, 3.0, -2.0), rings=2.0)

    found = matched(lower, upper)

    assert found.verdict == "resolved"
    assert found.shift_px == pytest.approx((0.0, 3.0, -2.0), abs=0.15)


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_is_not_taken_for_a_shift(seed: int) -> None:
    nothing = Blobs(seed=seed, n_blobs=1)

    found = matched(nothing.slices(0, N_ROWS, noise=1.0), nothing.slices(14, N_ROWS, noise=1.0))

    assert found.verdict == "unresolved"
    assert found.shift_px == (0.0, 0.0, 0.0)


def test_a_difference_of_grey_is_measured() -> None:
    blobs = Blobs(seed=4)
    lower = blobs.slices(0, N_ROWS)
    upper = blobs.slices(N_ROWS - OVERLAP, N_ROWS) + np.float32(0.25)

    assert matched(lower, upper).offset_per_cm == pytest.approx(0.25, abs=1e-5)


def stitched(tiles: list[FloatVolume], layout: TileLayout, slab_rows: int = 100) -> FloatVolume:
    def read(tile: int, first: int, last: int) -> FloatVolume:
        return tiles[tile][first:last]

    return np.concatenate(
        [
            stitch_slab(layout, z, min(z + slab_rows, layout.n_rows), read)
            for z in range(0, layout.n_rows, slab_rows)
        ]
    )


@pytest.mark.parametrize("overlap", [OVERLAP, 15])
def test_three_tiles_without_noise_make_the_volume_they_were_cut_from(overlap: int) -> None:
    # With an overlap of 15 of 24 rows the first tile reaches into the third.
    blobs, step = Blobs(seed=5), N_ROWS - overlap
    tiles = [blobs.slices(n * step, N_ROWS) for n in range(3)]

    layout = lay_out_tiles([N_ROWS] * 3, [overlap] * 2, [NO_SHIFT] * 2)
    volume = stitched(tiles, layout)

    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume, blobs.slices(0, N_ROWS + 2 * step), atol=1e-5)


def test_tiles_that_have_moved_are_put_back() -> None:
    shifts = [(0.3, -0.4, 0.6), (-0.2, 1.5, -0.7)]
    at_second = shifts[0]
    at_third = tuple(float(sum(each)) for each in zip(*shifts, strict=True))
    blobs, step = Blobs(seed=6, spread_px=2.5, has_plates=False), N_ROWS - OVERLAP
    tiles = [
        blobs.slices(0, N_ROWS),
        blobs.slices(step, N_ROWS, shift_px=at_second),
        blobs.slices(2 * step, N_ROWS, shift_px=(at_third[0], at_third[1], at_third[2])),
    ]
    found = [matched(lower, upper) for lower, upper in itertools.pairwise(tiles)]

    layout = lay_out_tiles([N_ROWS] * 3, [OVERLAP] * 2, found)
    volume = stitched(tiles, layout)

    truth = blobs.slices(0, layout.n_rows)
    core = (slice(0, -3), slice(8, -8), slice(8, -8))
    off = np.abs(volume[core] - truth[core])
    # A blob changes by 0.6 / 2.5 of its height in a voxel; shifts are known to 0.1 voxels or so
    # along an axis, and two add up in the third tile: 0.6 / 2.5 * 0.1 * 3**0.5 * 2 = 0.08.
    assert np.sqrt(np.square(off).mean()) < 0.08 * truth.std()
    # Left where they are, they are off by as much as blobs differ.
    left = stitched(tiles, lay_out_tiles([N_ROWS] * 3, [OVERLAP] * 2, [NO_SHIFT] * 2))
    unmoved = np.abs(left[: len(truth)][core][: len(truth[core])] - truth[: len(left)][core])
    assert np.sqrt(np.square(unmoved).mean()) > 0.15 * truth.std()


def test_slices_have_the_same_bytes_however_the_volume_is_cut() -> None:
    blobs = Blobs(seed=7)
    tiles = [blobs.slices(0, N_ROWS), blobs.slices(14, N_ROWS, shift_px=(0.4, 0.3, -1.6))]
    layout = lay_out_tiles([N_ROWS] * 2, [OVERLAP], [matched(tiles[0], tiles[1])])

    whole, parts = stitched(tiles, layout), stitched(tiles, layout, slab_rows=5)

    assert whole.tobytes() == parts.tobytes()


def test_an_overlap_larger_than_a_tile_is_refused() -> None:
    with pytest.raises(ParameterError, match="overlap of 25 slices"):
        lay_out_tiles([N_ROWS] * 2, [25], [NO_SHIFT])


def test_counts_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ShapeError, match="one overlap and one shift"):
        lay_out_tiles([N_ROWS] * 3, [4], [NO_SHIFT])


def test_slices_outside_the_volume_are_refused() -> None:
    layout = lay_out_tiles([N_ROWS], [], [])

    with pytest.raises(ParameterError, match="slices 20 to 25"):
        stitch_slab(layout, 20, 25, lambda _tile, _first, _last: np.zeros((1, 1, 1), np.float32))
