"""Simulated experiments as the chain sees them: reconstructed, in the frame, with their truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.errors import TrainingDataError
from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.faces import FaceReference, measure_swelling, to_columns
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume, Roi, field_axis_px
from lithoscope_pipeline.labels import segments_of
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_pipeline.phantom.frames import ScanFrames
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.reference_frame import find_reference_frame
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_pipeline.segment import GreyReferences, find_grey_references

_ROI_MARGIN_PX = 24  # of background that is kept beyond the outer faces


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScan:
    """A scan in the reference frame with its truth.

    Parameters
    ----------
    scan
        Its number.
    roi
        Where it lies in the frame of the cell.
    grey
        Attenuation, 1/cm, shape (n_z, n_y, n_x), float32.
    classes
        `SegmentClass`, same shape; `UNLABELLED` where nobody knows.
    references
        Grey values and faces of the scan.
    shifts_px
        How far the stripping and the plating outer face have moved since scan 0, voxels, shape
        (2, n_z, n_x); None where a face was not found.
    """

    scan: int
    roi: Roi
    grey: FloatVolume
    classes: LabelVolume
    references: GreyReferences
    shifts_px: NDArray[np.float32] | None


def chain_scans(draw: CellDraw, scans: Sequence[int]) -> Iterator[LabelledScan]:
    """Make some scans of a simulated cell as the chain would hand them to a network.

    Frames with noise and faults are corrected and reconstructed by the chain at the true axis,
    and brought to the frame that the chain finds in scan 0 by the true drift; the displacement
    of the faces is measured. What registration leaves is drawn when a network is trained.

    Parameters
    ----------
    draw
        The cell.
    scans
        Which of its 25 scans, rising; scan 0 is made first in any case, and yielded.

    Yields
    ------
    LabelledScan
        Each scan.

    Raises
    ------
    TrainingDataError
        If the layers of the cell are not found in a scan.
    """
    yield from chain_scans_of(drawn_cell(draw), scans)


def chain_scans_of(cell: SimulatedCell, scans: Sequence[int]) -> Iterator[LabelledScan]:
    """Do the same for a cell that was not drawn."""
    first = reconstructed(cell, 0)
    frame = find_reference_frame(first, cell.voxel_um)
    if frame.faces is None or any(frame.transform.rotation_deg):
        reason = frame.reason or "the frame is not that of the cell"
        msg = f"scan 0 of seed {cell.cell.seed}: {reason}"
        raise TrainingDataError(f"{msg}; take another seed, or a size with finer voxels")
    roi = _trimmed(frame.roi, frame.faces)
    for scan in (0, *(each for each in scans if each)):
        volume = first if scan == 0 else reconstructed(cell, scan)
        yield _labelled(cell, scan, volume, frame.faces, roi)


def _labelled(
    cell: SimulatedCell, scan: int, volume: FloatVolume, faces: FaceReference, roi: Roi
) -> LabelledScan:
    transform = true_transform(cell, scan)
    grey = resample_region(volume, transform, roi=roi).volume
    references = find_grey_references(grey)
    if references.verdict != "resolved":
        msg = f"scan {scan} of seed {cell.cell.seed}: the layers of the cell were not found"
        raise TrainingDataError(f"{msg}; take another seed or more photons")
    swelling = measure_swelling(volume, transform, faces)
    sides = (swelling.stripping, swelling.plating)
    shifts_px = None
    if all(side.verdict == "resolved" for side in sides):
        maps = [to_columns(side.map_px, swelling.grid, roi) for side in sides]
        shifts_px = np.stack(maps).astype(np.float32)
    return LabelledScan(
        scan=scan,
        roi=roi,
        grey=grey,
        classes=segments_of(cell.labels(scan, roi)),
        references=references,
        shifts_px=shifts_px,
    )


def _trimmed(roi: Roi, faces: FaceReference) -> Roi:
    """Keep a little background; the plating side's margin is room that it needs to grow."""
    y0 = max(roi.y0, int(faces.stripping.y_px) - _ROI_MARGIN_PX)
    return Roi(z0=roi.z0, z1=roi.z1, y0=y0, y1=roi.y1, x0=roi.x0, x1=roi.x1)


def reconstructed(cell: SimulatedCell, scan: int) -> FloatVolume:
    """Reconstruct a scan as the reconstruct stage does, at the true axis; 1/cm, (z, y, x)."""
    return reconstructed_from(cell, cell.frames(scan))


def reconstructed_from(cell: SimulatedCell, frames: ScanFrames) -> FloatVolume:
    """Do the same with frames of a scan that are there."""
    optics = cell.cell.optics
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.radians(frames.thetas_deg),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        correction=Correction(
            phase=PaganinFilter(
                distance_mm=optics.distance_mm,
                energy_keV=optics.energy_keV,
                voxel_um=cell.voxel_um,
            )
        ),
    )


def true_transform(cell: SimulatedCell, scan: int) -> RigidTransform:
    """Give where a scan lies in truth: frame of the cell to scan."""
    drift = cell.drift(scan)
    middle = field_axis_px(cell.detector.n_columns)
    return RigidTransform(
        rotation_deg=drift.rotation_deg,
        shift_px=drift.shift_px,
        centre_px=(field_axis_px(cell.detector.n_rows), middle, middle),
    )
