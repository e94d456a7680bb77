"""Earlier scans of the store as the measurement lays them over the present one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lithoscope_pipeline.measure import EarlierScans, GrowthStep, PreviousScan
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stages.measure.object_table import to_objects
from lithoscope_services.stages.measure.references import EarlierParts, place_of
from lithoscope_services.stages.measure.stored_labels import StoredLabels
from lithoscope_store import (
    Electrochemistry,
    ExperimentPaths,
    read_electrochemistry,
    read_maps,
    read_objects,
)

UNREGISTERED = "unregistered"
#: A current below this share of the largest is the noise of the cycler.
_ON_SHARE = 1e-3


def describe_laid_over(
    history: History, scan: ScanHistory, earlier: EarlierParts
) -> dict[str, Any]:  # JSON
    """Say for a task where the scans lie that one is laid over; None where that cannot be."""
    return {
        "charged": _place(scan, earlier.charged),
        "previous": _previous(history, scan, earlier.previous),
    }


def read_laid_over(
    paths: ExperimentPaths,
    places: Mapping[str, Any],
    now: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    is_refined: bool,
) -> EarlierScans:
    """Open the scans that a task names.

    Parameters
    ----------
    paths
        Of the experiment.
    places
        From `describe_laid_over`.
    now
        Place of the present scan in the cycling, from `place_of`.
    parameters
        Of the task.
    is_refined
        Whether the faces of the present scan are found to a fraction of a voxel.
    """
    charged, previous = places["charged"], places["previous"]
    return EarlierScans(
        charged=None if charged is None else _labels(paths, charged),
        previous=None
        if previous is None
        else _read_previous(paths, previous, now, parameters, is_refined=is_refined),
    )


def on_time_s(samples: Electrochemistry, first_s: float, last_s: float) -> float:
    """Give how long current flowed between two times, as the cycler has recorded it."""
    inside = (samples.time_s >= first_s) & (samples.time_s <= last_s)
    time_s, current = samples.time_s[inside], np.abs(samples.current_mA[inside])
    if len(time_s) < 2:
        return 0.0
    is_on = current > _ON_SHARE * np.abs(samples.current_mA).max()
    # A reading speaks for half the way to its neighbours.
    share = (is_on[1:].astype(np.float64) + is_on[:-1]) / 2
    return float((np.diff(time_s) * share).sum())


def _place(scan: ScanHistory, other: ScanHistory | None) -> dict[str, Any] | None:
    """Say where the labels of another scan lie, if both are laid over the first one."""
    if other is None or other.labels is None or scan.labels is None:
        return None
    flags = (*scan.labels.flags, *other.labels.flags)
    if UNREGISTERED in flags or other.labels.shape != scan.labels.shape:
        return None
    return {"path": other.labels.path, "label_name": other.labels.label_name}


def _previous(
    history: History, scan: ScanHistory, other: ScanHistory | None
) -> dict[str, Any] | None:
    place = _place(scan, other)
    if place is None or other is None or other.metrics is None:
        return None
    metrics = other.metrics
    if metrics.objects_path is None or metrics.maps_path is None:
        return None
    return {
        **place,
        **place_of(history, other),
        "maps_path": metrics.maps_path,
        "objects_path": metrics.objects_path,
    }


def _labels(paths: ExperimentPaths, place: Mapping[str, Any]) -> StoredLabels:
    return StoredLabels(paths.resolve(place["path"]), place["label_name"])


def _read_previous(
    paths: ExperimentPaths,
    place: Mapping[str, Any],
    now: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    is_refined: bool,
) -> PreviousScan:
    maps = read_maps(paths.resolve(place["maps_path"])).maps
    voxel_um = parameters["voxel_um"]
    residual_px = parameters["quality"]["registration_residual_px"][0] or 0.0
    flowed_s = on_time_s(read_electrochemistry(paths), place["time_s"], now["time_s"])
    step = GrowthStep(
        on_time_s=flowed_s,
        registration_residual_um=residual_px * voxel_um,
        is_refined=is_refined,
        voxel_um=voxel_um,
    )
    return PreviousScan(
        labels=_labels(paths, place),
        objects=to_objects(read_objects(paths.resolve(place["objects_path"]))),
        n_pulses=now["pulses"] - place["pulses"],
        heights_um={name: maps[name] for name in ("stripping_height_um", "plating_height_um")},
        step=step if flowed_s > 0 else None,
    )
