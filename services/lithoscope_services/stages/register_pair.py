"""Lay a scan over the one before it, and over the first one, by a few sub-volumes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lithoscope_messages import RoiVoxels
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.register import (
    GROWTH_UM,
    BlockPlan,
    Field,
    GaussNewtonEngine,
    Registration,
    RegistrationEngine,
    RegistrationLimits,
    RigidTransform,
    SimpleItkEngine,
    composed,
    corners_of,
    inverse,
    place_scan,
    read_comparison,
    spans_of_planes,
)
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_services.errors import ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A scan that another one is compared with, and where it lies in the reference frame.

    Parameters
    ----------
    scan, volume
        Its number, and its voxels.
    transform
        Reference frame to the scan.
    lift_px
        How far the plating side has moved out since the first scan, voxels.
    """

    scan: int
    volume: VolumeSource
    transform: RigidTransform
    lift_px: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPair:
    """A scan, and what it is laid over.

    Parameters
    ----------
    scan, moving
        Number and volume of the scan.
    first, previous
        The scan that sets the frame, and the last one before that was registered; maybe the same.
    roi, planes_px
        Region, and the six planes along y of the first scan, in the reference frame.
    voxel_um
        Edge of a voxel.
    """

    scan: int
    moving: VolumeSource
    first: Way
    previous: Way
    roi: RoiVoxels
    planes_px: tuple[float, ...]
    voxel_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlace:
    """Where a scan lies, as in ``TransformReady``; ``reason`` is empty if it is believed."""

    transform: RigidTransform
    fixed_scan: int
    reason: str
    engine: str
    is_anchored: bool
    closure_px: float | None
    uncertainty_px: float | None
    texture_score: float | None


def place_in_frame(pair: ScanPair, settings: Mapping[str, Any]) -> FoundPlace:
    """Register a scan to the previous one, and to the first one if asked or if that fails.

    Parameters
    ----------
    pair
        The scans.
    settings
        ``engine``, ``max_shift_px``, ``residual_limit_px``, ``max_bytes`` as in the settings, and
        ``is_anchor_due``.

    Raises
    ------
    ServiceError
        If the scans differ in shape.
    """
    is_second = pair.previous.scan == pair.first.scan
    step = None if is_second else _register(pair, pair.previous, settings, start=None)
    anchor = None
    if is_second or settings["is_anchor_due"] or step is None or not step.is_resolved:
        anchor = _register(pair, pair.first, settings, start=_start(pair, step))
    roi = Roi(**pair.roi.model_dump())
    placed = place_scan(
        pair.previous.transform,
        step,
        anchor,
        first=pair.first.transform,
        corners_px=corners_of(roi.shape, (roi.z0, roi.y0, roi.x0)),
        closure_limit_px=settings["residual_limit_px"],
    )
    used = anchor if anchor is not None and (placed.is_anchored or step is None) else step
    return FoundPlace(
        transform=placed.transform,
        fixed_scan=pair.first.scan if placed.is_anchored or step is None else pair.previous.scan,
        reason="; ".join(placed.reasons)[:300],
        engine="" if used is None else used.engine,
        is_anchored=placed.is_anchored,
        closure_px=placed.closure_px,
        uncertainty_px=None if used is None else used.evidence.uncertainty_px,
        texture_score=None if used is None else used.evidence.texture_score,
    )


def _start(pair: ScanPair, step: Registration | None) -> RigidTransform:
    """First scan to where this one is thought to be."""
    near = pair.previous.transform
    if step is not None and step.is_resolved:
        near = composed(near, step.transform)
    return composed(inverse(pair.first.transform), near)


def _register(
    pair: ScanPair, fixed: Way, settings: Mapping[str, Any], *, start: RigidTransform | None
) -> Registration:
    shape = fixed.volume.shape
    if pair.moving.shape != shape:
        raise ServiceError(
            f"scan {pair.scan} has shape {pair.moving.shape}, scan {fixed.scan} {shape}; "
            "keep detector region and binning through an experiment"
        )
    n_z, n_y, n_x = shape
    plan = _block_plan(pair, fixed, settings, (n_z, n_y, n_x))
    comparison = read_comparison(plan, fixed.volume, pair.moving, start=start)
    return engine_named(settings["engine"]).register(
        comparison,
        start=start,
        limits=RegistrationLimits(residual_px=settings["residual_limit_px"]),
    )


def engine_named(name: str) -> RegistrationEngine:
    """Give the engine of a name of the settings."""
    return SimpleItkEngine() if name == "simpleitk" else GaussNewtonEngine()


def _block_plan(
    pair: ScanPair, fixed: Way, settings: Mapping[str, Any], shape: tuple[int, int, int]
) -> BlockPlan:
    whole = (float(pair.roi.y0), float(pair.roi.y1 - 1))
    return BlockPlan(
        shape=shape,
        frame=fixed.transform,
        spans=spans_of_planes(pair.planes_px, whole, lift_px=fixed.lift_px),
        field=Field.of_slices(shape[1], shape[2]),
        max_shift_px=settings["max_shift_px"],
        max_lift_px=GROWTH_UM / pair.voxel_um,
        max_bytes=settings["max_bytes"],
    )
