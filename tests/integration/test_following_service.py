"""The service of the reconstruction follows the running scan; its child may die meanwhile."""

import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import zmq
from live_scans import COLUMNS, N_VIEWS, ROWS, SLAB_ROWS, RodScan
from spine import Spine, spine
from waiting import until

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentStarted,
    Fact,
    FrameKey,
    Heartbeat,
    ReconstructionPreview,
    StageFailed,
    StageName,
    VolumeReady,
    WorkStarted,
    adapter_of,
    decode,
)
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.history import History
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.runner import MAX_DEATHS_FOLLOWING, Runner
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sockets import TELEMETRY, open_socket
from lithoscope_services.stage import Json, Step, Task

RODS = RodScan()
SETTINGS = replace_values(Settings(), {"reconstruct.slab_rows": SLAB_ROWS})
EXPERIMENT = ExperimentStarted(
    experiment="cell",
    key="cell",
    time_ns=1,
    producer="test",
    description=ExperimentDescription(),
    settings={},
    format_version=1,
)
_TELEMETRY = adapter_of(Heartbeat | ReconstructionPreview)


class NoOrder:
    """A stage that has its child follow what is no scan: a bug of ours, which ends the child."""

    name: StageName = "reconstruct"
    algorithm_version = 1

    def plan(self, history: History) -> Sequence[Task]:
        return []

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        raise NotImplementedError("there is no task")

    def watch(self, history: History) -> Json | None:
        return {"experiment": "cell", "scan": 0}

    def follow(self, watched: Json | None, store_root: str) -> None:
        raise NotImplementedError("the child has a stage of its own")

    def step(self) -> Step:
        raise NotImplementedError("the child has a stage of its own")

    def abandon(self, reason: str) -> None:
        raise NotImplementedError("the child has a stage of its own")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Spine]:
    with spine(tmp_path / "store", SETTINGS) as made:
        made.start("journal", "ingest", "reconstruct")
        yield made


class Previews:
    """The newest preview that the service has published."""

    def __init__(self, services: Spine) -> None:
        self._socket = open_socket(services.context, zmq.SUB, TELEMETRY)
        self._socket.setsockopt(zmq.SUBSCRIBE, b'{"type":"ReconstructionPreview"')
        self._socket.connect(endpoint(services.runtime_dir, "reconstruct.telemetry"))
        self.newest: ReconstructionPreview | None = None

    def views_of(self, scan: int) -> int:
        """Take what has come, and give how many views of a scan were shown."""
        while self._socket.poll(0):
            self.newest = decode(self._socket.recv(), _TELEMETRY)
        if self.newest is None or self.newest.scan != scan:
            return 0
        return self.newest.views_used

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def previews(services: Spine) -> Iterator[Previews]:
    made = Previews(services)
    yield made
    made.close()


def begin(link: FrameLink, scan: int) -> None:
    link.begin_experiment(ExperimentDescription())
    link.begin_scan(
        scan,
        ScanDescription(
            expected=RODS.expected, frame_shape=(ROWS, COLUMNS), dtype="uint16", voxel_size_um=10.0
        ),
    )
    for index in range(2):
        send(link, FrameKey(scan=scan, kind="dark", index=index))
    for index in range(3):
        send(link, FrameKey(scan=scan, kind="flat", index=index))


def send(link: FrameLink, key: FrameKey) -> None:
    theta_deg = RODS.thetas_deg[key.index] if key.kind == "projection" else None
    pixels = RODS.frame(0, key.kind, key.set, key.index)
    link.send_frame(key, pixels, theta_deg=theta_deg)


def send_views(link: FrameLink, scan: int, indices: range) -> None:
    for index in indices:
        send(link, FrameKey(scan=scan, kind="projection", index=index))
    link.flush()


def volume_of(services: Spine, scan: int) -> VolumeReady:
    """Wait for the volume of a scan."""
    found: list[VolumeReady] = []

    def look() -> bool:
        messages = [entry.message for entry in services.entries("cell")]
        failed = [each.error for each in messages if isinstance(each, StageFailed)]
        assert not failed, failed
        found.extend(
            each for each in messages if isinstance(each, VolumeReady) and each.scan == scan
        )
        return bool(found)

    until(look, timeout_s=60, what=f"the volume of scan {scan}")
    return found[0]


def task_processes() -> list[psutil.Process]:
    """Find the task processes of the reconstruction."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if "lithoscope_services.task_process" in words and "reconstruct" in words:
            found.append(process)
    return found


def test_a_scan_is_shown_and_begun_while_it_runs_and_a_killed_child_begins_anew(
    services: Spine, previews: Previews
) -> None:
    with services.link("cell") as link:
        begin(link, 0)
        send_views(link, 0, range(N_VIEWS))
        link.end_scan(0)
        first = volume_of(services, 0)
        begin(link, 1)
        send_views(link, 1, range(60))
        until(lambda: previews.views_of(1) == 60, timeout_s=30, what="a preview of half a scan")
        (child,) = task_processes()
        child.kill()
        until(lambda: has_another_child(child.pid), timeout_s=30, what="another child")
        send_views(link, 1, range(60, 110))
        until(lambda: previews.views_of(1) == 110, timeout_s=30, what="a preview after the kill")
        send_views(link, 1, range(110, N_VIEWS))
        link.end_scan(1)
        second = volume_of(services, 1)

    assert first.batch_reason == "no earlier scan tells the rotation axis"
    assert second.batch_reason == ""
    # The same pixels about the same axis: early and late work differ in nothing.
    assert second.sha256 == first.sha256
    starts = [e.message for e in services.entries("cell") if isinstance(e.message, WorkStarted)]
    assert [(start.scan, start.attempt) for start in starts] == [(0, 1), (1, 1)]


def has_another_child(pid: int) -> bool:
    return any(process.pid != pid for process in task_processes())


def test_a_child_that_dies_over_a_running_scan_is_soon_left_in_peace(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    seen: list[int] = []
    alive_since: list[float] = []

    with spine(tmp_path / "store") as made:
        made.start("journal")
        made.store.experiment("cell").create()
        with made.journal("ingest") as client:
            client.append([EXPERIMENT])
        with Loop("reconstruct", made.runtime_dir) as loop:

            def look() -> None:
                processes = [p.pid for p in task_processes()]
                seen.extend(pid for pid in processes if pid not in seen)
                if len(seen) > MAX_DEATHS_FOLLOWING and loop.pulse.doing == "":
                    alive_since.append(time.monotonic())
                if alive_since and time.monotonic() - alive_since[0] > 1.0:
                    loop.stop()

            loop.every(0.05, look)
            Runner(loop, NoOrder(), made.store.root).run()
    for number, handler in handlers.items():
        signal.signal(number, handler)

    assert len(seen) == MAX_DEATHS_FOLLOWING + 1
