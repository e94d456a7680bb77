"""Layers and region of the first scan."""

from functools import cache

import numpy as np
import pytest
from layered_cell import CENTRE, SHAPE, render
from layered_cell import PLANES_PX as FACES_PX
from layered_cell import VOXEL_UM as CELL_VOXEL_UM

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.reference_frame import (
    ReferenceFrame,
    find_reference_frame,
    stationary_mask,
)
from lithoscope_pipeline.rigid import RigidTransform

PLANES_PX = (14.3, 20.8, 33.1, 64.6, 76.2, 82.9)
GREYS = (0.0, 0.7, 0.09, 0.4, 0.09, 0.7, 0.0)
VOXEL_UM = 9.0


def cell(*, noise: float = 0.15) -> FloatVolume:
    """Layers with sub-voxel planes, blurred by one voxel, with noise of a plain reconstruction."""
    y = np.arange(97)[:, None]
    steps = 0.5 + 0.5 * np.tanh(1.5 * (y - np.array(PLANES_PX)))
    profile = (steps * np.diff(GREYS)).sum(axis=1)
    volume = np.repeat(np.repeat(profile[None, :, None], 8, axis=0), 97, axis=2)
    volume += noise * np.random.default_rng(0).normal(size=volume.shape)
    return volume.astype(np.float32)


def test_planes_are_found_to_a_fraction_of_a_voxel() -> None:
    frame = find_reference_frame(cell(), VOXEL_UM)

    assert frame.verdict == "resolved"
    # Noise of 0.15 averaged over 8 rows x 29 columns on slopes of 0.15 a voxel gives 0.05.
    assert frame.planes_px == pytest.approx(PLANES_PX, abs=0.15)
    assert frame.y_outer_px == frame.planes_px[1]


def test_constant_offset_of_a_truncated_scan_changes_nothing() -> None:
    plain = find_reference_frame(cell(), VOXEL_UM)
    offset = find_reference_frame(cell() + np.float32(0.3), VOXEL_UM)

    assert offset.roi == plain.roi
    assert offset.planes_px == pytest.approx(plain.planes_px, abs=1e-3)


def test_region_lies_in_the_circle_and_leaves_room_to_grow() -> None:
    roi = find_reference_frame(cell(), VOXEL_UM, growth_um=90.0).roi

    corner = max(abs(roi.x0 - 48), abs(roi.x1 - 1 - 48))
    assert (roi.z0, roi.z1) == (1, 7)
    assert roi.y1 - 1 >= PLANES_PX[4] + 10
    assert np.hypot(corner, max(48 - PLANES_PX[1], PLANES_PX[4] + 10 - 48)) <= 48


def test_mask_holds_what_never_moves() -> None:
    volume = cell()
    frame = find_reference_frame(volume, VOXEL_UM)

    mask = stationary_mask(frame, volume.shape)

    rows = np.flatnonzero(mask.any(axis=(0, 2)))
    assert rows[0] >= PLANES_PX[0] - 3
    assert rows[-1] <= 0.5 * (PLANES_PX[1] + PLANES_PX[2]) + 0.2
    assert mask[:, 22, 48].all()


def test_volume_without_layers_gets_the_square_in_the_circle() -> None:
    noise = np.random.default_rng(1).normal(size=(4, 65, 65)).astype(np.float32)

    frame = find_reference_frame(noise, VOXEL_UM)

    assert frame.verdict == "no_layers"
    assert frame.roi.shape == (2, 43, 43)
    assert stationary_mask(frame, noise.shape).sum() == 2 * 43 * 43


@cache
def turned_frame(about_z_deg: float, about_x_deg: float) -> ReferenceFrame:
    placed = RigidTransform(rotation_deg=(about_z_deg, 0.0, about_x_deg), centre_px=CENTRE)
    return find_reference_frame(render(placed, seed=1), CELL_VOXEL_UM)


TURNS = ((7.3, 2.1), (-62.0, -1.3), (0.9, 0.5), (84.9, -3.0))


@pytest.mark.parametrize("turn", TURNS)
def test_electrodes_at_any_angle_are_made_level(turn: tuple[float, float]) -> None:
    frame = turned_frame(*turn)

    assert frame.verdict == "resolved"
    about_z, about_y, about_x = frame.transform.rotation_deg
    # A face is known to 0.03 voxel in each of 12 patches of 8 columns: 0.02 degrees along x;
    # along z there are 4 lines of 8 rows in 40.
    assert about_z == pytest.approx(turn[0], abs=0.05)
    assert about_y == 0.0
    assert about_x == pytest.approx(turn[1], abs=0.1)
    assert frame.edge_on_change_deg == about_z


@pytest.mark.parametrize("turn", TURNS)
def test_planes_of_a_turned_cell_lie_where_they_were(turn: tuple[float, float]) -> None:
    assert turned_frame(*turn).planes_px == pytest.approx(FACES_PX, abs=0.15)


def test_turned_cell_is_level_in_its_frame() -> None:
    frame = turned_frame(7.3, 2.1)
    assert frame.faces is not None

    for side in (frame.faces.stripping, frame.faces.plating):
        assert np.abs(side.face_px - np.median(side.face_px)).max() < 0.3


def test_level_scan_is_not_turned_at_all() -> None:
    frame = turned_frame(0.0, 0.0)

    assert frame.transform == RigidTransform(centre_px=CENTRE)


def test_plates_leave_forty_voxels_to_swell_where_the_volume_has_them() -> None:
    wide = render(
        RigidTransform(centre_px=(11.5, 79.5, 79.5)), seed=2, shape=(24, 200, 160), noise=0.1
    )

    frame = find_reference_frame(wide, CELL_VOXEL_UM, field_radius_px=79.5)

    assert frame.roi.y1 - 1 >= FACES_PX[4] + 40
    assert frame.margin_px[1] >= 40
    assert frame.flags == ("small_margin",)  # 29 voxels below, and it says so


def test_part_without_an_electrode_is_not_compared() -> None:
    ends = render(RigidTransform(centre_px=CENTRE), seed=3, missing_x=100.0)

    frame = find_reference_frame(ends, CELL_VOXEL_UM)

    assert frame.verdict == "resolved"
    assert "edges_excluded" in frame.flags
    # A patch is 8 columns wide, and one that is half there is there.
    assert 92 <= frame.roi.x1 <= 100 + 4
    assert frame.roi.x0 < 40


def test_rotations_by_hand_are_taken_as_they_are() -> None:
    level = render(RigidTransform(rotation_deg=(2.0, 0.0, 0.0), centre_px=CENTRE), seed=4)

    frame = find_reference_frame(level, CELL_VOXEL_UM, level_deg=(1.8, 0.3))

    assert frame.transform.rotation_deg == (1.8, 0.0, 0.3)
    assert "level_by_hand" in frame.flags


def test_mask_of_a_turned_cell_follows_its_planes() -> None:
    frame = turned_frame(7.3, 2.1)
    box = (slice(5, 9), slice(20, 60), slice(30, 130))

    whole = stationary_mask(frame, SHAPE)
    part = stationary_mask(frame, (4, 40, 100), origin_px=(5, 20, 30), field_radius_px=79.5)

    np.testing.assert_array_equal(part, whole[box])
    at = frame.transform.to_reference(np.argwhere(whole).astype(np.float64))[:, 1]
    assert at.min() >= FACES_PX[0] - 2.3
    assert at.max() <= 0.5 * (FACES_PX[1] + FACES_PX[2]) + 0.3


class Watched:
    """A scan that remembers the largest box and all voxels it was asked for."""

    def __init__(self, scan: FloatVolume) -> None:
        self._scan = scan
        self.largest = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self._scan.shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        part = self._scan[box]
        self.largest = max(self.largest, part.size)
        return part


def test_scan_is_read_a_few_rows_at_a_time() -> None:
    tall = Watched(np.tile(cell(), (40, 1, 1)))

    frame = find_reference_frame(tall, VOXEL_UM)

    assert frame.verdict == "resolved"
    # 320 rows; at full size the same eight rows are 0.2 GB of 105.
    assert tall.largest <= 8 * 97 * 97


def test_fringes_of_phase_contrast_do_not_hide_the_layers() -> None:
    y = np.arange(97)
    fringes = sum(
        step * 2.5 * (y - plane) * np.exp(-0.5 * (y - plane) ** 2)
        for plane, step in zip(PLANES_PX, np.diff(GREYS), strict=True)
    )

    frame = find_reference_frame(
        (cell() + np.asarray(fringes)[None, :, None]).astype(np.float32), VOXEL_UM
    )

    assert frame.verdict == "resolved"
    assert frame.planes_px == pytest.approx(PLANES_PX, abs=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_volume_without_layers_is_never_taken_for_a_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(4, 65, 65)).astype(np.float32)

    assert find_reference_frame(noise, VOXEL_UM).verdict == "no_layers"


def test_broken_contracts_are_named() -> None:
    with pytest.raises(ShapeError, match="16"):
        find_reference_frame(np.zeros((2, 8, 8), dtype=np.float32), 1.0)
    with pytest.raises(ParameterError, match="voxel_um"):
        find_reference_frame(np.zeros((2, 32, 32), dtype=np.float32), 0.0)
    with pytest.raises(NonFiniteError, match="NaN"):
        find_reference_frame(np.full((2, 32, 32), np.nan, dtype=np.float32), 1.0)
