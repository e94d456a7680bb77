"""Rigid drift of simulated cells against the drift that was put in."""

import numpy as np
import pytest

from lithoscope_pipeline.geometry import FloatVolume, field_axis_px
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.reference_frame import find_reference_frame, stationary_mask
from lithoscope_pipeline.register import RigidTransform, register_rigid, resample_rigid


def reconstructed(cell: SimulatedCell, scan: int) -> FloatVolume:
    frames = cell.frames(scan)
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.deg2rad(cell.thetas_deg),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        phase=PaganinFilter(
            distance_mm=cell.cell.optics.distance_mm,
            energy_keV=cell.cell.optics.energy_keV,
            voxel_um=cell.voxel_um,
        ),
    )


@pytest.mark.parametrize("seed", range(5))
def test_drift_is_found_to_a_third_of_a_voxel(seed: int) -> None:
    cell = make_cell("tiny", seed=seed, n_scans=3)
    first = reconstructed(cell, 0)
    frame = find_reference_frame(first, cell.voxel_um)
    mask = stationary_mask(frame, first.shape)
    middle = (field_axis_px(cell.detector.n_rows), 95.5, 95.5)
    roi = frame.roi
    ends = np.meshgrid(
        [roi.z0, roi.z1 - 1], [roi.y0, roi.y1 - 1], [roi.x0, roi.x1 - 1], indexing="ij"
    )
    corners = np.stack(ends, axis=-1).reshape(-1, 3).astype(np.float64)
    assert frame.verdict == "resolved"

    for scan in (1, 2):
        found = register_rigid(first, reconstructed(cell, scan), mask=mask)

        drift = cell.drift(scan)
        true = RigidTransform(
            rotation_deg=drift.rotation_deg, shift_px=drift.shift_px, centre_px=middle
        )
        error_px = found.to_scan(corners) - true.to_scan(corners)
        assert found.verdict == "resolved"
        # The sample moves by up to 0.2 voxel within a scan: where it "is" has that latitude.
        assert np.abs(error_px).max() < 0.35
        assert found.residual_px < 0.1


def test_planes_of_the_layers_are_found_to_a_fifth_of_a_voxel() -> None:
    cell = make_cell("tiny", seed=0, n_scans=3)
    planes = cell.planes(0)
    true_um = [
        planes.pouch_low_um,
        planes.outer_low_um,
        planes.stripping_surface_um,
        planes.plated_surface_um,
        planes.outer_high_um,
        planes.pouch_high_um,
    ]

    frame = find_reference_frame(reconstructed(cell, 0), cell.voxel_um)

    expected = np.array(true_um) / cell.voxel_um + field_axis_px(cell.detector.n_columns)
    np.testing.assert_allclose(frame.planes_px, expected, atol=0.2)


def test_resampled_scan_lies_on_the_first() -> None:
    cell = make_cell("tiny", seed=1, n_scans=3)
    first, later = reconstructed(cell, 0), reconstructed(cell, 1)
    frame = find_reference_frame(first, cell.voxel_um)
    found = register_rigid(first, later, mask=stationary_mask(frame, first.shape))

    aligned = resample_rigid(later, found, roi=frame.roi)

    still = slice(0, int(frame.y_outer_px) + 8 - frame.roi.y0)
    before = np.corrcoef(
        first[frame.roi.slices][:, still].ravel(), later[frame.roi.slices][:, still].ravel()
    )[0, 1]
    after = np.corrcoef(
        first[frame.roi.slices][:, still].ravel(), aligned.volume[:, still].ravel()
    )[0, 1]
    assert aligned.valid_fraction > 0.98
    assert after > before + 0.1
