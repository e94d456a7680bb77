"""Volumes of others into an experiment: it enters where reconstruction would have ended."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentStarted,
    JournalMessage,
    ScanAccount,
    ScanCompleted,
    ScanPhase,
    ScanStarted,
    SlabReady,
    VolumeReady,
)
from lithoscope_services.descriptions import complete_experiment
from lithoscope_services.electrochemistry import CyclerRecord, store_samples
from lithoscope_services.hindsight.series import (
    Reading,
    SeriesVolume,
    open_volume,
)
from lithoscope_services.history import History
from lithoscope_services.settings import Settings
from lithoscope_services.stage import json_sha256
from lithoscope_store import (
    FORMAT_VERSION,
    ExperimentPaths,
    JournalDatabase,
    create_volume,
    finish_volume,
    write_slab,
)

#: Raised when equal files may give another volume.
ALGORITHM_VERSION = 1
FLAG = "reconstructed_elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Volumes of one cell, and what is known of its cycling.

    Parameters
    ----------
    volumes
        In the order of their numbers.
    reading
        How they are turned into ours.
    voxel_um
        Edge of a voxel.
    phases
        Where each scan stands in the cycling.
    record
        Of the cycler; None without.
    """

    volumes: Sequence[SeriesVolume]
    reading: Reading
    voxel_um: float
    phases: Mapping[int, ScanPhase]
    record: CyclerRecord | None


def begin_experiment(
    series: Series, settings: Settings, paths: ExperimentPaths, database: JournalDatabase
) -> None:
    """Write how the experiment begins; a second time writes nothing."""
    said = ExperimentDescription(source="volumes", n_scans=len(series.volumes))
    facts: list[JournalMessage] = [
        ExperimentStarted(
            **_common(paths, paths.name),
            description=complete_experiment(said, settings),
            settings=settings.model_dump(mode="json"),
            format_version=FORMAT_VERSION,
        )
    ]
    if series.record is not None:
        times_s = [phase.experiment_time_s for phase in series.phases.values()]
        facts += store_samples(paths, series.record, times_s, producer="ingest")
    database.append(facts)


def take_volume(
    series: Series,
    volume: SeriesVolume,
    settings: Settings,
    paths: ExperimentPaths,
    history: History,
    on_slices: Callable[[int], None] = lambda _n: None,
) -> list[JournalMessage]:
    """Copy a volume into the store, and give the facts that let the stages go on from it.

    Parameters
    ----------
    series, volume
        Which one.
    settings
        Of the experiment: the height of slabs.
    paths
        Where to.
    history
        A scan that stands there with its volume is left.
    on_slices
        Told the slices that were copied.

    Returns
    -------
    list
        Facts to be appended; empty if it was taken before.
    """
    known = history.scans.get(volume.scan)
    if known is not None and known.volume is not None:
        return []
    with open_volume(volume, series.reading) as file:
        source_sha256 = file.sha256()
        parameters = {"voxel_um": series.voxel_um, "time": volume.time, **asdict(series.reading)}
        # With the number: two scans may be the same file twice, and are two scans.
        key = json_sha256(["volumes", ALGORITHM_VERSION, volume.scan, source_sha256, parameters])
        path = paths.reconstruction(volume.scan, key)
        # Shards are cut into chunks of eight slices and more.
        slab = max(8, settings.reconstruct.slab_rows // 8 * 8)
        create_volume(
            path,
            shape=file.shape,
            voxel_um=series.voxel_um,
            name=f"scan {volume.scan}, reconstructed elsewhere",
            slab_slices=slab,
            unit="",
            offset_unknown=True,
            provenance={
                "work_key": key,
                "source": volume.path.name,
                "missing_slices": list(volume.missing),
                "noise_ratio": round(volume.noise_ratio, 4),
            },
        )
        digests = {}
        for z0 in range(0, file.shape[0], min(slab, file.shape[0])):
            z1 = min(z0 + slab, file.shape[0])
            digests[z0] = write_slab(path, z0, file.slab(z0, z1))
            on_slices(z1 - z0)
        finish_volume(path)
    made: dict[str, Any] = {
        "scan": volume.scan,
        "inputs": (source_sha256,),
        "parameters_sha256": json_sha256(parameters),
        "algorithm_version": ALGORITHM_VERSION,
        "stage": "reconstruct",
        "work_key": key,
        "path": paths.relative(path),
    }
    slabs = [
        SlabReady(
            **_common(paths, f"{key}:{z0}"),
            **made,
            z0=z0,
            z1=min(z0 + slab, file.shape[0]),
            sha256=digest,
        )
        for z0, digest in digests.items()
    ]
    ready = VolumeReady(
        **_common(paths, key),
        **made,
        shape=file.shape,
        voxel_um=series.voxel_um,
        sha256=hashlib.sha256("".join(digests.values()).encode()).hexdigest(),
        backend="elsewhere",
        flags=_flags(volume),
    )
    return [*_scan_facts(series, volume, paths, source_sha256), *slabs, ready]


def _flags(volume: SeriesVolume) -> tuple[str, ...]:
    flags = (FLAG, "slices_missing") if volume.missing else (FLAG,)
    return (*flags, "noisy") if volume.is_noisy else flags


def _scan_facts(
    series: Series, volume: SeriesVolume, paths: ExperimentPaths, source_sha256: str
) -> list[JournalMessage]:
    n_z, _, n_x = volume.shape
    number = str(volume.scan)
    started = ScanStarted(
        **_common(paths, number),
        scan=volume.scan,
        expected=(),
        frame_shape=(n_z, n_x),
        dtype="float32",
        voxel_size_um=series.voxel_um,
        phase=series.phases[volume.scan],
        origin=str(volume.path)[-512:],
    )
    # Slices stand in for projections: what share of the volume was measured.
    n_slices = n_z if series.reading.through != "z" else volume.shape[1]
    completed = ScanCompleted(
        **_common(paths, number),
        scan=volume.scan,
        reason="scan_end",
        account=ScanAccount(
            sets=(),
            missing=len(volume.missing),
            completeness=1 - len(volume.missing) / n_slices,
        ),
        frames_sha256=source_sha256,
    )
    return [started, completed]


def _common(paths: ExperimentPaths, key: str) -> dict[str, Any]:
    return {
        "experiment": paths.name,
        "key": key,
        "time_ns": time.time_ns(),
        "producer": "ingest",
    }
