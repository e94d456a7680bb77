"""A tiny experiment with all that a replay has to bring again: losses, a failure, a restart."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import zmq
from demo_process import services
from waiting import until

from lithoscope_messages import (
    ExpectedCount,
    ExperimentDescription,
    FrameKey,
    FrameKind,
)
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.instance import Instance
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings
from lithoscope_services.sources.simulation import phase_of
from lithoscope_store import Store

N_SCANS = 5
#: Its shutter stayed shut: nothing can be reconstructed of it.
DARK_SCAN = 2
#: In the middle of it ingest and reconstruct are killed.
BROKEN_SCAN = 1
#: Its source fell silent, nothing ended it.
SILENT_SCAN = 3
LOST = {0: {7, 8, 9}, 1: {100}, 4: {0, 50, 179}}


def record_experiment(store_root: Path, name: str, *, n_scans: int = N_SCANS) -> None:
    """Send a simulated cell into an instance of its own, with everything that goes wrong."""
    store = Store(store_root)
    store.root.mkdir(parents=True, exist_ok=True)
    base = Settings()
    experiment = base.experiment.model_copy(update={"name": name, "n_scans": n_scans})
    settings = base.model_copy(update={"experiment": experiment})
    cell = make_cell("tiny", seed=5, n_scans=n_scans)
    log = store.root / "original.log"
    with Instance(store, settings, has_dashboard=False, log_path=log) as instance:
        with link_to(instance, name) as link:
            link.begin_experiment(
                ExperimentDescription(
                    n_scans=n_scans, active_area_cm2=cell.cell.active_area_cm2, sample="tiny"
                )
            )
            for scan in range(n_scans):
                send_samples(link, cell, scan)
                _send_scan(link, cell, scan, instance)
            link.end_experiment()
        manifest = store.experiment(name).manifest
        until(manifest.exists, timeout_s=60, what="the seal")


def link_to(instance: Instance, name: str) -> FrameLink:
    address = endpoint(instance.runtime_dir, "frames")
    return FrameLink(address, name, resend_after_s=0.3, idle=instance.look, patience_s=120)


@contextmanager
def journal_of(instance: Instance) -> Iterator[JournalClient]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        with instance.journal(context) as journal:
            yield journal
    finally:
        context.term()


def send_samples(link: FrameLink, cell: SimulatedCell, scan: int) -> None:
    """Send what the cycler has measured since the scan before."""
    record = cell.electrochemistry(0, len(cell.schedule) - 1)
    times_s = [point.time_s for point in cell.schedule]
    first, last = np.searchsorted(
        record.time_s, [times_s[scan - 1] if scan else -1.0, times_s[scan]], side="right"
    )
    if first < last:
        columns = (record.time_s, record.potential_V, record.current_mA)
        parts = [tuple(map(float, column[first:last])) for column in columns]
        link.send_electrochemistry(int(first), *parts)


def _send_scan(link: FrameLink, cell: SimulatedCell, scan: int, instance: Instance) -> None:
    frames = cell.frames(scan)
    run = f"run-{scan}"
    start = {"uid": run, "time": 0.0, "lithoscope_scan": scan}
    link.send_document("start", json.dumps(start))
    link.begin_scan(
        scan,
        ScanDescription(
            expected=(
                ExpectedCount(kind="dark", count=len(frames.darks)),
                ExpectedCount(kind="flat", count=len(frames.flats)),
                ExpectedCount(kind="projection", count=len(frames.thetas_deg)),
            ),
            frame_shape=frames.darks.shape[1:],
            dtype="uint16",
            voxel_size_um=cell.voxel_um,
            energy_keV=cell.cell.optics.energy_keV,
            phase=phase_of(cell, scan),
            origin=f"run {scan}",
        ),
    )
    counts: dict[FrameKind, int] = {"dark": len(frames.darks), "flat": len(frames.flats)}
    for kind, count in (*counts.items(), ("projection", len(frames.thetas_deg))):
        for index in range(count):
            if kind == "projection" and index in LOST.get(scan, ()):
                continue
            if (kind, scan, index) == ("projection", BROKEN_SCAN, 60):
                kill(instance, "ingest", "reconstruct")
            pixels = frames.frame(kind, index).astype(np.uint16)
            if scan == DARK_SCAN and kind != "dark":
                pixels = frames.frame("dark", 0).astype(np.uint16)
            theta_deg = float(frames.thetas_deg[index]) if kind == "projection" else None
            key = FrameKey(scan=scan, kind=kind, index=index)
            link.send_frame(key, pixels, theta_deg=theta_deg, theta_source="encoder")
    if scan != SILENT_SCAN:
        link.end_scan(scan, rejected={"shape": 2, "doubled": 1} if scan == 0 else {})
        stop = {"uid": f"stop-{scan}", "run_start": run, "time": 0.0, "exit_status": "success"}
        link.send_document("stop", json.dumps(stop))


def kill(instance: Instance, *names: str) -> None:
    """End services with SIGKILL; their supervisor starts them again."""
    front = psutil.Process()
    until(lambda: set(names) <= set(services(front)), timeout_s=60, what=f"{names}")
    found = services(front)
    for name in names:
        found[name].kill()
    instance.look()
