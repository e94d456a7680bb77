"""What the live page shows beside the tiles: scans, progress, preview, deadline. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.deadline import Deadline
from lithoscope_dashboard.model import ExperimentState, ScanState
from lithoscope_dashboard.palette import CLASSES
from lithoscope_dashboard.quantities import duration_text
from lithoscope_messages import ReconstructionPreview

Component = Any  # Dash ships no types


def class_table() -> list[dict[str, Any]]:
    """Classes as the viewer needs them: number, letter, colour, weight, ink that reads on it."""
    return [
        {
            "value": each.value,
            "key": each.key,
            "name": each.name,
            "letter": each.letter,
            "rgb": each.rgb,
            "alpha": each.alpha,
            "css": each.css,
            "ink": "#ffffff" if each.key == "stripping_electrode" else "#000000",
        }
        for each in CLASSES
    ]


def live_source(state: ExperimentState | None) -> dict[str, Any]:
    """Say which scans there are and what of them can be looked at."""
    scans = () if state is None else state.in_order
    # Looked at by itself is the newest with labels: a fresh reconstruction would else hide them
    # for as long as its segmentation takes.
    labelled = [scan.scan for scan in scans if scan.picture and scan.picture.label_name]
    pictured = [scan.scan for scan in scans if scan.picture]
    return {
        "experiment": None if state is None else state.name,
        "newest": max(labelled or pictured, default=None),
        "samples": 0 if state is None else len(state.charges),
        "scans": [scan_source(scan) for scan in scans],
    }


def scan_source(scan: ScanState) -> dict[str, Any]:
    """Say of one scan what the viewer and the timeline need."""
    state, note = scan_note(scan)
    found: dict[str, Any] = {
        "scan": scan.scan,
        "time_s": scan.time_s,
        "state": state,
        "note": note,
        "token": None,
        "labels": False,
    }
    if scan.picture is not None:
        found |= {
            "token": scan.picture.token,
            "labels": scan.picture.label_name is not None,
            "shape": scan.picture.shape,
            "voxel_um": scan.picture.voxel_um,
        }
    return found


def scan_note(scan: ScanState) -> tuple[str, str]:
    """Say in a word, and for people, how a scan went."""
    where = f"cycle {scan.phase.cycle}, pulse {scan.phase.pulse}"
    failed = [name for name, stage in scan.stages.items() if stage.status == "failed"]
    if failed:
        return "failed", f"{where}; {', '.join(failed)} failed"
    missing = scan.anomalies.get("missing", 0)
    if missing:
        return "incomplete", f"{where}; {missing} frames missing"
    if scan.registration == "unregistered":
        return "incomplete", f"{where}; not registered"
    if scan.completed_ns is None and not scan.metrics:
        return "running", f"{where}; being taken"
    if not scan.metrics:
        return "waiting", f"{where}; being worked on"
    return "ok", where


def preview_pictures(snapshot: Snapshot) -> list[Component]:
    """Show what is seen of the running scan so far; nothing once its volume is there."""
    preview, state = snapshot.preview, snapshot.experiment
    if preview is None or state is None or preview.experiment != state.name:
        return []
    scan = state.scans.get(preview.scan)
    if scan is None or scan.picture is not None:
        return []
    return [
        html.Div(
            [_preview_picture(preview, axis) for axis in ("z", "y", "x")], className="previews"
        ),
        html.Div(_preview_words(preview), className="small muted"),
    ]


def _preview_picture(preview: ReconstructionPreview, axis: str) -> Component:
    address = f"/api/v1/preview/{preview.experiment}/{preview.scan}/{axis}.png"
    return html.Img(
        src=f"{address}?t={preview.time_ns}", alt=f"Preview of scan {preview.scan}, {axis}"
    )


def _preview_words(preview: ReconstructionPreview) -> str:
    filled = f", {preview.views_filled} from the scan before" if preview.views_filled else ""
    return (
        f"Preview: {preview.views_used} of {preview.views_expected} views{filled}; "
        f"{preview.voxel_um:.3g} µm voxels. Nothing is measured in it."
    )


def deadline_card(deadline: Deadline) -> list[Component]:
    """Show the time that is left before the next pulse, and whether we will make it."""
    words = {
        "none": "no deadline",
        "in time": "will be made",
        "tight": "tight",
        "late": "will be missed",
        "made": "made",
        "missed": "missed",
    }[deadline.outlook]
    left = "–" if deadline.left_s is None else duration_text(float(round(deadline.left_s)))
    return [
        html.Div(
            [
                html.Span(left, id="deadline-left", className="deadline-left number"),
                html.Span(words, id="deadline-outlook", className="pill"),
            ],
            className="bar-head",
        ),
        html.Div(deadline.text, id="deadline-text", className="small"),
    ]
