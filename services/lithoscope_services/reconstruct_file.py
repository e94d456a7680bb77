"""Reconstruct one stored scan into one volume, slab by slab."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.geometry import FloatStack, field_axis_px
from lithoscope_pipeline.reconstruct import ScanSize
from lithoscope_pipeline.rotation_axis import RotationAxis, find_rotation_axis, given_axis
from lithoscope_services.backend_plan import BackendPlan, guard, plan_backend
from lithoscope_services.correction_choice import choose_correction
from lithoscope_services.errors import SourceError
from lithoscope_services.file_rows import FileRows, fit_beam
from lithoscope_services.guarded_backend import GuardedBackend
from lithoscope_services.phase_choice import SaidOfScan, choose_phase_filter
from lithoscope_services.settings import Settings
from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.version import software_version
from lithoscope_store.volumes import create_volume, finish_volume, write_slab

# Rows that the axis is sought in: enough against noise, and few enough to stay in memory.
SAMPLE_ROWS = 64
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
    rows
        How they become line integrals.
    axis
        Where the rotation axis is, and how that is known (``given`` if a person said so).
    voxel_um
        Edge of a voxel.
    is_truncated
        Whether the sample is wider than the view: then grey values have an unknown offset.
    backend
        Method, and how many rows it gets.
    warnings
        One line each, for people.
    """

    first_row: int
    last_row: int
    rows: FileRows
    axis: RotationAxis
    voxel_um: float
    is_truncated: bool
    backend: BackendPlan
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
    PipelineError
        If the backend is not installed, or not even one row fits into memory.
    """
    warnings = []
    voxel_um = settings.scan.voxel_size_um or scan.voxel_size_um
    if voxel_um is None:
        voxel_um = UNKNOWN_VOXEL_UM
        warnings.append(
            f"{scan.path}: no voxel size; took {UNKNOWN_VOXEL_UM:g} um, so lengths and grey "
            "values are off by a factor: give --voxel-um"
        )
    correction = _choose_correction(scan, settings, voxel_um)
    sample_rows = _sample_rows(scan, first_row, last_row)
    beam = fit_beam(scan, sample_rows, correction)
    rows = FileRows(scan=scan, correction=correction, eigen_beam=beam)
    sample = rows.attenuation(sample_rows)
    given = settings.scan.rotation_axis
    axis = given_axis(given) if isinstance(given, float) else _find_axis(scan, sample)
    if axis.verdict == "ambiguous":
        warnings.append(
            f"{scan.path}: the rotation axis may be elsewhere than at column "
            f"{axis.position_px:.2f} ({axis.reason}); look at the slices, or give --axis"
        )
    upright = FileRows(
        scan=scan,
        correction=correction,
        eigen_beam=beam,
        axis=axis,
        pivot_row_px=sample_rows.start + field_axis_px(sample.shape[1]),
    )
    return ReconstructionPlan(
        first_row=first_row,
        last_row=last_row,
        rows=upright,
        axis=axis,
        voxel_um=voxel_um,
        is_truncated=_is_truncated(sample),
        backend=plan_backend(
            settings.reconstruct,
            _scan_size(scan),
            most_rows=min(settings.reconstruct.slab_rows, last_row - first_row),
            correction=correction,
            n_halo_rows=upright.n_halo_rows,
        ),
        warnings=tuple(warnings),
    )


def run_reconstruction(
    plan: ReconstructionPlan,
    out: Path,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
    on_warning: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:  # JSON
    """Reconstruct a scan and write it as an OME-Zarr volume.

    Parameters
    ----------
    plan
        From :func:`plan_reconstruction`.
    out
        The new volume; it must not exist, and appears only when it is complete.
    on_rows
        Called with the number of rows just done.
    on_warning
        Told what went otherwise than planned: less memory than there seemed to be.

    Returns
    -------
    dict
        What was done: ``path``, ``shape``, ``voxel_um``, ``rotation_axis_px``, ``axis_verdict``,
        ``axis_confidence``, ``axis_tilt_deg``, ``backend`` and why it, ``memory``, ``phase``,
        ``rings``, ``zingers``, ``flats``, ``n_projections``, ``duration_s``, ``warnings``.

    Raises
    ------
    SourceError
        If ``out`` exists, or the scan turns out to be damaged.
    PipelineError
        If the scan cannot be reconstructed, for instance for a hole in its angles.
    """
    started_s = time.monotonic()
    warnings = list(plan.warnings)

    def warn(text: str) -> None:
        warnings.append(text)
        on_warning(text)

    backend = guard(plan.backend, on_warning=warn)
    result = describe_plan(plan, out)
    write_new(out, lambda path: _write(plan, backend, path, result, on_rows))
    return result | {
        "backend": backend.name,
        "warnings": warnings,
        "duration_s": time.monotonic() - started_s,
    }


def write_new(out: Path, write: Callable[[Path], None]) -> None:
    """Write a folder under another name and give it its own when it is complete.

    Raises
    ------
    SourceError
        If there is something of that name.
    """
    if out.exists():
        raise SourceError(f"{out}: exists already; give another --out, or remove it")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        write(partial)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def describe_plan(plan: ReconstructionPlan, out: Path) -> dict[str, Any]:  # JSON
    """Say what is going to be done, for people and for the provenance of the volume."""
    scan, correction = plan.rows.scan, plan.rows.correction
    n_columns = scan.frame_shape[1]
    return {
        "path": str(out),
        "source": str(scan.path),
        "shape": [plan.last_row - plan.first_row, n_columns, n_columns],
        "voxel_um": plan.voxel_um,
        "rotation_axis_px": plan.axis.position_px,
        "axis_verdict": plan.axis.verdict,
        "axis_confidence": plan.axis.confidence,
        "axis_tilt_deg": plan.axis.tilt_deg if plan.axis.is_tilted else 0.0,
        "backend": plan.backend.choice.backend.name,
        "backend_reason": plan.backend.choice.reason,
        "memory": plan.backend.memory_reason,
        "phase": None if correction.phase is None else asdict(correction.phase),
        "rings": correction.rings,
        "zingers": correction.zinger_threshold,
        "flats": correction.flats,
        "n_projections": scan.n_projections,
        "first_row": plan.first_row,
        "software_version": software_version(),
        "warnings": list(plan.warnings),
    }


def _choose_correction(scan: FileScan, settings: Settings, voxel_um: float) -> Correction:
    phase = choose_phase_filter(
        settings.reconstruct,
        settings.scan,
        said=SaidOfScan(
            distance_mm=scan.distance_mm, energy_kev=scan.energy_keV, voxel_um=voxel_um
        ),
    )
    return choose_correction(settings.reconstruct, phase=phase, n_flat_sets=len(scan.flat_blocks))


def _sample_rows(scan: FileScan, first_row: int, last_row: int) -> slice:
    """Neighbouring rows in the middle: a tilt shows only in these."""
    row_bytes = 4 * scan.n_projections * scan.frame_shape[1]
    n_rows = max(1, min(SAMPLE_ROWS, last_row - first_row, SAMPLE_BYTES // row_bytes))
    first = first_row + (last_row - first_row - n_rows) // 2
    return slice(first, first + n_rows)


def _find_axis(scan: FileScan, sample: FloatStack) -> RotationAxis:
    axis = find_rotation_axis(sample, np.deg2rad(scan.thetas_deg))
    if axis.verdict in ("flat", "border"):
        why = {
            "flat": "the projections share no structure",
            "border": "the best position lies at the end of the search range",
        }[axis.verdict]
        raise SourceError(f"{scan.path}: no rotation axis found, {why}; give --axis COLUMN")
    return axis


def _is_truncated(sample: FloatStack) -> bool:
    border = max(float(sample[..., :2].mean()), float(sample[..., -2:].mean()))
    return border > TRUNCATED_SHARE * float(sample.mean(axis=(0, 1)).max())


def _scan_size(scan: FileScan) -> ScanSize:
    blocks = (*scan.flat_blocks, *scan.dark_blocks)
    return ScanSize(
        n_angles=scan.n_projections,
        n_columns=scan.frame_shape[1],
        size=scan.frame_shape[1],
        count_bytes=scan.projection_block.dtype.itemsize,
        n_beam_frames=sum(block.shape[0] for block in blocks),
    )


def _write(
    plan: ReconstructionPlan,
    backend: GuardedBackend,
    path: Path,
    provenance: dict[str, Any],
    on_rows: Callable[[int], None],
) -> None:
    scan = plan.rows.scan
    n_rows, n_columns = plan.last_row - plan.first_row, scan.frame_shape[1]
    slab_rows = plan.backend.slab_rows
    create_volume(
        path,
        shape=(n_rows, n_columns, n_columns),
        voxel_um=plan.voxel_um,
        dtype="float32",
        name=scan.path.stem,
        slab_slices=slab_rows,
        offset_unknown=plan.is_truncated,
        provenance=provenance,
    )
    thetas_rad = np.deg2rad(scan.thetas_deg)
    for z0 in range(0, n_rows, slab_rows):
        z1 = min(z0 + slab_rows, n_rows)
        attenuation = plan.rows.attenuation(slice(plan.first_row + z0, plan.first_row + z1))
        slab = backend.reconstruct(
            attenuation,
            thetas_rad,
            rotation_axis_px=plan.axis.position_px,
            voxel_um=plan.voxel_um,
        )
        write_slab(path, z0, slab)
        on_rows(z1 - z0)
    finish_volume(path)
