"""Register one stored volume to another."""

import time
from pathlib import Path
from typing import Any

from lithoscope_pipeline.reference_frame import find_reference_frame
from lithoscope_pipeline.register import (
    GROWTH_UM,
    BlockPlan,
    Field,
    Registration,
    RegistrationLimits,
    RigidTransform,
    Spans,
    read_comparison,
    spans_of_planes,
)
from lithoscope_services.errors import SourceError
from lithoscope_services.settings import Settings
from lithoscope_services.stages.register_pair import engine_named
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store.volumes import volume_info

CONVENTION = (
    "with points as columns (x, y, z), moving = R (fixed - centre) + centre + shift, "
    "R = Rz Rx Ry: right-handed, first about y, then x, then z; centre and shift in "
    "voxels of the finest level, voxel centres are integers from 0"
)
_MIN_SLICE_PX = 16


def register_files(
    fixed: Path, moving: Path, settings: Settings, *, is_whole: bool = False
) -> dict[str, Any]:  # JSON
    """Find how one volume lies against another.

    In layered cells only what does not move with the lithium is compared, otherwise everything
    inside the circle that a scan sees.

    Parameters
    ----------
    fixed, moving
        Volumes of equal shape and voxel size, grey values.
    settings
        The table ``register``.
    is_whole
        Compare everything even if the layers of a cell are found.

    Returns
    -------
    dict
        ``verdict`` (resolved, unregistered), ``reasons``, ``rotation_deg``, ``shift_px`` and
        ``shift_um`` by axis, ``centre_px``, ``convention``, ``residual_px``, ``uncertainty_px``,
        ``texture_score``, ``correlation``, ``overlap``, ``compared``, ``engine``, ``bytes_read``,
        ``duration_s``. An unregistered transform is the best guess.

    Raises
    ------
    SourceError
        If the volumes differ in shape or voxel size.
    """
    started_s = time.monotonic()
    infos = [volume_info(path) for path in (fixed, moving)]
    for name in ("shape", "voxel_um"):
        values = [getattr(info, name) for info in infos]
        if values[0] != values[1]:
            raise SourceError(
                f"{moving}: {name} is {values[1]}, that of {fixed} {values[0]}; only volumes of "
                "one grid can be registered"
            )
    voxel_um, volumes = infos[0].voxel_um, [StoredVolume(path) for path in (fixed, moving)]
    plan, compared = _plan(volumes[0], voxel_um, settings, is_whole=is_whole)
    comparison = read_comparison(plan, volumes[0], volumes[1])
    limits = RegistrationLimits(residual_px=settings.registration.residual_limit_px)
    found = engine_named(settings.registration.engine).register(comparison, limits=limits)
    return {
        "fixed": str(fixed),
        "moving": str(moving),
        **_as_json(found, voxel_um),
        "compared": compared,
        "bytes_read": sum(pair.fixed.nbytes + pair.moving.nbytes for pair in comparison.pairs),
        "duration_s": time.monotonic() - started_s,
    }


def _plan(
    volume: StoredVolume, voxel_um: float, settings: Settings, *, is_whole: bool
) -> tuple[BlockPlan, str]:
    n_z, n_y, n_x = volume.shape
    in_place = RigidTransform(centre_px=((n_z - 1) / 2, (n_y - 1) / 2, (n_x - 1) / 2))
    whole = (0.0, float(n_y - 1))
    frame, spans, compared = in_place, Spans(stays_y_px=whole), "everything"
    if not is_whole and min(n_y, n_x) >= _MIN_SLICE_PX:
        found = find_reference_frame(volume, voxel_um)
        if found.verdict == "resolved":
            frame, spans = found.transform, spans_of_planes(found.planes_px, whole)
            compared = "stationary electrode and what moves with the other one"
    registration = settings.registration
    plan = BlockPlan(
        shape=(n_z, n_y, n_x),
        frame=frame,
        spans=spans,
        field=_field(n_y, n_x),
        max_shift_px=registration.max_shift_px,
        max_lift_px=0.0 if spans.lifts_y_px is None else GROWTH_UM / voxel_um,
        max_bytes=registration.max_bytes,
    )
    return plan, compared


def _field(n_y: int, n_x: int) -> Field:
    if n_y == n_x:
        return Field.of_slices(n_y, n_x)
    return Field(axis_px=((n_y - 1) / 2, (n_x - 1) / 2), radius_px=float(n_y + n_x))


def _as_json(found: Registration, voxel_um: float) -> dict[str, Any]:
    transform, evidence = found.best_guess, found.evidence
    axes = ("z", "y", "x")
    return {
        "verdict": "resolved" if found.is_resolved else "unregistered",
        "reasons": list(found.reasons),
        "rotation_deg": dict(zip(axes, transform.rotation_deg, strict=True)),
        "shift_px": dict(zip(axes, transform.shift_px, strict=True)),
        "shift_um": {
            axis: value * voxel_um for axis, value in zip(axes, transform.shift_px, strict=True)
        },
        "centre_px": dict(zip(axes, transform.centre_px, strict=True)),
        "convention": CONVENTION,
        "residual_px": evidence.residual_px,
        "uncertainty_px": evidence.uncertainty_px,
        "texture_score": evidence.texture_score,
        "correlation": evidence.correlation,
        "overlap": evidence.overlap,
        "engine": found.engine,
        "voxel_um": voxel_um,
    }
