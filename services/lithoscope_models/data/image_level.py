"""Training pairs without projections: the blurred cell, with the noise of the chain.

For a weak object the chain is linear: attenuation and phase are blurred by free space, phase
retrieval, scintillator and reconstruction, and noise comes on top. What the first two do is known
in closed form; the rest, and the power spectrum of the noise, are measured once, on one scan that
is taken through the chain with noise and without. Rings and what truncation leaves are not in it:
the last experiments that a network sees are the chain's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import windows

from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.chain import LabelledScan, reconstructed_from, true_transform
from lithoscope_models.data.image_model import (
    ImageModel,
    Spectrum,
    binned,
    seen_by,
    separable,
    spread,
)
from lithoscope_pipeline.geometry import FloatVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import segments_of
from lithoscope_pipeline.phantom import (
    FAMILIES,
    SIZES,
    SimulatedCell,
)
from lithoscope_pipeline.phantom.frames import ScanFrames
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.projector import FINE
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.rasterise import add_band
from lithoscope_pipeline.phantom.region import cell_half_width_um
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.view import View
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_pipeline.segment import find_grey_references

ComplexVolume = NDArray[np.complex64]

_CALIBRATION_SCAN = 0  # it is not resampled
_FADED_SHARE = 0.3
_ROWS_AT_ONCE = 16
_MARGIN_PX = 24
_STREAM = 72


def calibrate(draw: CellDraw) -> ImageModel:
    """Measure blur and noise of the chain on one scan of a cell.

    Parameters
    ----------
    draw
        The cell; its detector and its photons decide.
    """
    cell = drawn_cell(draw)
    roi = _box(cell)
    frames = cell.frames(_CALIBRATION_SCAN)
    clean = _through_chain(cell, replace(frames, has_noise=False), roi)
    noise = _through_chain(cell, frames, roi) - clean
    ideal = _propagated(object_volume(cell, _CALIBRATION_SCAN, roi), cell)
    window = _window(clean.shape)
    seen = fft.rfftn((clean - clean.mean()) * window, norm="ortho", workers=1)
    made = fft.rfftn((ideal - ideal.mean()) * window, norm="ortho", workers=1)
    power = binned(np.abs(made) ** 2, clean.shape)
    cross = binned((seen * made.conj()).real, clean.shape)
    noise_power = binned(
        np.abs(fft.rfftn(noise * window, norm="ortho", workers=1)) ** 2, clean.shape
    )
    return ImageModel(
        transfer=separable(cross, power),
        noise=np.sqrt(noise_power / np.mean(window**2)),
    )


def _through_chain(cell: SimulatedCell, frames: ScanFrames, roi: Roi) -> FloatVolume:
    volume = reconstructed_from(cell, frames)
    return resample_region(volume, true_transform(cell, frames.scan), roi=roi).volume


def image_scans(
    draw: CellDraw, scans: Sequence[int], measured: ImageModel
) -> Iterator[LabelledScan]:
    """Make some scans of a simulated cell without projections.

    Parameters
    ----------
    draw, scans
        As for `chain_scans`.
    measured
        Blur and noise of the family; they are taken to the scintillator and the number of photons
        of the cell.

    Yields
    ------
    LabelledScan
        Each scan, scan 0 first.
    """
    cell = drawn_cell(draw)
    model = seen_by(
        measured,
        FAMILIES[draw.family].turn(cell.cell, SIZES[draw.size])[1],
        cell.detector,
    )
    roi = _box(cell)
    outer_um = cell.planes(0).outer_high_um
    for scan in sorted({0, *scans}):
        rng = np.random.default_rng([draw.seed, scan, _STREAM])
        drift_px = cell.drift(scan).shift_px
        fractions = [each - round(each) for each in drift_px]
        grey = imaged(
            cell, scan, roi, model, rng, shift_px=(fractions[0], fractions[1], fractions[2])
        )
        moved_px = (cell.planes(scan).outer_high_um - outer_um) / cell.voxel_um
        shifts_px = np.zeros((2, grey.shape[0], grey.shape[2]), np.float32)
        shifts_px[1] = moved_px
        yield LabelledScan(
            scan=scan,
            roi=roi,
            grey=grey,
            classes=segments_of(cell.labels(scan, roi)),
            references=find_grey_references(grey),
            shifts_px=shifts_px,
        )


def _box(cell: SimulatedCell) -> Roi:
    """Both electrodes at every time, with some of the pouches."""
    roi = cell.roi
    n = cell.detector.n_columns
    return replace(roi, y0=max(roi.y0 - _MARGIN_PX, 0), y1=min(roi.y1 + _MARGIN_PX, n))


def imaged(
    cell: SimulatedCell,
    scan: int,
    roi: Roi,
    model: ImageModel,
    rng: np.random.Generator,
    *,
    shift_px: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> FloatVolume:
    """Give a scan as the chain would, shape ``roi.shape``, 1/cm.

    Parameters
    ----------
    cell, scan, roi
        What, when and where.
    model
        What the chain makes of it.
    rng
        Makes the noise.
    shift_px
        Fractions of a voxel, (z, y, x), by which the scan found the cell elsewhere: resampling it
        into the frame blurs it and its noise.
    """
    ideal = _propagated(object_volume(cell, scan, roi), cell)
    mean = ideal.mean()
    spectrum = fft.rfftn(ideal - mean, norm="ortho", workers=1)
    spectrum *= spread(model.transfer, ideal.shape) * _moved(ideal.shape, shift_px)
    white = fft.rfftn(rng.standard_normal(ideal.shape, np.float32), norm="ortho", workers=1)
    spectrum += white * spread(model.noise, ideal.shape)
    out = fft.irfftn(spectrum, s=ideal.shape, norm="ortho", workers=1)
    grey = np.asarray((out + mean) * cell.grey_factor(scan), np.float32)
    if not any(shift_px):
        return grey
    whole = Roi(z0=0, z1=roi.shape[0], y0=0, y1=roi.shape[1], x0=0, x1=roi.shape[2])
    found = RigidTransform(shift_px=shift_px, centre_px=(0.0, 0.0, 0.0))
    return resample_region(grey, found, roi=whole).volume


def _moved(shape: tuple[int, ...], shift_px: tuple[float, float, float]) -> NDArray[np.complex64]:
    """Give the factor of each mode of a real transform for an image that moves."""
    z, y, x = (
        np.exp(-2j * np.pi * shift * frequencies)
        for shift, frequencies in zip(
            shift_px,
            (fft.fftfreq(shape[0]), fft.fftfreq(shape[1]), fft.rfftfreq(shape[2])),
            strict=True,
        )
    )
    return np.asarray(z[:, None, None] * y[None, :, None] * x[None, None, :], np.complex64)


def object_volume(cell: SimulatedCell, scan: int, roi: Roi) -> ComplexVolume:
    """Give the optical constants of a cell, averaged over voxels.

    Parameters
    ----------
    cell, scan
        What and when.
    roi
        Box in the frame of scan 0.

    Returns
    -------
    ComplexVolume
        Attenuation in 1/cm and 1e-8 of the decrement as the imaginary part.
    """
    state = cell.state(scan)
    view = View(
        n_columns=cell.detector.n_columns,
        rotation_axis_px=field_axis_px(cell.detector.n_columns),
        thetas_rad=np.zeros(1),
        exposure_rad=0.0,
        drift=cell.drift(0),
    )
    flat = _flat_profile(cell, scan, roi)
    out = np.empty(roi.shape, np.complex64)
    for z0 in range(roi.z0, roi.z1, _ROWS_AT_ONCE):
        z1 = min(z0 + _ROWS_AT_ONCE, roi.z1)
        fine = texture_slices(
            cell.growth,
            state,
            view,
            np.arange(z0, z1) - field_axis_px(cell.detector.n_volume_rows),
            voxel_um=cell.voxel_um,
            half_width_um=cell_half_width_um(cell.cell, cell.detector),
        )
        part = _averaged(_averaged(fine, 1, cell, (roi.y0, roi.y1)), 2, cell, (roi.x0, roi.x1))
        out[z0 - roi.z0 : z1 - roi.z0] = part + flat[None, :, None]
    return out


def _averaged(
    fine: ComplexVolume, axis: int, cell: SimulatedCell, ends: tuple[int, int]
) -> ComplexVolume:
    """Average fine samples over voxels along an axis; samples lie on the edges of voxels too."""
    n = cell.detector.n_columns
    first = (np.arange(*ends) - field_axis_px(n) - 0.5) * FINE + fine.shape[axis] // 2
    index = np.round(first).astype(np.intp)
    weights = np.ones(FINE + 1)
    weights[[0, -1]] = 0.5
    total = sum(
        weight / FINE * np.take(fine, np.clip(index + i, 0, fine.shape[axis] - 1), axis=axis)
        for i, weight in enumerate(weights)
    )
    return np.asarray(total, np.complex64)


def _flat_profile(cell: SimulatedCell, scan: int, roi: Roi) -> ComplexVolume:
    """Optical constants of the flat layers along y."""
    planes, optics = cell.planes(scan), cell.cell.optics
    layers = (
        (planes.pouch_low_um, planes.outer_low_um, Material.POUCH_POLYMER),
        (planes.outer_low_um, planes.stripping_surface_um, Material.LITHIUM),
        (planes.stripping_surface_um, planes.plated_surface_um, Material.POLYMER),
        (planes.plated_surface_um, planes.outer_high_um, Material.LITHIUM),
        (planes.outer_high_um, planes.pouch_high_um, Material.POUCH_POLYMER),
    )
    y_um = (np.arange(roi.y0, roi.y1) - field_axis_px(cell.detector.n_columns)) * cell.voxel_um
    out = np.zeros((len(y_um), 1), np.complex64)
    for low_um, high_um, material in layers:
        add_band(out, np.array([low_um]), np.array([high_um]), y_um, optics.of(material))
    return out[:, 0]


def _propagated(volume: ComplexVolume, cell: SimulatedCell) -> FloatVolume:
    """Let free space and phase retrieval act on a volume, in closed form."""
    optics = cell.cell.optics
    propagation = Propagation(
        energy_keV=optics.energy_keV, distance_mm=optics.distance_mm, pixel_um=cell.voxel_um
    )
    paganin = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )
    square = _square_frequencies(volume.shape)
    chi = propagation.chi(np.sqrt(square))
    mean = volume.mean()
    spectrum = np.cos(chi) * fft.rfftn((volume - mean).real, workers=1)
    spectrum += propagation.phase_per_cm * np.sin(chi) * fft.rfftn((volume - mean).imag, workers=1)
    spectrum /= 1.0 + (2.0 * np.pi * paganin.length_px) ** 2 * square
    out = fft.irfftn(spectrum, s=volume.shape, workers=1) + mean.real
    return np.asarray(out, np.float32)


def _square_frequencies(shape: tuple[int, ...]) -> Spectrum:
    along_z, along_y = fft.fftfreq(shape[0]), fft.fftfreq(shape[1])
    along_x = fft.rfftfreq(shape[2])
    return np.asarray(
        along_z[:, None, None] ** 2 + along_y[None, :, None] ** 2 + along_x[None, None, :] ** 2
    )


def _window(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Fade a volume out towards its ends, so that they do not look like edges."""
    out = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        sides = [1] * len(shape)
        sides[axis] = n
        out *= windows.tukey(n + 2, _FADED_SHARE)[1:-1].reshape(sides).astype(np.float32)
    return out
