"""Pairs of simulated scans with their true drift, and pairs that cannot be registered."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.phantom import SIZES, CellParameters, SimulatedCell, make_cell
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import reconstruct_slab
from lithoscope_pipeline.reference_frame import ReferenceFrame, find_reference_frame
from lithoscope_pipeline.register import (
    GROWTH_UM,
    BlockPlan,
    Comparison,
    Field,
    GaussNewtonEngine,
    Registration,
    RigidTransform,
    composed,
    read_comparison,
    spans_of_planes,
)
from lithoscope_pipeline.rigid import Points

MAX_SHIFT_PX = 15.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A first scan, a later one, and the true way between them, in voxels of the scans."""

    voxel_um: float
    fixed: FloatVolume
    moving: FloatVolume
    frame: ReferenceFrame
    true: RigidTransform

    def register(self, moving: FloatVolume | None = None) -> Registration:
        """Register it, or another moving scan, on what stays."""
        compared = comparison(
            self.frame, self.fixed, self.moving if moving is None else moving, self.voxel_um
        )
        return GaussNewtonEngine().register(compared)

    def errors_px(self, found: RigidTransform) -> Points:
        """Distance from the truth over the corners and middles of the region, shape (27,)."""
        roi = self.frame.roi
        lines = [
            np.linspace(first, stop - 1, 3)
            for first, stop in ((roi.z0, roi.z1), (roi.y0, roi.y1), (roi.x0, roi.x1))
        ]
        lattice = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
        inner = self.frame.transform.to_scan(lattice)
        apart: Points = np.linalg.norm(found.to_scan(inner) - self.true.to_scan(inner), axis=1)
        return apart

    def rotation_errors_deg(self, found: RigidTransform) -> tuple[float, float, float]:
        """Error of the rotation about (z, y, x)."""
        z, y, x = np.abs(np.subtract(found.rotation_deg, self.true.rotation_deg)).tolist()
        return z, y, x

    def turn_error_deg(self, found: RigidTransform) -> float:
        """Angle of the one rotation that takes the true one to the one that was found."""
        left = Rotation.from_matrix(found.matrix @ self.true.matrix.T)
        return float(np.rad2deg(left.magnitude()))


def comparison(
    frame: ReferenceFrame, fixed: FloatVolume, moving: FloatVolume, voxel_um: float
) -> Comparison:
    """Choose the blocks as the service does."""
    n_z, n_y, n_x = fixed.shape
    plan = BlockPlan(
        shape=(n_z, n_y, n_x),
        frame=frame.transform,
        spans=spans_of_planes(frame.planes_px, (0.0, n_y - 1.0)),
        field=Field.of_slices(n_y, n_x),
        max_shift_px=MAX_SHIFT_PX,
        max_lift_px=GROWTH_UM / voxel_um,
    )
    return read_comparison(plan, fixed, moving)


def drifting_cell(seed: int, *, n_angles: int | None = None) -> SimulatedCell:
    """A cell of default difficulty with drifts of up to 15 voxels and a degree.

    Scan 1 ends the charging: lithium is plated, and the plating side has moved by 39 um. Along z
    the drift is at most a quarter of the few rows.
    """
    cell = CellParameters(seed=seed, drift_shift_px=(8.0, 15.0, 15.0), drift_rotation_deg=1.0)
    usual = SIZES["tiny"]
    angles = n_angles or usual.n_angles
    # As many photons in all, however many the views.
    photons = usual.photons * usual.n_angles / angles
    detector = replace(usual, n_rows=32, n_angles=angles, photons=photons)
    return make_cell("tiny", seed=seed, n_scans=3, cell=cell, detector=detector)


def reconstructed(cell: SimulatedCell, scan: int) -> FloatVolume:
    """Reconstruct a scan about its known axis."""
    frames = cell.frames(scan)
    optics = cell.cell.optics
    paganin = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )
    return reconstruct_slab(
        np.stack(list(frames.projections)),
        frames.flats,
        frames.darks,
        np.deg2rad(cell.scan_thetas_deg(scan)),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
        correction=Correction(phase=paganin),
    )


def true_drift(cell: SimulatedCell, scan: int, shape: tuple[int, ...]) -> RigidTransform:
    """Way of a scan from the first one."""
    drift = cell.drift(scan)
    z, y, x = shape
    return RigidTransform(
        rotation_deg=drift.rotation_deg,
        shift_px=drift.shift_px,
        centre_px=((z - 1) / 2, (y - 1) / 2, (x - 1) / 2),
    )


def simulated_pair(seed: int, *, n_angles: int | None = None) -> Pair:
    """Make the pair of a seed."""
    cell = drifting_cell(seed, n_angles=n_angles)
    fixed, moving = (reconstructed(cell, scan) for scan in (0, 1))
    return Pair(
        voxel_um=cell.voxel_um,
        fixed=fixed,
        moving=moving,
        frame=find_reference_frame(fixed, cell.voxel_um),
        true=true_drift(cell, 1, fixed.shape),
    )


def unregistrable(pair: Pair, other: Pair, seed: int) -> Iterator[tuple[str, FloatVolume]]:
    """Moving scans that have nothing to do with the first one, or hardly anything."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=pair.fixed.std(), size=pair.fixed.shape).astype(np.float32)
    yield "another cell", other.fixed
    yield "another cell later", other.moving
    yield "another place of the cell", np.ascontiguousarray(pair.moving[::-1, :, ::-1])
    yield "empty field", noise
    half = pair.fixed.shape[2] // 2
    outside = noise.copy()
    outside[:, :, half:] = pair.fixed[:, :, :half]
    yield "half outside", outside


def in_scan(frame: ReferenceFrame, way: RigidTransform) -> RigidTransform:
    """Reference frame to a later scan."""
    return composed(frame.transform, way)
