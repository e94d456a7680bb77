"""A quick look at a stored scan: a coarse volume and a picture of three slices through it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lithoscope_pipeline.binning import bin_frames, binned_px
from lithoscope_pipeline.geometry import FloatImage, FloatStack, FloatVolume
from lithoscope_services.errors import SourceError
from lithoscope_services.reconstruct_file import ReconstructionPlan, describe_plan, write_new
from lithoscope_store.volumes import create_volume, finish_volume, write_slab

#: Wide enough for the layers of a cell, and done in seconds.
MAX_COLUMNS: Final = 256
#: Line integrals in work at a time.
WORK_BYTES: Final = 128 * 2**20
SHOWN_PERCENTILES: Final = (0.5, 99.5)
GAP_PX: Final = 4
SHOWN_PX: Final = 512


def run_preview(
    plan: ReconstructionPlan,
    out: Path,
    *,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> dict[str, Any]:  # JSON
    """Reconstruct binned pixels of some of the projections.

    Pixels are binned so that at most 256 columns remain, and as many projections are left out as
    so coarse a slice does not need. All choices are those of the full reconstruction, so that
    what the picture shows, the rotation axis first of all, is what this would have.

    Parameters
    ----------
    plan
        From :func:`~lithoscope_services.reconstruct_file.plan_reconstruction`.
    out
        The new coarse volume; the picture gets the same name and the ending ``.png``.
    on_rows
        Called with the number of detector rows just read.

    Returns
    -------
    dict
        As of the full reconstruction, and ``binning`` and ``picture``.

    Raises
    ------
    SourceError
        If ``out`` or the picture exists, or the scan turns out to be damaged.
    PipelineError
        If the scan cannot be reconstructed.
    """
    started_s = time.monotonic()
    picture = out.with_suffix(".png")
    if picture.exists():
        raise SourceError(f"{picture}: exists already; give another --out, or remove it")
    scan = plan.rows.scan
    binning = _binning(plan)
    frames = enough_views(scan.thetas_deg, n_enough=2 * scan.frame_shape[1] // binning)
    attenuation = _binned_rows(plan, binning, frames, on_rows)
    backend = plan.backend.choice.fallback or plan.backend.choice.backend
    volume = backend.reconstruct(
        attenuation,
        np.deg2rad(scan.thetas_deg[frames]),
        rotation_axis_px=binned_px(plan.axis.position_px, binning),
        voxel_um=plan.voxel_um * binning,
    )
    result = describe_plan(plan, out) | {
        "shape": list(volume.shape),
        "voxel_um": plan.voxel_um * binning,
        "binning": binning,
        "n_projections": len(attenuation),
        "picture": str(picture),
    }
    write_new(out, lambda path: _write(plan, volume, path, result))
    _enlarged(draw_slices(volume)).save(picture)
    return result | {"duration_s": time.monotonic() - started_s}


def draw_slices(volume: FloatVolume) -> Image.Image:
    """Draw the three slices through the middle with one grey scale.

    The slice across the rotation axis stands at the left (y down, x right); beside it those
    through the axis, along x above and along y below (z down). Flat volumes are drawn taller.
    """
    z, y, x = (n // 2 for n in volume.shape)
    slices = [volume[z], volume[:, y], volume[:, :, x]]
    low, high = np.percentile(np.concatenate([each.ravel() for each in slices]), SHOWN_PERCENTILES)
    across, along_x, along_y = (_grey(each, float(low), float(high)) for each in slices)
    edge = across.shape[0]
    tall = max(1, (edge - GAP_PX) // 2 // max(1, volume.shape[0]))
    beside = [np.repeat(each, tall, axis=0)[: (edge - GAP_PX) // 2] for each in (along_x, along_y)]
    sheet = np.full((edge, 2 * edge + GAP_PX), 255, np.uint8)
    sheet[:, :edge] = across
    sheet[: len(beside[0]), edge + GAP_PX :] = beside[0]
    sheet[edge - len(beside[1]) :, edge + GAP_PX :] = beside[1]
    return Image.fromarray(sheet)


def enough_views(thetas_deg: NDArray[np.float64], *, n_enough: int) -> slice:
    """Leave out views that a coarse slice does not need, evenly.

    Angles in order are thinned; of others, golden or interlaced, the first cover all directions.

    Parameters
    ----------
    thetas_deg
        Angle of each projection.
    n_enough
        About as many are taken, or all if there are fewer.
    """
    steps = np.diff(thetas_deg)
    if (steps > 0.0).all() or (steps < 0.0).all():
        return slice(None, None, max(1, thetas_deg.size // n_enough))
    return slice(0, n_enough)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Show each voxel as a square of pixels, if there are few."""
    times = max(1, SHOWN_PX // picture.height)
    size = (times * picture.width, times * picture.height)
    return picture.resize(size, Image.Resampling.NEAREST)


def _binning(plan: ReconstructionPlan) -> int:
    n_columns = plan.rows.scan.frame_shape[1]
    # A run of few rows must not vanish in one square of pixels.
    return max(1, min(-(-n_columns // MAX_COLUMNS), plan.last_row - plan.first_row))


def _binned_rows(
    plan: ReconstructionPlan, binning: int, frames: slice, on_rows: Callable[[int], None]
) -> FloatStack:
    """Read and bin a few rows after the other, shape (angle, row, column)."""
    scan = plan.rows.scan
    n_angles = len(range(scan.n_projections)[frames])
    row_bytes = 4 * n_angles * scan.frame_shape[1] * binning
    step = binning * max(1, WORK_BYTES // row_bytes)
    last = plan.first_row + (plan.last_row - plan.first_row) // binning * binning
    parts = []
    for first in range(plan.first_row, last, step):
        rows = slice(first, min(first + step, last))
        parts.append(bin_frames(plan.rows.attenuation(rows, frames=frames), binning))
        on_rows(rows.stop - rows.start)
    return np.concatenate(parts, axis=1)


def _write(
    plan: ReconstructionPlan, volume: FloatVolume, path: Path, provenance: dict[str, Any]
) -> None:
    create_volume(
        path,
        shape=(volume.shape[0], volume.shape[1], volume.shape[2]),
        voxel_um=provenance["voxel_um"],
        dtype="float32",
        name=f"{plan.rows.scan.path.stem} (preview)",
        slab_slices=volume.shape[0],
        offset_unknown=plan.is_truncated,
        provenance=provenance,
    )
    write_slab(path, 0, volume)
    finish_volume(path)


def _grey(image: FloatImage, low: float, high: float) -> NDArray[np.uint8]:
    scaled = (image - low) * (255.0 / max(high - low, 1e-6))
    return np.clip(scaled, 0.0, 255.0).astype(np.uint8)
