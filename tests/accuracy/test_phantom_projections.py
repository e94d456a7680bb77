"""Projections of the simulated cell against an independent projector and its reconstruction."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import SIZES, CellParameters, SimulatedCell, make_cell
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


def test_a_cell_inside_the_field_projects_as_scikit_image_does() -> None:
    transform = pytest.importorskip("skimage.transform")
    # Odd widths, for scikit-image turns about the pixel n // 2. Four voxels of truth a pixel.
    scale, n_columns = 4, 161
    cell = CellParameters(seed=3, width_factor=0.5, impurity_per_cm=0.4, pouch_per_cm=0.4)
    coarse = replace(
        SIZES["tiny"],
        n_rows=3,
        n_columns=n_columns,
        voxel_um=5.0,
        n_angles=12,
        axis_offset_px=0.0,
        exposure_share=0.0,
    )
    fine = replace(coarse, n_columns=n_columns * scale, n_rows=3 * scale, voxel_um=5.0 / scale)
    fine_cell = replace(cell, width_factor=0.5)
    simulated = make_cell(seed=3, n_scans=60, cell=cell, detector=coarse)
    truth = make_cell(seed=3, n_scans=60, cell=fine_cell, detector=fine)
    # The fine view balances lithium over the same rows and columns, and so is the same cell.
    scan = 0
    n = fine.n_columns
    labels = truth.labels(scan, Roi(z0=4, z1=8, y0=0, y1=n, x0=0, x1=n))
    planes = truth.planes(scan)
    y_um = (np.arange(n) - field_axis_px(n)) * truth.voxel_um
    attenuation = np.zeros(labels.shape, np.float32)
    attenuation[np.isin(labels, LITHIUM)] = cell.lithium_per_cm
    attenuation[labels == Label.ELECTROLYTE] = cell.electrolyte_per_cm
    is_cell = (labels != Label.BACKGROUND).any(axis=1)[:, None, :]
    in_pouch = (y_um >= planes.pouch_low_um) & (y_um < planes.pouch_high_um)
    in_pouch &= (y_um < planes.outer_low_um) | (y_um >= planes.outer_high_um)
    attenuation[np.broadcast_to(in_pouch[:, None] & is_cell, labels.shape)] = cell.pouch_per_cm
    image = attenuation.reshape(4, n_columns, scale, n_columns, scale).mean(axis=(0, 2, 4))

    projections = simulated.line_integrals(scan, first_row=1, n_rows=1)[:, 0]

    # scikit-image's angle turns the image, and so the other way round.
    expected = transform.radon(image, -simulated.thetas_deg, circle=True, preserve_range=True).T
    expected *= 5.0e-4
    print(
        "RAD",
        np.sqrt(((projections - expected) ** 2).mean()) / expected.max(),
        np.sqrt(((projections - expected[[0, *range(11, 0, -1)]]) ** 2).mean()) / expected.max(),
    )
    difference = projections - expected
    # Particles are not in the labels: their excess of 0.3/cm over 13 um is 4e-4.
    assert np.sqrt((difference**2).mean()) < 0.02 * expected.max()


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
    cell = CellParameters(seed=6, has_noise=False)
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

    def matched(matrix: NDArray[np.floating], shift_xyz_px: NDArray[np.floating]) -> float:
        zyx = matrix[::-1, ::-1]
        offset = centre - zyx @ centre + shift_xyz_px[::-1]
        back = ndimage.affine_transform(drifted, zyx, offset=offset, order=3)
        box = (slice(4, 20), slice(roi.y0, roi.y1), slice(roi.x0 + 10, roi.x1 - 10))
        return float(np.corrcoef(back[box].ravel(), pristine[box].ravel())[0, 1])

    right = matched(drift.matrix, drift.shift_xyz_px)

    print(
        "DR",
        right,
        matched(drift.matrix.T, -drift.shift_xyz_px),
        matched(np.eye(3), drift.shift_xyz_px),
        matched(np.eye(3), 0 * drift.shift_xyz_px),
        drift,
    )
    # Interpolation and the pattern of 180 angles leave a percent or two.
    assert right > 0.97
    assert right > matched(drift.matrix.T, -drift.shift_xyz_px) + 0.05
    assert right > matched(np.eye(3), drift.shift_xyz_px)
