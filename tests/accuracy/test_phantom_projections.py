"""Projections of the simulated cell against an independent projector and its reconstruction."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import SIZES, CellParameters, RigidDrift, SimulatedCell, make_cell
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.slab import reconstruct_slab

LITHIUM = (
    Label.STRIPPING_ELECTRODE,
    Label.PLATING_ELECTRODE,
    Label.DEPOSITED,
    Label.REDEPOSITED,
    Label.DENDRITE,
)


def reconstructed(simulated: SimulatedCell, scan: int) -> FloatVolume:
    frames = simulated.frames(scan)
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.radians(frames.thetas_deg),
        rotation_axis_px=simulated.rotation_axis_px,
        voxel_um=simulated.voxel_um,
    )


def values_in(volume: FloatVolume, labels: NDArray[np.uint8], label: Label) -> NDArray[np.float32]:
    return volume[ndimage.binary_erosion(labels == label, iterations=2)]


def attenuation_of(truth: SimulatedCell, scan: int, roi: Roi) -> FloatVolume:
    """Paint the labels and the pouches of a cell without particles, 1/cm."""
    cell, planes = truth.cell, truth.planes(scan)
    labels = truth.labels(scan, roi)
    y_um = (np.arange(roi.y0, roi.y1) - field_axis_px(truth.detector.n_columns)) * truth.voxel_um
    out = np.zeros(labels.shape, np.float32)
    out[np.isin(labels, LITHIUM)] = cell.lithium_per_cm
    out[labels == Label.ELECTROLYTE] = cell.electrolyte_per_cm
    is_pouch = (y_um >= planes.pouch_low_um) & (y_um < planes.pouch_high_um)
    is_pouch &= (y_um < planes.outer_low_um) | (y_um >= planes.outer_high_um)
    is_cell = (labels != Label.BACKGROUND).any(axis=1)[:, None, :]
    out[is_pouch[:, None] & is_cell] = cell.pouch_per_cm
    return out


def test_a_cell_inside_the_field_projects_as_scikit_image_does() -> None:
    transform = pytest.importorskip("skimage.transform")
    # The cell at half-cycle, in place. An odd width, for scikit-image turns about pixel n // 2.
    scale, n_columns = 4, 161
    cell = CellParameters(
        seed=3,
        width_factor=0.5,
        pouch_per_cm=0.6,
        impurity_per_cm=0.6,
        drift_shift_px=(0.0, 0.0, 0.0),
        drift_rotation_deg=0.0,
    )
    detector = replace(
        SIZES["tiny"],
        n_rows=11,
        n_columns=n_columns,
        n_angles=12,
        voxel_um=5.0,
        axis_offset_px=0.0,
        exposure_share=0.0,
    )
    # Four voxels of truth a pixel.
    fine = replace(detector, n_rows=11 * scale, n_columns=n_columns * scale, voxel_um=5.0 / scale)
    simulated = make_cell(seed=3, n_scans=3, cell=cell, detector=detector)
    truth = make_cell(seed=3, n_scans=3, cell=cell, detector=fine)
    middle_row = Roi(z0=20, z1=24, y0=0, y1=fine.n_columns, x0=0, x1=fine.n_columns)
    painted = attenuation_of(truth, 1, middle_row)
    image = painted.reshape(4, n_columns, scale, n_columns, scale).mean(axis=(0, 2, 4))

    projections = simulated.line_integrals(1, first_row=5, n_rows=1)[:, 0]

    def deviation(thetas_deg: NDArray[np.floating]) -> float:
        expected = transform.radon(image, thetas_deg, circle=True, preserve_range=True).T
        difference = projections - expected * 5.0e-4
        return float(np.sqrt((difference**2).mean()) / projections.max())

    # scikit-image interpolates the image bilinearly along each ray, which blurs interfaces; its
    # angle turns the image, and so runs the other way round.
    assert deviation(-simulated.thetas_deg) < 0.01
    assert deviation(simulated.thetas_deg) > 2 * deviation(-simulated.thetas_deg)


def test_the_noise_gives_the_stated_contrast() -> None:
    simulated = make_cell(seed=1, n_scans=1)
    roi = simulated.roi
    volume = reconstructed(simulated, 0)[roi.slices]
    labels = simulated.labels(0, roi)

    lithium = values_in(volume, labels, Label.STRIPPING_ELECTRODE)
    electrolyte = values_in(volume, labels, Label.ELECTROLYTE)
    # Particles make the lithium's tail: the spread is taken from the electrolyte.
    contrast_to_noise = (np.median(electrolyte) - np.median(lithium)) / electrolyte.std()

    assert 1.6 < contrast_to_noise < 2.4


def test_contrast_survives_the_truncation_and_lithium_stays_flat() -> None:
    cell = CellParameters(seed=1, has_noise=False)
    simulated = make_cell(seed=1, n_scans=1, cell=cell)
    roi = simulated.roi
    volume = reconstructed(simulated, 0)[roi.slices]
    labels = simulated.labels(0, roi)

    lithium = np.median(values_in(volume, labels, Label.STRIPPING_ELECTRODE))
    electrolyte = np.median(values_in(volume, labels, Label.ELECTROLYTE))
    assert electrolyte - lithium == pytest.approx(0.31, rel=0.05)
    third = volume.shape[2] // 3
    parts = [
        np.median(
            values_in(
                volume[:, :, i : i + third], labels[:, :, i : i + third], Label.PLATING_ELECTRODE
            )
        )
        for i in (0, third, 2 * third)
    ]
    assert np.ptp(parts) < 0.02


def test_a_drifted_scan_shows_the_cell_where_the_drift_says() -> None:
    # Ten times the usual rotation, for all three to matter.
    cell = CellParameters(seed=6, has_noise=False, drift_rotation_deg=3.0)
    # Of 60 scans the first two share the rest before the first pulse.
    simulated = make_cell(seed=6, n_scans=60, cell=cell)
    assert simulated.schedule[1].pulse == 0
    pristine, drifted = (
        FourierBackend().reconstruct(
            simulated.line_integrals(scan, n_rows=24),
            np.radians(simulated.thetas_deg),
            rotation_axis_px=simulated.rotation_axis_px,
            voxel_um=simulated.voxel_um,
        )
        for scan in (0, 1)
    )
    drift, roi = simulated.drift(1), simulated.roi
    centre = (np.array(drifted.shape) - 1) / 2

    def unlike(guess: RigidDrift) -> float:
        zyx = guess.matrix[::-1, ::-1]
        offset = centre - zyx @ centre + guess.shift_xyz_px[::-1]
        back = ndimage.affine_transform(drifted, zyx, offset=offset, order=3)
        box = (slice(4, 20), slice(roi.y0, roi.y1), slice(roi.x0 + 10, roi.x1 - 10))
        return 1.0 - float(np.corrcoef(back[box].ravel(), pristine[box].ravel())[0, 1])

    # Interpolation and the pattern of 180 angles leave less than a percent.
    assert unlike(drift) < 0.01
    for axis in range(3):
        signs = np.where(np.arange(3) == axis, -1.0, 1.0)
        z, y, x = (float(angle) for angle in signs * drift.rotation_deg)
        mirrored = RigidDrift(shift_px=drift.shift_px, rotation_deg=(z, y, x))
        assert unlike(mirrored) > 3 * unlike(drift)
