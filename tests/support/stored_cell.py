"""A simulated cell in a store, taken through all stages without services, and sealed."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_once import made_once

from lithoscope_messages import (
    ElectrochemistryAppended,
    Entry,
    ExpectedCount,
    ExperimentDescription,
    ExperimentStarted,
    FrameHeader,
    FrameKind,
    JournalMessage,
    ScanAccount,
    ScanCompleted,
    ScanStarted,
    SetAccount,
    StageName,
)
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_services.chain.executor import InProcess
from lithoscope_services.chain.runner import STAGES, Chain
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sources.simulation import phase_of
from lithoscope_services.unfinished import publish, unfinished_experiment
from lithoscope_store import (
    ElectrochemistryWriter,
    ExperimentPaths,
    FrameReader,
    FrameWriter,
    JournalDatabase,
    Store,
    read_journal,
)
from lithoscope_store.checksums import crc32c
from lithoscope_store.links import link_tree

KINDS: tuple[FrameKind, ...] = ("dark", "flat", "projection")
SLAB_ROWS = 3


def store_cell(
    root: Path,
    name: str = "cell",
    *,
    n_scans: int = 2,
    taken: Sequence[int] | None = None,
    seed: int = 5,
    stages: Sequence[StageName] = STAGES,
) -> Store:
    """Make a tiny cell, its axis given, in slabs so thin that a scan is cut into two parts."""
    store = Store(root)
    settings = replace_values(
        Settings(), {"experiment.name": name, "reconstruct.slab_rows": SLAB_ROWS}
    )
    cell = make_cell("tiny", seed=seed, n_scans=n_scans)
    with (
        unfinished_experiment(store, name) as paths,
        closing(JournalDatabase(paths.journal, name)) as database,
    ):
        facts: list[JournalMessage] = [_started(name, cell, settings)]
        for scan in taken or range(n_scans):
            facts += _scan(paths, cell, scan)
        database.append(facts)
        executor = InProcess(str(paths.root.parent), name)
        chain = Chain(paths, database, executor, stages=stages)
        chain.run()
        chain.end()
        publish(store, paths, database)
    return store


def shared_cell(factory: pytest.TempPathFactory) -> Store:
    """Give a store of its own with the tiny cell, which is made once in a run of the tests."""
    made = made_once(factory, "stored-cell", store_cell)
    root = factory.mktemp("store")
    link_tree(made / "cell", root / "cell")
    return Store(root)


def journal_of(store: Store, name: str) -> list[Entry]:
    """Read a sealed experiment."""
    return read_journal(store.experiment(name).journal)


def hashes_of(store: Store, name: str) -> dict[tuple[str, int, str], str]:
    """Give all hashes of voxels that the journal has, by type, scan and key."""
    return {
        (entry.message.type, entry.message.scan, entry.message.key): entry.message.sha256
        for entry in journal_of(store, name)
        if entry.message.type in ("SlabReady", "VolumeReady", "LabelsReady")
    }


def _common(name: str, key: str) -> dict[str, Any]:
    return {"experiment": name, "key": key, "time_ns": 1, "producer": "ingest"}


def _started(name: str, cell: SimulatedCell, settings: Settings) -> ExperimentStarted:
    return ExperimentStarted(
        **_common(name, name),
        description=ExperimentDescription(
            source="simulated",
            active_area_cm2=cell.cell.active_area_cm2,
            first_current_sign=1,
            edge_on_deg=settings.experiment.edge_on_deg,
        ),
        settings=settings.model_dump(mode="json"),
        format_version=1,
    )


def _scan(paths: ExperimentPaths, cell: SimulatedCell, scan: int) -> list[JournalMessage]:
    frames = cell.frames(scan)
    counts: dict[FrameKind, int] = {
        "dark": len(frames.darks),
        "flat": len(frames.flats),
        "projection": len(frames.thetas_deg),
    }
    sequence = 0
    with FrameWriter(paths, scan, 0) as writer:
        for kind in KINDS:
            for index in range(counts[kind]):
                pixels = frames.frame(kind, index).astype(np.uint16)
                header = FrameHeader(
                    experiment=paths.name,
                    scan=scan,
                    kind=kind,
                    index=index,
                    session="0" * 32,
                    sequence=sequence,
                    theta_deg=float(frames.thetas_deg[index]) if kind == "projection" else None,
                    time_ns=1,
                    dtype="uint16",
                    shape=pixels.shape,
                    crc32c=crc32c(pixels.tobytes()),
                )
                writer.write(header, pixels.tobytes())
                sequence += 1
        writer.commit()
    sets = tuple(
        SetAccount(tile=0, kind=kind, set=0, expected=counts[kind], stored=counts[kind])
        for kind in KINDS
    )
    return [
        *_samples(paths, cell, scan),
        ScanStarted(
            **_common(paths.name, str(scan)),
            scan=scan,
            expected=tuple(ExpectedCount(kind=k, count=n) for k, n in counts.items()),
            frame_shape=frames.darks.shape[1:],
            dtype="uint16",
            voxel_size_um=cell.voxel_um,
            rotation_axis_px=cell.rotation_axis_px,
            phase=phase_of(cell, scan),
        ),
        ScanCompleted(
            **_common(paths.name, str(scan)),
            scan=scan,
            reason="scan_end",
            account=ScanAccount(sets=sets, missing=0, completeness=1.0, edge_on_coverage=1.0),
            frames_sha256=FrameReader(paths, scan, 0).frames_sha256(),
        ),
    ]


def _samples(paths: ExperimentPaths, cell: SimulatedCell, scan: int) -> list[JournalMessage]:
    record = cell.electrochemistry(0, len(cell.schedule) - 1)
    end = int(np.searchsorted(record.time_s, cell.schedule[scan].time_s, side="right"))
    writer = ElectrochemistryWriter(paths)
    begin = writer.n_samples
    columns = (record.time_s, record.potential_V, record.current_mA)
    parts = [np.asarray(column[begin:end], np.float64) for column in columns]
    added = writer.append(begin, *parts)
    if added is None:
        return []
    return [
        ElectrochemistryAppended(
            **_common(paths.name, str(added.first)),
            first=added.first,
            count=added.count,
            time_s=added.time_s,
            charge_mAh=added.charge_mAh,
        )
    ]
