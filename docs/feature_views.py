"""Ways to look at a simulated cell: its object, its slices, its frames."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.geometry import FloatImage, field_axis_px
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_pipeline.phantom.frames import ScanFrames
from lithoscope_pipeline.phantom.project_corners import Corners
from lithoscope_pipeline.phantom.region import cell_half_width_um
from lithoscope_pipeline.phantom.structure import close_gap, flat_parts
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.view import View
from lithoscope_pipeline.phase_retrieval import PaganinFilter, retrieve_phase
from lithoscope_pipeline.reconstruct import FourierBackend

WHOLE_VOXELS = 384
WHOLE_SHARE = 1.06  # of the cell's width is drawn
FACE_ON, EDGE_ON = 0.0, 90.0


def object_slice(cell: SimulatedCell, scan: int) -> FloatImage:
    """Draw the middle slice of the object, 1/cm, (y, x): the truth."""
    detector, planes = cell.detector, cell.planes(scan)
    n = detector.n_columns
    view = View(
        n_columns=n,
        rotation_axis_px=field_axis_px(n),
        thetas_rad=np.zeros(1),
        exposure_rad=0.0,
        drift=cell.drift(0),
    )
    texture = texture_slices(
        cell.growth,
        cell.state(scan),
        view,
        np.array([middle_row(cell) - field_axis_px(detector.n_rows)]),
        voxel_um=detector.voxel_um,
        half_width_um=cell_half_width_um(cell.cell, detector),
    )
    close_gap(texture, cell.cell, planes, detector.voxel_um)
    out = _drawn(flat_parts(cell.cell, planes, detector), n, 1.0)
    return (out + _binned(texture[0].real, n)).astype(np.float32)


def whole_cell(cell: SimulatedCell, scan: int) -> FloatImage:
    """Draw the flat parts of the whole cell with the edge of the reconstructed circle, 1/cm."""
    detector = cell.detector
    width_px = 2.0 * cell_half_width_um(cell.cell, detector) / detector.voxel_um
    scale = max(width_px, detector.n_columns) * WHOLE_SHARE / WHOLE_VOXELS
    corners = flat_parts(cell.cell, cell.planes(scan), detector)
    out = _drawn(corners, WHOLE_VOXELS, scale)
    places = (np.arange(WHOLE_VOXELS) - field_axis_px(WHOLE_VOXELS)) * scale
    radius = np.hypot(places[:, None], places) - detector.n_columns / 2.0
    out[np.abs(radius) < scale / 2.0] = 1.5
    return out.astype(np.float32)


def slice_of_lines(cell: SimulatedCell, scan: int) -> FloatImage:
    """Reconstruct the middle slice without noise, phase retrieved, 1/cm."""
    paganin = _paganin(cell)
    reach = 0 if paganin is None else paganin.reach_px
    lines = cell.line_integrals(scan, first_row=middle_row(cell) - reach, n_rows=2 * reach + 1)
    if paganin is not None:
        lines = retrieve_phase(lines, paganin)
    return _reconstructed(cell, scan, lines[:, reach : reach + 1])


def fringed_slice(cell: SimulatedCell, scan: int) -> FloatImage:
    """Reconstruct the middle slice without noise as it is, 1/cm."""
    return _reconstructed(
        cell, scan, cell.line_integrals(scan, first_row=middle_row(cell), n_rows=1)
    )


def slice_of_frames(cell: SimulatedCell, scan: int) -> FloatImage:
    """Reconstruct the middle slice from frames, phase retrieved, 1/cm."""
    lines = attenuation_of(cell.frames(scan))
    paganin = _paganin(cell)
    if paganin is not None:
        lines = retrieve_phase(lines, paganin)
    return _reconstructed(cell, scan, lines[:, middle_row(cell)][:, None])


def attenuation_of(frames: ScanFrames) -> FloatImage:
    """Correct all projections of a scan."""
    projections = np.stack(list(frames.projections))
    return correct(projections, frames.flats, frames.darks)


def face_on_frame(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the projection taken face-on, grey levels."""
    return cell.frames(scan).frame("projection", 0).astype(np.float32)


def corrected_face_on(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the projection taken face-on, corrected: transmission."""
    frames = cell.frames(scan)
    one = frames.frame("projection", 0)[None]
    return np.exp(-correct(one, frames.flats, frames.darks)[0])


def last_transmission(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the last projection of a scan, corrected by flats from before it."""
    frames = cell.frames(scan)
    last = frames.frame("projection", frames.count("projection") - 1)[None]
    return np.exp(-correct(last, frames.flats, frames.darks)[0])


def sinogram_of_frames(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the middle row of all projections as they are, grey levels, (angle, column)."""
    row = middle_row(cell)
    projections = cell.frames(scan).projections
    return np.stack([each[row] for each in projections]).astype(np.float32)


def sinogram_of_lines(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the line integrals of the middle row, (angle, column)."""
    return cell.line_integrals(scan, first_row=middle_row(cell), n_rows=1)[:, 0]


def face_on_lines(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the transmission face-on without a detector."""
    lines = cell.line_integrals(scan, n_rows=cell.detector.n_rows)
    return np.exp(-lines[0])


def last_lines(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the last transmission of a scan without a detector."""
    lines = cell.line_integrals(scan, n_rows=cell.detector.n_rows)
    return np.exp(-lines[-1])


def oblique_lines(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the attenuation 4 degrees from edge-on, the axis tilted as it is."""
    return cell.frames(scan).attenuation[cell.detector.n_angles // 2 - 8]


def oblique_upright(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the attenuation 4 degrees from edge-on, about an upright axis."""
    lines = cell.line_integrals(scan, n_rows=cell.detector.n_rows)
    return lines[cell.detector.n_angles // 2 - 8]


def flat_frame(cell: SimulatedCell, scan: int) -> FloatImage:
    """Return the first flat, grey levels."""
    return cell.frames(scan).frame("flat", 0).astype(np.float32)


def middle_row(cell: SimulatedCell) -> int:
    """Return the row that is shown."""
    return cell.detector.n_rows // 2


def _paganin(cell: SimulatedCell) -> PaganinFilter | None:
    optics = cell.cell.optics
    if optics.distance_mm == 0:
        return None
    return PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )


def _reconstructed(cell: SimulatedCell, scan: int, lines: FloatImage) -> FloatImage:
    return FourierBackend().reconstruct(
        lines,
        np.radians(cell.scan_thetas_deg(scan)),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
    )[0]


def _drawn(corners: Corners, n: int, scale: float) -> NDArray[np.float64]:
    """Fill rectangles, averaged over voxels."""
    edges = (np.arange(n) - n / 2.0) * scale
    x, y = (np.clip((edges + scale - at[:, None]) / scale, 0, 1) for at in corners.points_px.T)
    weighted = corners.weights.real[:, None] * y
    return np.asarray(weighted.T @ x)


def _binned(fine: NDArray[np.float32], n: int) -> NDArray[np.float64]:
    """Average samples, two a voxel with the axis on one, over the voxels of an even grid."""
    mean = fine.astype(np.float64)
    for axis in (0, 1):
        mean = (np.roll(mean, 1, axis) + 2.0 * mean + np.roll(mean, -1, axis)) / 4.0
    out = np.zeros((n, n))
    odd = 2 * (np.arange(n) - n // 2) + 1
    rows, columns = (size // 2 + odd for size in fine.shape)
    has_row, has_column = (
        (i >= 0) & (i < size) for i, size in zip((rows, columns), fine.shape, strict=True)
    )
    out[np.ix_(has_row, has_column)] = mean[np.ix_(rows[has_row], columns[has_column])]
    return out
