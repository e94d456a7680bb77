"""Layers and region of the first scan."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import NonFiniteError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.reference_frame import find_reference_frame, stationary_mask

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
    assert np.hypot(corner, max(48 - roi.y0, roi.y1 - 1 - 48)) <= 48


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


def test_broken_contracts_are_named() -> None:
    with pytest.raises(ShapeError, match="16"):
        find_reference_frame(np.zeros((2, 8, 8), dtype=np.float32), 1.0)
    with pytest.raises(NonFiniteError, match="NaN"):
        find_reference_frame(np.full((2, 32, 32), np.nan, dtype=np.float32), 1.0)
