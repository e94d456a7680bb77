"""From the journal to the work: the task of a complete scan, and how a running one is begun."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lithoscope_messages import AxisFinding, ScanStarted
from lithoscope_services.correction_choice import choose_correction
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.phase_choice import SaidOfScan, choose_phase_filter
from lithoscope_services.stages.inputs import edge_on_deg
from lithoscope_services.stages.reconstruct.tile_scan import correction_of

Parameters = dict[str, Any]  # JSON


def is_settled(scan: ScanHistory) -> bool:
    """Whether this scan has its volume, or was given up: no other axis will come of it."""
    return scan.volume is not None or scan.failure is not None


def axes_before(history: History, scan: int) -> dict[str, dict[str, float]]:
    """Give the rotation axis of each tile in the last scan before this one that tells it."""
    found = {}
    for each in history.in_order():
        if each.scan >= scan:
            break
        for tile, axis in _axes_of(each):
            if axis is not None and axis.verdict in ("resolved", "given"):
                found[str(tile)] = {"position_px": axis.position_px, "tilt_deg": axis.tilt_deg}
    return found


def _axes_of(scan: ScanHistory) -> list[tuple[int, AxisFinding | None]]:
    if scan.volume is None:
        return []
    if scan.volume.tiles:
        return [(each.tile, each.axis) for each in scan.volume.tiles]
    return [(0, scan.volume.axis)]


def parameters_of(history: History, scan: ScanHistory) -> Parameters:
    """Give all that the volume of a scan depends on besides its frames.

    Raises
    ------
    ServiceError
        If the scan has not started, or cannot be done as the settings demand.
    """
    if scan.started is None:
        raise ServiceError(f"scan {scan.scan} is complete without having started")
    settings, started = history.settings, scan.started
    phase = choose_phase_filter(
        settings.reconstruct,
        settings.scan,
        said=SaidOfScan(
            distance_mm=started.distance_mm,
            energy_kev=started.energy_keV,
            voxel_um=started.voxel_size_um,
        ),
    )
    flat_sets = {each.set for each in started.expected if each.kind == "flat" and each.count}
    axis = settings.scan.rotation_axis
    given_px = started.rotation_axis_px if axis == "auto" else axis
    return {
        # How much memory may be taken changes no slice.
        **settings.reconstruct.model_dump(mode="json", exclude={"memory_share"}),
        "rotation_axis_px": given_px,
        "axes_before": {} if given_px is not None else axes_before(history, scan.scan),
        "tile_overlap_rows": settings.scan.tile_overlap_rows,
        "edge_on_deg": edge_on_deg(history),
        "voxel_um": started.voxel_size_um,
        "correction": asdict(
            choose_correction(settings.reconstruct, phase=phase, n_flat_sets=len(flat_sets))
        ),
    }


def watched_scan(history: History) -> Mapping[str, Any] | None:  # JSON
    """Say how the scan that runs is begun; None if none runs.

    ``batch_reason`` says why its volume cannot be begun, if so; a preview there is in any case.
    """
    running = [scan for scan in history.in_order() if scan.completed is None]
    if not running or running[-1].started is None:
        return None
    scan, started = running[-1], running[-1].started
    unsettled = any(
        each.scan < scan.scan and each.completed is not None and not is_settled(each)
        for each in history.in_order()
    )
    try:
        parameters = parameters_of(history, scan)
    except ServiceError:
        return None  # its task will say what is wrong
    return {
        "experiment": history.experiment,
        "scan": scan.scan,
        "expected": [each.model_dump(mode="json") for each in started.expected],
        "frame_shape": list(started.frame_shape),
        "parameters": parameters,
        "memory_share": history.settings.reconstruct.memory_share,
        "angles_of": _scan_like(history, scan.scan, started),
        "batch_reason": why_batch(history, scan, parameters)
        or ("the scan before was still being reconstructed" if unsettled else ""),
    }


def why_batch(history: History, scan: ScanHistory, parameters: Parameters) -> str:
    """Say what forces the batch path whatever was begun; empty if nothing does."""
    started = scan.started
    if started is None:
        return "its beginning was not announced"
    if len({each.tile for each in started.expected}) > 1:
        return ""  # each tile is done when it is complete, whatever it needs of itself
    reason = correction_of(parameters["correction"]).why_not_causal
    if reason:
        return reason
    if parameters["rotation_axis_px"] is None and not parameters["axes_before"]:
        return "no earlier scan tells the rotation axis"
    if _scan_like(history, scan.scan, started) is None:
        return "no earlier scan of the same kind tells the angles that were to come"
    return ""


def _scan_like(history: History, scan: int, started: ScanStarted) -> int | None:
    """Give the last scan before this one that announced the same frames."""
    wanted = (started.expected, started.frame_shape)
    found = None
    for each in history.in_order():
        known = each.started
        if each.scan >= scan or each.completed is None or known is None:
            continue
        if (known.expected, known.frame_shape) == wanted:
            found = each.scan
    return found
