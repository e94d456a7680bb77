"""Projections of the simulated cell against independent projectors and its reconstruction."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.geometry import FloatImage, FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import LITHIUM, Label
from lithoscope_pipeline.phantom import SIZES, CellParameters, RigidDrift, SimulatedCell, make_cell
from lithoscope_pipeline.phantom.growth_parameters import GrowthParameters, PorosityParameters
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.structure_parameters import OpticsParameters, StructureParameters
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.slab import reconstruct_slab

STEADY = OpticsParameters(distance_mm=0.0, grey_drift=0.0, motion_px=0.0)
BARE = StructureParameters(
    foil_thickness_um=0.0,
    tab_thickness_um=0.0,
    shim_window_share=1.0,
    interface_um=0.0,
    impurity_spacing_um=0.0,
    particle_spacing_um=0.0,
)


def reconstructed(
    simulated: SimulatedCell, scan: int, phase: PaganinFilter | None = None
) -> FloatVolume:
    frames = simulated.frames(scan)
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.radians(frames.thetas_deg),
        rotation_axis_px=simulated.rotation_axis_px,
        voxel_um=simulated.voxel_um,
        correction=Correction(phase=phase),
    )


def values_in(volume: FloatVolume, labels: NDArray[np.uint8], label: Label) -> NDArray[np.float32]:
    return volume[ndimage.binary_erosion(labels == label, iterations=2)]


def attenuation_of(truth: SimulatedCell, scan: int, roi: Roi) -> FloatVolume:
    """Paint the labels and the pouches of a cell without particles, 1/cm."""
    cell, planes = truth.cell, truth.planes(scan)
    labels = truth.labels(scan, roi)
    y_um = (np.arange(roi.y0, roi.y1) - field_axis_px(truth.detector.n_columns)) * truth.voxel_um
    out = np.zeros(labels.shape, np.float32)
    out[np.isin(labels, LITHIUM)] = cell.optics.of(Material.LITHIUM).real
    out[labels == Label.ELECTROLYTE] = cell.optics.of(Material.POLYMER).real
    is_pouch = (y_um >= planes.pouch_low_um) & (y_um < planes.pouch_high_um)
    is_pouch &= (y_um < planes.outer_low_um) | (y_um >= planes.outer_high_um)
    is_cell = (labels != Label.BACKGROUND).any(axis=1)[:, None, :]
    out[is_pouch[:, None] & is_cell] = cell.optics.of(Material.POUCH_POLYMER).real
    return out


@pytest.fixture(scope="module")
def painted_cell() -> tuple[SimulatedCell, FloatImage]:
    """A cell at half-cycle, in place, and one of its slices painted four times finer."""
    # An odd width, for scikit-image turns about pixel n // 2.
    scale, n_columns = 4, 161
    cell = CellParameters(
        seed=3,
        width_factor=0.5,
        structure=BARE,
        optics=STEADY,
        growth=GrowthParameters(porosity=PorosityParameters(texture=0.0, interface_um=0.0)),
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
    fine = replace(detector, n_rows=11 * scale, n_columns=n_columns * scale, voxel_um=5.0 / scale)
    simulated = make_cell(seed=3, n_scans=3, cell=cell, detector=detector)
    truth = make_cell(seed=3, n_scans=3, cell=cell, detector=fine)
    middle_row = Roi(z0=20, z1=24, y0=0, y1=fine.n_columns, x0=0, x1=fine.n_columns)
    return simulated, attenuation_of(truth, 1, middle_row).mean(axis=0)


def test_a_cell_inside_the_field_projects_as_scikit_image_does(
    painted_cell: tuple[SimulatedCell, FloatImage],
) -> None:
    transform = pytest.importorskip("skimage.transform")
    simulated, fine = painted_cell
    n_columns = simulated.detector.n_columns
    image = fine.reshape(n_columns, 4, n_columns, 4).mean(axis=(1, 3))

    projections = simulated.line_integrals(1, first_row=5, n_rows=1)[:, 0]

    def deviation(thetas_deg: NDArray[np.floating]) -> float:
        expected = transform.radon(image, thetas_deg, circle=True, preserve_range=True).T
        difference = projections - expected * 5.0e-4
        return float(np.sqrt((difference**2).mean()) / projections.max())

    # scikit-image interpolates the image bilinearly along each ray, which blurs interfaces; its
    # angle turns the image, and so runs the other way round.
    assert deviation(-simulated.thetas_deg) < 0.01
    assert deviation(simulated.thetas_deg) > 2 * deviation(-simulated.thetas_deg)


def test_a_cell_inside_the_field_projects_as_astra_does(
    painted_cell: tuple[SimulatedCell, FloatImage],
) -> None:
    astra = pytest.importorskip("astra")
    simulated, fine = painted_cell
    n_columns, size = simulated.detector.n_columns, len(fine)
    beam = astra.create_proj_geom("parallel", 4.0, n_columns, np.radians(simulated.thetas_deg))
    # Strips: the exact area of each pixel's shadow. Their rows count downwards.
    projector = astra.create_projector("strip", beam, astra.create_vol_geom(size, size))
    number, expected = astra.create_sino(np.ascontiguousarray(fine[::-1]), projector)
    astra.data2d.delete(number)
    astra.projector.delete(projector)

    projections = simulated.line_integrals(1, first_row=5, n_rows=1)[:, 0]

    # A strip is a mean over the pixel, in units of a fine one.
    difference = projections - expected * 1.25e-4
    # Painted voxels are 1.25 um wide and place a face to 0.36 um (uniform error); ours place it
    # exactly along y and to 2.5 um along x. Of pixels of 5 um a face in the beam, a seventh of
    # which is seen at 12 angles, makes 0.07 / sqrt(7), and a quarter of the pixels see one.
    assert np.sqrt((difference**2).mean()) < 0.006 * projections.max()


def test_phase_retrieval_gives_contrast_back_and_takes_noise_away() -> None:
    simulated = make_cell(seed=1, n_scans=1)
    roi = simulated.roi
    paganin = PaganinFilter(
        distance_mm=simulated.cell.optics.distance_mm, energy_keV=27.5, voxel_um=simulated.voxel_um
    )

    def contrast_to_noise(phase: PaganinFilter | None) -> tuple[float, float]:
        volume, labels = reconstructed(simulated, 0, phase)[roi.slices], simulated.labels(0, roi)
        lithium = values_in(volume, labels, Label.STRIPPING_ELECTRODE)
        electrolyte = values_in(volume, labels, Label.ELECTROLYTE)
        contrast = float(np.median(electrolyte) - np.median(lithium))
        # Particles and the interface make tails: the spread is that of the middle half.
        spread = 0.7413 * float(np.subtract(*np.percentile(electrolyte, [75, 25])))
        return contrast, contrast / spread

    _, plain = contrast_to_noise(None)
    contrast, retrieved = contrast_to_noise(paganin)

    # 0.398 - 0.090 1/cm, tabulated.
    assert contrast == pytest.approx(0.309, rel=0.06)
    assert retrieved > 2.0 * plain


def test_contrast_survives_the_truncation_and_lithium_stays_flat() -> None:
    optics = OpticsParameters(distance_mm=0.0)
    cell = CellParameters(seed=1, has_noise=False, optics=optics)
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
    cell = CellParameters(seed=6, has_noise=False, drift_rotation_deg=3.0, optics=STEADY)
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
