"""A whole sealed experiment of two scans, made by the store alone in a second."""

import getpass
import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import (
    ElectrochemistryAppended,
    ExpectedCount,
    ExperimentDescription,
    ExperimentEnded,
    ExperimentStarted,
    FrameHeader,
    FrameKind,
    JournalMessage,
    LabelsReady,
    MetricsReady,
    MetricValue,
    ScanAccount,
    ScanCompleted,
    ScanDecided,
    ScanPhase,
    ScanStarted,
    SetAccount,
    SlabReady,
    VolumeReady,
)
from lithoscope_services.settings import Settings
from lithoscope_store import (
    ElectrochemistryWriter,
    ExperimentPaths,
    FrameReader,
    FrameWriter,
    JournalDatabase,
    LabelClass,
    Store,
    array_sha256,
    create_labels,
    create_volume,
    finish_volume,
    write_manifest,
    write_maps,
    write_slab,
)
from lithoscope_store.checksums import crc32c
from lithoscope_store.volumes import volume_sha256

ROWS, COLUMNS, N_VIEWS, N_SCANS = 8, 24, 12, 2
BEGIN_NS = 1_700_000_000 * 10**9
SHAPE = (8, 16, 20)
VOXEL_UM = 4.5
LOST = 5
SETS: tuple[tuple[FrameKind, int], ...] = (("dark", 2), ("flat", 2), ("projection", N_VIEWS))
PERSON = getpass.getuser()


def make_experiment(
    store: Store, name: str = "cell-1", *, n_scans: int = N_SCANS, is_sealed: bool = True
) -> ExperimentPaths:
    """Write frames, volumes, labels, maps, samples, documents, truth and journal."""
    paths = store.experiment(name)
    paths.create()
    messages: list[JournalMessage] = [_started(name, n_scans)]
    with JournalDatabase(paths.journal, name, clock=_clock()) as journal:
        for scan in range(n_scans):
            messages += _scan_facts(paths, scan)
        if is_sealed:
            messages.append(ExperimentEnded(**_common(name, name, at_s=1000.0), n_scans=n_scans))
        journal.append(messages)
        paths.truth.mkdir()
        (paths.truth / "truth.json").write_text(json.dumps({"experiment": name}))
        _write_documents(paths, n_scans)
        if is_sealed:
            journal.seal()
            write_manifest(paths)
    return paths


def _clock() -> Callable[[], int]:
    """Make a clock that goes on by a second each time it is looked at."""
    return partial(next, count(BEGIN_NS, 10**9))


def _common(name: str, key: str, *, at_s: float) -> dict[str, Any]:
    return {
        "experiment": name,
        "key": key,
        "time_ns": BEGIN_NS + round(at_s * 1e9),
        "producer": "ingest",
    }


def _started(name: str, n_scans: int) -> ExperimentStarted:
    settings = Settings()
    settings = settings.model_copy(
        update={"experiment": settings.experiment.model_copy(update={"name": name})}
    )
    return ExperimentStarted(
        **_common(name, name, at_s=0.0),
        description=ExperimentDescription(n_scans=n_scans, sample="a rod"),
        settings=settings.model_dump(mode="json"),
        format_version=1,
    )


def _scan_facts(paths: ExperimentPaths, scan: int) -> list[JournalMessage]:
    """Write all of a scan, and give the facts that say so."""
    name, at_s = paths.name, 10.0 + 100.0 * scan
    added = ElectrochemistryWriter(paths).append(
        10 * scan, np.arange(10.0) + 10 * scan, np.full(10, 3.5), np.full(10, 0.75)
    )
    if added is None:
        raise ValueError("the samples of this scan are there already")
    write_frames(paths, scan, at_s)
    phase = ScanPhase(experiment_time_s=9.0 + 10 * scan)
    return [
        ElectrochemistryAppended(
            **_common(name, str(10 * scan), at_s=at_s - 5),
            first=10 * scan,
            count=10,
            time_s=added.time_s,
            charge_mAh=added.charge_mAh,
        ),
        ScanStarted(
            **_common(name, str(scan), at_s=at_s),
            scan=scan,
            expected=tuple(ExpectedCount(kind=kind, count=count) for kind, count in SETS),
            frame_shape=(ROWS, COLUMNS),
            dtype="uint16",
            voxel_size_um=VOXEL_UM,
            energy_keV=27.5,
            phase=phase,
            origin=f"run {scan}",
        ),
        _completed(paths, scan, _common(name, str(scan), at_s=at_s + 30)),
        *_volume_facts(paths, scan, at_s + 40),
        _metrics(paths, scan, phase, added.charge_mAh, at_s + 60),
        ScanDecided(
            **_common(name, f"{scan}:0", at_s=at_s + 70),
            scan=scan,
            verdict="continue",
            rules_evaluated=("gap",),
        ),
    ]


def _volume_facts(paths: ExperimentPaths, scan: int, at_s: float) -> list[JournalMessage]:
    reconstruction, labels = _write_volumes(paths, scan)
    key = f"{scan:064x}"
    return [
        SlabReady(
            **_common(paths.name, f"s{scan}", at_s=at_s),
            scan=scan,
            stage="reconstruct",
            work_key=key,
            path=paths.relative(reconstruction),
            z0=0,
            z1=SHAPE[0],
            sha256=array_sha256(_voxels(scan)),
        ),
        VolumeReady(
            **_common(paths.name, key, at_s=at_s + 5),
            scan=scan,
            stage="reconstruct",
            work_key=key,
            path=paths.relative(reconstruction),
            shape=SHAPE,
            voxel_um=VOXEL_UM,
            sha256=volume_sha256(reconstruction),
        ),
        LabelsReady(
            **_common(paths.name, key, at_s=at_s + 10),
            scan=scan,
            work_key=key,
            path=paths.relative(labels),
            shape=SHAPE,
            voxel_um=VOXEL_UM,
            sha256=volume_sha256(labels, label="cell"),
            model="thresholds",
        ),
    ]


def _metrics(
    paths: ExperimentPaths,
    scan: int,
    phase: ScanPhase,
    charge_mAh: float,  # noqa: N803 - the unit is mAh
    at_s: float,
) -> MetricsReady:
    key = f"{scan:064x}"
    maps = paths.maps(scan, key)
    thickness = np.full((SHAPE[0], SHAPE[2]), 7.0, np.float32)
    write_maps(maps, {"thickness": thickness}, VOXEL_UM, {"thickness": "um"})
    gap = MetricValue(value=200.0 - scan, unit="um", low95=190.0, high95=210.0)
    return MetricsReady(
        **_common(paths.name, key, at_s=at_s),
        scan=scan,
        work_key=key,
        experiment_time_s=phase.experiment_time_s,
        charge_mAh=charge_mAh,
        cycle=0,
        half_cycle=0,
        completeness=11 / 12,
        metrics={"remaining_gap_um": gap},
        maps_path=paths.relative(maps),
    )


def make_one_scan(
    store: Store,
    name: str,
    views: Sequence[NDArray[np.uint16]],
    thetas_deg: NDArray[np.float64],
    *,
    flat: NDArray[np.uint16],
    dark: NDArray[np.uint16],
) -> ExperimentPaths:
    """Store one scan of given views, with nothing made of it."""
    paths = store.experiment(name)
    paths.create()
    paths.index(0, 0).parent.mkdir(parents=True)
    images = [("dark", dark), ("flat", flat), *(("projection", view) for view in views)]
    with FrameWriter(paths, 0, 0) as writer:
        for number, (kind, pixels) in enumerate(images):
            index = max(number - 2, 0)
            header = FrameHeader.model_validate(
                {
                    "experiment": name,
                    "scan": 0,
                    "kind": kind,
                    "index": index,
                    "session": "a" * 32,
                    "sequence": number,
                    "theta_deg": float(thetas_deg[index]) if kind == "projection" else None,
                    "time_ns": BEGIN_NS + number,
                    "dtype": "uint16",
                    "shape": pixels.shape,
                    "crc32c": crc32c(pixels.tobytes()),
                }
            )
            writer.write(header, pixels.tobytes())
        writer.commit()
    started = ScanStarted(
        **_common(name, "0", at_s=0.0),
        scan=0,
        expected=(ExpectedCount(kind="projection", count=len(views)),),
        frame_shape=dark.shape,
        dtype="uint16",
        voxel_size_um=VOXEL_UM,
    )
    with JournalDatabase(paths.journal, name) as journal:
        journal.append([_started(name, 1), started])
    return paths


def write_frames(paths: ExperimentPaths, scan: int, at_s: float) -> None:
    """Store a scan in two sessions, as after a restart of its source; one projection is lost."""
    rng = np.random.default_rng(scan)
    sequence = 0
    paths.index(scan, 0).parent.mkdir(parents=True, exist_ok=True)
    with FrameWriter(paths, scan, 0, slab_rows=4) as writer:
        for kind, count in SETS:
            for index in range(count):
                sequence += 1
                pixels = rng.integers(100, 60_000, (ROWS, COLUMNS), dtype=np.uint16)
                if (kind, index) == ("projection", LOST):
                    continue
                is_second = kind == "projection" and index >= N_VIEWS // 2
                header = FrameHeader(
                    experiment=paths.name,
                    scan=scan,
                    kind=kind,
                    index=index,
                    session=("b" if is_second else "a") * 32,
                    sequence=sequence - (10 if is_second else 0),
                    theta_deg=15.0 * index if kind == "projection" else None,
                    theta_source="encoder",
                    time_ns=BEGIN_NS + round((at_s + sequence) * 1e9),
                    dtype="uint16",
                    shape=(ROWS, COLUMNS),
                    crc32c=crc32c(pixels.tobytes()),
                )
                writer.write(header, pixels.tobytes())
        writer.commit()


def _completed(paths: ExperimentPaths, scan: int, common: dict[str, Any]) -> ScanCompleted:
    sets = tuple(
        SetAccount(
            tile=0,
            kind=kind,
            set=0,
            expected=count,
            stored=count - (kind == "projection"),
        )
        for kind, count in SETS
    )
    account = ScanAccount(
        sets=sets,
        missing=1,
        doubled=2,
        rejected={"shape": 1},
        fetched=0,
        abandoned=0,
        completeness=11 / 12,
    )
    return ScanCompleted(
        **common,
        scan=scan,
        reason="scan_end",
        account=account,
        frames_sha256=FrameReader(paths, scan, 0).frames_sha256(),
    )


def _voxels(scan: int) -> NDArray[np.float32]:
    return np.random.default_rng(100 + scan).normal(0.1, 0.02, SHAPE).astype(np.float32)


def _write_volumes(paths: ExperimentPaths, scan: int) -> tuple[Path, Path]:
    key = f"{scan:064x}"
    reconstruction, volume = paths.reconstruction(scan, key), paths.volume(scan, key)
    classes: Sequence[LabelClass] = [
        LabelClass(value=1, name="electrode", colour=(0, 114, 178, 255)),
        LabelClass(value=2, name="electrolyte", colour=(240, 228, 66, 255)),
    ]
    for path in (reconstruction, volume):
        create_volume(path, shape=SHAPE, voxel_um=VOXEL_UM, dtype="float32", name=f"scan {scan}")
        write_slab(path, 0, _voxels(scan))
    finish_volume(reconstruction)
    create_labels(volume, "cell", tuple(classes))
    write_slab(volume, 0, (1 + (_voxels(scan) > 0.1)).astype(np.uint8), label="cell")
    finish_volume(volume)
    return reconstruction, volume


def _write_documents(paths: ExperimentPaths, n_scans: int) -> None:
    lines = []
    for scan in range(n_scans):
        time_s = BEGIN_NS / 1e9 + 10.0 + 100.0 * scan
        run = f"run-{scan}"
        lines += [
            {"name": "start", "doc": {"uid": run, "time": time_s - 1, "lithoscope_scan": scan}},
            {
                "name": "stop",
                "doc": {
                    "uid": f"stop-{scan}",
                    "run_start": run,
                    "time": time_s + 25,
                    "exit_status": "success",
                },
            },
        ]
    paths.documents.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
