"""A stage that hangs costs no frame: ingest goes on, and the stage catches up afterwards."""

import signal
import time
from pathlib import Path

import numpy as np
import psutil
from spine import Spine, all_keys, described, image, send, spine
from waiting import until

from lithoscope_messages import ExperimentDescription, ScanCompleted, StageFailed, VolumeReady
from lithoscope_store import FrameReader

N_PROJECTIONS = 40
NAME = "stopped"


def reconstruct_of(services: Spine) -> psutil.Process:
    for child in psutil.Process().children():
        words = child.cmdline()
        if str(services.runtime_dir) in words and "reconstruct" in words:
            return child
    raise LookupError("reconstruct does not run")


def settled(services: Spine) -> set[int]:
    """Scans that reconstruct has dealt with."""
    messages = (entry.message for entry in services.entries(NAME))
    return {each.scan for each in messages if isinstance(each, VolumeReady | StageFailed)}


def send_scan(services: Spine, scan: int) -> None:
    # A session a scan, as sources that are started anew for each.
    with services.link(NAME) as link:
        link.begin_experiment(ExperimentDescription())
        link.begin_scan(scan, described(N_PROJECTIONS))
        for key in all_keys(N_PROJECTIONS, scan=scan):
            send(link, key)
        link.end_scan(scan)


def test_no_frame_is_lost_while_reconstruct_is_stopped(tmp_path: Path, is_soak: bool) -> None:
    stopped_s = 60.0 if is_soak else 4.0
    with spine(tmp_path) as services:
        services.start("journal", "ingest", "reconstruct")
        send_scan(services, 0)
        until(lambda: settled(services) == {0}, timeout_s=60, what="the first volume")
        stage = reconstruct_of(services)
        scan = 0
        stage.send_signal(signal.SIGSTOP)
        try:
            begin_s = time.monotonic()
            while time.monotonic() - begin_s < stopped_s or scan < 2:
                scan += 1
                send_scan(services, scan)
            status = stage.status()
            before = settled(services)
        finally:
            stage.send_signal(signal.SIGCONT)
        scans = set(range(scan + 1))
        until(lambda: settled(services) == scans, timeout_s=120, what="reconstruct to catch up")
        accounts = {
            entry.message.scan: entry.message.account
            for entry in services.entries(NAME)
            if isinstance(entry.message, ScanCompleted)
        }

        assert (status, before) == (psutil.STATUS_STOPPED, {0})
        assert set(accounts) == scans
        assert all(account.anomalies == {} for account in accounts.values())
        for number in scans:
            reader = FrameReader(services.store.experiment(NAME), number, 0)
            assert set(reader.keys) == set(all_keys(N_PROJECTIONS, scan=number))
            for key in reader.keys:
                sent = image(key.index + 1000 * len(key.kind))
                np.testing.assert_array_equal(reader.read_frame(key), sent)
