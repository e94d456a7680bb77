"""Reconstruct one stored scan into one volume, slab by slab."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.normalise import correct_flat_dark, minus_log
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import Backend, FourierBackend, reconstruct_slab
from lithoscope_pipeline.rotation_axis import find_rotation_axis
from lithoscope_services.errors import SourceError
from lithoscope_services.phase_choice import SaidOfScan, choose_phase_filter, halo_rows
from lithoscope_services.settings import Settings
from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.version import software_version
from lithoscope_store.volumes import create_volume, finish_volume, write_slab

# Rows that the axis is sought in: enough against noise, and few enough to stay in memory.
SAMPLE_ROWS = 32
SAMPLE_BYTES = 256 * 2**20
# Attenuation at the borders of the view, as a share of its maximum, that is no mere noise.
TRUNCATED_SHARE = 0.1
UNKNOWN_VOXEL_UM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructionPlan:
    """What is going to be done, all choices made.

    Parameters
    ----------
    first_row, last_row
        Detector rows, half open.
    slab_rows
        Rows at a time.
    rotation_axis_px, axis_verdict, axis_confidence
        Where the axis is, and how that is known (``given`` if a person said so).
    voxel_um
        Edge of a voxel.
    is_truncated
        Whether the sample is wider than the view: then grey values have an unknown offset.
    backend
        Method.
    phase
        Phase retrieval, None for none.
    warnings
        One line each, for people.
    """

    first_row: int
    last_row: int
    slab_rows: int
    rotation_axis_px: float
    axis_verdict: str
    axis_confidence: float
    voxel_um: float
    is_truncated: bool
    backend: Backend
    phase: PaganinFilter | None
    warnings: tuple[str, ...]


def plan_reconstruction(
    scan: FileScan, settings: Settings, *, first_row: int, last_row: int
) -> ReconstructionPlan:
    """Choose everything that a reconstruction needs, and find the rotation axis.

    Parameters
    ----------
    scan
        An open scan.
    settings
        A voxel size there goes before that of the file.
    first_row, last_row
        Detector rows, half open.

    Raises
    ------
    SourceError
        If no rotation axis can be found.
    ServiceError
        If phase retrieval is demanded and the distance is not known.
    """
    warnings = []
    voxel_um = settings.scan.voxel_size_um or scan.voxel_size_um
    if voxel_um is None:
        voxel_um = UNKNOWN_VOXEL_UM
        warnings.append(
            f"{scan.path}: no voxel size; took {UNKNOWN_VOXEL_UM:g} um, so lengths and grey "
            "values are off by a factor: give --voxel-um"
        )
    sample = _sample_rows(scan, first_row, last_row)
    given = settings.scan.rotation_axis
    if isinstance(given, float):
        position_px, confidence, verdict = given, 1.0, "given"
    else:
        position_px, confidence, verdict = _find_axis(scan, sample)
        if verdict == "ambiguous":
            warnings.append(
                f"{scan.path}: the rotation axis may be elsewhere than at column "
                f"{position_px:.2f}; look at the slices, or give --axis"
            )
    return ReconstructionPlan(
        first_row=first_row,
        last_row=last_row,
        slab_rows=min(settings.reconstruct.slab_rows, last_row - first_row),
        rotation_axis_px=position_px,
        axis_verdict=verdict,
        axis_confidence=confidence,
        voxel_um=voxel_um,
        is_truncated=_is_truncated(sample),
        phase=choose_phase_filter(
            settings.reconstruct,
            settings.scan,
            said=SaidOfScan(
                distance_mm=scan.distance_mm, energy_kev=scan.energy_keV, voxel_um=voxel_um
            ),
        ),
        # "auto" and "fourier" are the same as long as there is one method.
        backend=FourierBackend(extension=settings.reconstruct.padding),
        warnings=tuple(warnings),
    )


def run_reconstruction(
    scan: FileScan,
    plan: ReconstructionPlan,
    out: Path,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> dict[str, Any]:  # JSON
    """Reconstruct a scan and write it as an OME-Zarr volume.

    Parameters
    ----------
    scan
        An open scan.
    plan
        From :func:`plan_reconstruction`.
    out
        The new volume; it must not exist, and appears only when it is complete.
    on_rows
        Called with the number of rows just done.

    Returns
    -------
    dict
        What was done: ``path``, ``shape``, ``voxel_um``, ``rotation_axis_px``, ``axis_verdict``,
        ``axis_confidence``, ``backend``, ``phase``, ``n_projections``, ``duration_s``,
        ``warnings``.

    Raises
    ------
    SourceError
        If ``out`` exists, or the scan turns out to be damaged.
    PipelineError
        If the scan cannot be reconstructed, for instance for a hole in its angles.
    """
    if out.exists():
        raise SourceError(f"{out}: exists already; give another --out, or remove it")
    started_s = time.monotonic()
    n_rows, n_columns = plan.last_row - plan.first_row, scan.frame_shape[1]
    result = {
        "path": str(out),
        "source": str(scan.path),
        "shape": [n_rows, n_columns, n_columns],
        "voxel_um": plan.voxel_um,
        "rotation_axis_px": plan.rotation_axis_px,
        "axis_verdict": plan.axis_verdict,
        "axis_confidence": plan.axis_confidence,
        "backend": plan.backend.name,
        "phase": None if plan.phase is None else asdict(plan.phase),
        "n_projections": scan.n_projections,
        "first_row": plan.first_row,
        "software_version": software_version(),
        "warnings": list(plan.warnings),
    }
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(scan, plan, partial, result, on_rows)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return result | {"duration_s": time.monotonic() - started_s}


def _sample_rows(scan: FileScan, first_row: int, last_row: int) -> FloatStack:
    """Line integrals of some rows, spread evenly."""
    row_bytes = 4 * scan.n_projections * scan.frame_shape[1]
    n_rows = max(1, min(SAMPLE_ROWS, last_row - first_row, SAMPLE_BYTES // row_bytes))
    rows = slice(first_row, last_row, max(1, (last_row - first_row) // n_rows))
    return minus_log(correct_flat_dark(scan.projections(rows), scan.flats(rows), scan.darks(rows)))


def _find_axis(scan: FileScan, sample: FloatStack) -> tuple[float, float, str]:
    axis = find_rotation_axis(sample, np.deg2rad(scan.thetas_deg))
    if axis.verdict in ("flat", "border"):
        why = {
            "flat": "the projections share no structure",
            "border": "the best position lies at the end of the search range",
        }[axis.verdict]
        raise SourceError(f"{scan.path}: no rotation axis found, {why}; give --axis COLUMN")
    return axis.position_px, axis.confidence, axis.verdict


def _is_truncated(sample: FloatStack) -> bool:
    border = max(float(sample[..., :2].mean()), float(sample[..., -2:].mean()))
    return border > TRUNCATED_SHARE * float(sample.mean(axis=(0, 1)).max())


def _write(
    scan: FileScan,
    plan: ReconstructionPlan,
    path: Path,
    provenance: dict[str, Any],
    on_rows: Callable[[int], None],
) -> None:
    n_rows, n_columns = plan.last_row - plan.first_row, scan.frame_shape[1]
    create_volume(
        path,
        shape=(n_rows, n_columns, n_columns),
        voxel_um=plan.voxel_um,
        dtype="float32",
        name=scan.path.stem,
        slab_slices=plan.slab_rows,
        offset_unknown=plan.is_truncated,
        provenance=provenance,
    )
    thetas_rad = np.deg2rad(scan.thetas_deg)
    for z0 in range(0, n_rows, plan.slab_rows):
        z1 = min(z0 + plan.slab_rows, n_rows)
        rows = slice(plan.first_row + z0, plan.first_row + z1)
        needed, before, after = halo_rows(rows, scan.frame_shape[0], plan.phase)
        slab = reconstruct_slab(
            scan.projections(needed),
            scan.flats(needed),
            scan.darks(needed),
            thetas_rad,
            rotation_axis_px=plan.rotation_axis_px,
            voxel_um=plan.voxel_um,
            backend=plan.backend,
            phase=plan.phase,
            halo_rows=(before, after),
        )
        write_slab(path, z0, slab)
        on_rows(z1 - z0)
    finish_volume(path)
