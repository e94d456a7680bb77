"""An experiment with pictures whose numbers are known: a dendrite that grows towards the anode.

Layers across y: stripping electrode 4 to 13, electrolyte 14 to 45, plating electrode 46 to 55.
One dendrite stands on the plating electrode at z 8, x 20: the gap there is (32 - height) voxels.
"""

import time
from typing import Any

import numpy as np
from dashboard_instance import NAME, SHA, Instance

from lithoscope_pipeline.labels import Label
from lithoscope_services.stages.measure.surfaces import mesh_labels
from lithoscope_store import ElectrochemistryWriter, LabelClass, volumes, write_maps

SHAPE = (16, 60, 40)
VOXEL_UM = 2.0
HEIGHTS = (4, 16, 10)  # of the dendrite in each scan, voxels: scan 1 has the smallest gap
Z, X = 8, 20
SAMPLE = "<script>window.wasRun = true</script>"
LIMIT_UM = 40.0
TIMEOUT_S = 600.0
# Left of x 20 the current density is less than what is told from nothing.
CURRENT, CURRENT_LIMIT = "plating_current_density_mA_cm2", "plating_current_limit_mA_cm2"
SMALL_MA_CM2, LIMIT_MA_CM2 = 0.25, 0.5
RULE = {"id": "gap", "metric": "remaining_gap_um", "set_value": LIMIT_UM, "reset_value": 60.0}


def gap_um(scan: int) -> float:
    """Electrolyte between the tip of the dendrite and the other electrode, µm."""
    return VOXEL_UM * (32 - HEIGHTS[scan])


def labels_of(scan: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Labels of a scan, (z, y, x)."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 4:14] = Label.STRIPPING_ELECTRODE
    labels[:, 14:46] = Label.ELECTROLYTE
    labels[:, 46:56] = Label.PLATING_ELECTRODE
    labels[Z - 1 : Z + 2, 46 - HEIGHTS[scan] : 46, X - 1 : X + 2] = Label.DENDRITE
    return labels


def begin(instance: Instance) -> None:
    """Start the experiment and let current flow for two hours."""
    settings = {"plan": {"verdict_timeout_s": TIMEOUT_S}, "rules": [RULE]}
    description = {"sample": SAMPLE, "n_scans": 4, "active_area_cm2": 0.5}
    instance.append(
        {
            **{"type": "ExperimentStarted", "role": "ingest", "key": "begin"},
            **{"description": description, "settings": settings, "format_version": 1},
        }
    )
    time_s = np.arange(0.0, 7200.0, 60.0)
    current_mA = np.where(time_s % 1800 < 600, 0.75, 0.0)  # noqa: N806 - the unit is mA
    writer = ElectrochemistryWriter(instance.paths)
    writer.append(0, time_s, 0.1 * current_mA, current_mA)
    instance.append(
        {
            **{"type": "ElectrochemistryAppended", "role": "ingest", "key": "samples"},
            **{"first": 0, "count": time_s.size, "time_s": 7140.0, "charge_mAh": 0.5},
        }
    )


def add(instance: Instance, scan: int, *, missing: int = 0) -> None:
    """Store volume, labels, maps and surfaces of a scan, and say all there is to say of it."""
    volume = _store_volume(instance, scan)
    maps = _store_maps(instance, scan)
    folder = instance.paths.meshes(scan, f"{scan:064d}")
    entries = mesh_labels(volume, "cell", folder, scan=scan)
    now_ns = time.time_ns()
    phase = {"experiment_time_s": 1800.0 * scan, "pulse": 2 * scan, "next_current_mA": 0.75}
    account = {"sets": [], "missing": missing, "completeness": 1.0}
    common: dict[str, Any] = {"scan": scan, "work_key": SHA}
    instance.append(
        {
            **{"type": "ScanStarted", "role": "ingest", "key": f"scan:{scan}", "scan": scan},
            **{"expected": [{"kind": "projection", "count": 90}], "frame_shape": (4, 4)},
            **{"dtype": "uint16", "voxel_size_um": VOXEL_UM, "phase": phase},
        },
        {
            **{"type": "ScanCompleted", "role": "ingest", "key": f"done:{scan}", "scan": scan},
            **{"reason": "scan_end", "account": account, "frames_sha256": SHA},
        },
        {
            **{"type": "LabelsReady", "role": "segment", "key": f"labels:{scan}", **common},
            **{"path": instance.paths.relative(volume), "shape": SHAPE, "voxel_um": VOXEL_UM},
            **{"sha256": f"{scan + 1:x}" * 64, "model": "test"},
        },
        {
            **{"type": "MetricsReady", "role": "measure", "key": f"metrics:{scan}", **common},
            **{"experiment_time_s": 1800.0 * scan, "charge_mAh": 0.125 * scan},
            **{"cycle": 0, "half_cycle": 0, "completeness": 1.0, "metrics": metrics_of(scan)},
            "maps_path": maps,
        },
        {
            **{"type": "SurfacesReady", "role": "measure", "key": f"surfaces:{scan}", **common},
            "path": instance.paths.relative(folder),
            "triangles": {entry["class"]: entry["triangles"] for entry in entries},
        },
        {
            **{"type": "ScanDecided", "role": "decide", "key": f"decided:{scan}", "scan": scan},
            **{"verdict": "continue", "rules_evaluated": [], "time_ns": now_ns + 10**9},
        },
    )


def metrics_of(scan: int) -> dict[str, dict[str, Any]]:
    """Metrics of a scan, from the geometry."""
    gap = gap_um(scan)
    dendrite_um3 = 9 * HEIGHTS[scan] * VOXEL_UM**3
    bare: dict[str, Any] = {"flags": ["interval_not_modelled"]}
    return {
        "remaining_gap_um": {
            **{"value": gap, "unit": "um", "low95": gap - 3.0, "high95": gap + 5.0},
            "voxels": 1200,
        },
        "dendrite_volume_um3": {"value": dendrite_um3, "unit": "um3", **bare},
        "plating_side_thickness_um": {"value": 20.0, "unit": "um", **bare},
        "area_seen_fraction": {"value": 0.138, "unit": "1", **bare},
    }


def _store_volume(instance: Instance, scan: int) -> Any:  # a path
    volume = instance.paths.volume(scan, f"{scan:064d}")
    info = volumes.create_volume(volume, shape=SHAPE, voxel_um=VOXEL_UM, name=NAME)
    classes = tuple(LabelClass(each.value, each.key, (200, 100, 50, 255)) for each in Label)
    volumes.create_labels(volume, "cell", classes)
    labels = labels_of(scan)
    noise = np.random.default_rng(scan).normal(0.0, 0.05, SHAPE).astype(np.float32)
    grey = np.where(labels == Label.ELECTROLYTE, np.float32(0.3), np.float32(0.6)) + noise
    for z0 in range(0, SHAPE[0], info.slab_slices):
        volumes.write_slab(volume, z0, grey[z0 : z0 + info.slab_slices])
        volumes.write_slab(volume, z0, labels[z0 : z0 + info.slab_slices], label="cell")
    volumes.finish_volume(volume)
    return volume


def _store_maps(instance: Instance, scan: int) -> str:
    gap = np.full((SHAPE[0], SHAPE[2]), 64.0, np.float32)
    gap[Z, X] = gap_um(scan)
    gap[:, 0] = np.nan
    current = np.full(gap.shape, 1.5, np.float32)
    current[:, :X] = SMALL_MA_CM2
    current[:, 0] = np.nan
    limit = np.where(np.isnan(current), np.nan, np.float32(LIMIT_MA_CM2))
    maps = {"remaining_gap_um": gap, CURRENT: current, CURRENT_LIMIT: limit}
    units = {"remaining_gap_um": "um", CURRENT: "mA/cm2", CURRENT_LIMIT: "mA/cm2"}
    path = instance.paths.maps(scan, f"{scan:064d}")
    write_maps(path, maps, VOXEL_UM, units)
    return instance.paths.relative(path)
