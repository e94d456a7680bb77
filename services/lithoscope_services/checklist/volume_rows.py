"""What the volume of a scan shows: axis, rings, polarity, alignment, contrast, model."""

from collections.abc import Iterator
from typing import Final

from lithoscope_messages import LabelsReady, TransformReady, VolumeReady
from lithoscope_pipeline.setup_checks import (
    check_pixel_size,
    check_polarity,
    find_cell_layers,
    measure_rings,
)
from lithoscope_services.checklist.row import CheckRow
from lithoscope_services.settings import Settings
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths

#: Rings as strong as this against the noise of a pixel pass for lithium near the axis.
_MOST_RINGS: Final = 0.25
_LEAST_CNR: Final = 1.0
_MOST_EDGE_ON_DEG: Final = 3.0
_LEAST_CONFIDENCE: Final = 0.8


def volume_rows(
    paths: ExperimentPaths, volume: VolumeReady, settings: Settings
) -> Iterator[CheckRow]:
    """Look at the reconstruction of a scan."""
    yield _axis_row(volume)
    source = StoredVolume(paths.resolve(volume.path))
    middle = source.shape[0] // 2
    rings = measure_rings(source[slice(middle, middle + 1), slice(None), slice(None)][0])
    numbers = {"rings": rings.rms, "noise": rings.noise, "ratio": rings.ratio}
    found = f"{rings.ratio:.2f} of the noise of a voxel ({rings.rms:.3g} 1/cm)"
    if rings.ratio > _MOST_RINGS:
        advice = "take more flats, or set reconstruct.rings (median, sorting, wavelet)"
        yield CheckRow(name="rings", state="warning", found=found, advice=advice, numbers=numbers)
    else:
        yield CheckRow(name="rings", state="ok", found=found, numbers=numbers)
    layers = find_cell_layers(source, volume.voxel_um)
    yield CheckRow.of(check_polarity(layers))
    known_um = settings.experiment.stack_thickness_um
    yield CheckRow.of(check_pixel_size(layers.stack_px, volume.voxel_um, known_um))
    flags = [flag for flag in volume.flags if not flag.startswith("axis_")]
    if flags:
        reasons = "; ".join(volume.coverage.reasons if volume.coverage else ())
        yield CheckRow(
            name="views", state="warning", found=reasons or ", ".join(flags), advice="scan again"
        )


def _axis_row(volume: VolumeReady) -> CheckRow:
    axis = volume.axis
    if axis is None:
        return CheckRow(name="rotation axis", state="note", found="not said")
    numbers = {
        "position_px": axis.position_px,
        "confidence": axis.confidence,
        "tilt_deg": axis.tilt_deg,
    }
    found = f"{axis.verdict} at column {axis.position_px:.2f}, tilt {axis.tilt_deg:+.3f}°"
    if axis.verdict in ("resolved", "given"):
        return CheckRow(name="rotation axis", state="ok", found=found, numbers=numbers)
    return CheckRow(
        name="rotation axis",
        state="warning",
        found=f"{found}: {axis.reason}",
        advice="scan something with edges (a wire on the cell), or set scan.rotation_axis",
        numbers=numbers,
    )


def transform_row(transform: TransformReady) -> CheckRow:
    """Say how the cell lies in the view."""
    roi = transform.roi
    size = f"{roi.z1 - roi.z0} × {roi.y1 - roi.y0} × {roi.x1 - roi.x0} voxels (z, y, x)"
    if transform.verdict == "reference":
        change = transform.edge_on_change_deg or 0.0
        found = f"edge-on angle off by {change:+.2f}°, region {size}"
        if transform.frame_flags:
            found += f"; {', '.join(transform.frame_flags)}"
        numbers = {"edge_on_change_deg": change}
        if abs(change) > _MOST_EDGE_ON_DEG:
            advice = (
                f"turn the cell, or add {change:.1f} to experiment.edge_on_deg: views near "
                "edge-on must be whole"
            )
            return CheckRow(
                name="alignment", state="warning", found=found, advice=advice, numbers=numbers
            )
        if "small_margin" in transform.frame_flags:
            advice = "the plating side has little room to swell: move the cell in the view"
            return CheckRow(
                name="alignment", state="warning", found=found, advice=advice, numbers=numbers
            )
        return CheckRow(name="alignment", state="ok", found=found, numbers=numbers)
    residual = transform.residual_px
    numbers = {} if residual is None else {"residual_px": residual}
    if transform.verdict == "unregistered":
        advice = "look for a jump of the stage; the first good scan is the reference of all"
        return CheckRow(
            name="alignment",
            state="warning",
            found=transform.reason,
            advice=advice,
            numbers=numbers,
        )
    found = f"laid over scan {transform.fixed_scan}, region {size}"
    if residual is not None:
        found += f", residual {residual:.2f} voxels"
    return CheckRow(name="alignment", state="ok", found=found, numbers=numbers)


def label_rows(labels: LabelsReady, *, is_validated: bool) -> Iterator[CheckRow]:
    """Look at contrast and labels, and whether their model was tried out on this cell."""
    cnr = labels.cnr_li_electrolyte
    if cnr is not None:
        found = f"{cnr:.2f} between lithium and electrolyte, a voxel"
        numbers = {"cnr": cnr}
        if cnr < _LEAST_CNR:
            advice = "expose longer, take more projections, or move the detector back (phase)"
            yield CheckRow(
                name="contrast to noise",
                state="warning",
                found=found,
                advice=advice,
                numbers=numbers,
            )
        else:
            yield CheckRow(name="contrast to noise", state="ok", found=found, numbers=numbers)
    found, state, advice = f"{labels.model}", "ok", ""
    if labels.confidence is not None:
        found += f", sure of its classes to {labels.confidence.mean:.2f} on average"
    if not is_validated:
        found += "; unvalidated_model: not tried out on this cell"
        advice = (
            "paint some slices and run lithoscope model fine-tune on them, or compare and name it "
            "in decide.commissioned_models; until then its rules only say what they would do"
        )
        state = "note"
    if "voxel_size_not_trained_on" in labels.flags:
        state, advice = "warning", "the network has learned from voxels of another size"
    if labels.confidence is not None and labels.confidence.mean < _LEAST_CONFIDENCE:
        state = "warning"
    yield CheckRow(
        name="model",
        state=state,  # type: ignore[arg-type] # one of the literals above
        found=found,
        advice=advice,
    )
