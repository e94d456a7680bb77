"""A beamline for tests from nothing of ours: RunEngine, ophyd-async detector, 0MQ proxy."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgpack
import numpy as np
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky.callbacks.zmq import Publisher
from foreign import COLUMNS, ROWS, Sent, scan_of
from ophyd_async.core import (
    DetectorAcquireLogic,
    DetectorDataLogic,
    DetectorTriggerLogic,
    StandardDetector,
    StreamableDataProvider,
    StreamResourceDataProvider,
    StreamResourceInfo,
    TriggerInfo,
    init_devices,
    soft_signal_r_and_setter,
    soft_signal_rw,
)

Documents = list[tuple[str, dict[str, Any]]]
Plan = Generator[Any, Any, None]  # Bluesky has no types
IMAGES, THETAS = "/entry/data/data", "/entry/theta"
STREAMS = {(0, 0): "darks", (1, 0): "flats", (2, 0): "projections", (1, 1): "flats_1"}
STEP_DEG = 4.5


def encoder_deg(index: int) -> float:
    """What the encoder reads: beside the round number that was asked for."""
    return index * STEP_DEG + 0.25


class FrameFile:
    """A detector's file: one writer that lets others read, or one that does not."""

    def __init__(self, path: Path, *, chunk: int, swmr: bool) -> None:
        self._file = h5py.File(path, "w", libver="latest" if swmr else None)
        shape = (ROWS, COLUMNS)
        self._images = self._file.create_dataset(
            IMAGES, (0, *shape), np.uint16, maxshape=(None, *shape), chunks=(chunk, *shape)
        )
        self._thetas = self._file.create_dataset(
            THETAS, (0,), np.float64, maxshape=(None,), chunks=(64,)
        )
        if swmr:
            self._file.swmr_mode = True

    def write(self, frame: Sent) -> None:
        row = len(self._images)
        for dataset, value in ((self._images, frame.pixels), (self._thetas, encoder_deg(row))):
            dataset.resize(row + 1, axis=0)
            dataset[row] = value
        self._thetas[row] = encoder_deg(frame.index)
        self._images.flush()
        self._thetas.flush()

    def close(self) -> None:
        self._file.close()


class Trigger(DetectorTriggerLogic):
    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        pass


class Acquire(DetectorAcquireLogic):
    """Takes the frames that the plan has loaded."""

    def __init__(self) -> None:
        self.n_written, self.note = soft_signal_r_and_setter(int)
        self.loaded: list[Sent] = []
        self.per_call: int | None = None
        self.pause_s = 0.0
        self.file: FrameFile | None = None
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    def open(self, file: FrameFile) -> None:
        self.file, self._count = file, 0
        self.note(0)

    async def start_acquiring(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        count = len(self.loaded) if self.per_call is None else self.per_call
        now, self.loaded = self.loaded[:count], self.loaded[count:]
        for frame in now:
            await asyncio.sleep(self.pause_s)
            assert self.file is not None
            self.file.write(frame)
            self._count += 1
            self.note(self._count)

    async def wait_for_idle(self) -> None:
        if self._task is not None:
            await self._task

    async def ensure_stopped(self) -> None:
        await self.wait_for_idle()


class Writer(DetectorDataLogic):
    def __init__(self, folder: Path, acquire: Acquire, settings: "CameraSettings") -> None:
        self._folder, self._acquire, self._settings = folder, acquire, settings
        self._n_files = 0

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        path = self._folder / f"{datakey_name} {self._n_files}.h5"
        self._n_files += 1
        self._acquire.open(FrameFile(path, chunk=self._settings.chunk, swmr=self._settings.swmr))
        images = StreamResourceInfo(
            data_key=datakey_name,
            shape=(ROWS, COLUMNS),
            chunk_shape=(self._settings.chunk, ROWS, COLUMNS),
            dtype_numpy="<u2",
            parameters={"dataset": IMAGES},
        )
        thetas = StreamResourceInfo(
            data_key=f"{datakey_name}-theta_deg",
            shape=(),
            chunk_shape=(64,),
            dtype_numpy="<f8",
            parameters={"dataset": THETAS},
        )
        return StreamResourceDataProvider(
            uri=path.as_uri().replace("file://", "file://localhost"),
            resources=[images, thetas] if self._settings.has_encoder else [images],
            mimetype="application/x-hdf5",
            collections_written_signal=self._acquire.n_written,
        )

    async def stop(self) -> None:
        if self._acquire.file is not None:
            self._acquire.file.close()
            self._acquire.file = None


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    has_encoder: bool = True
    chunk: int = 1
    swmr: bool = True


class Camera(StandardDetector):
    def __init__(self, folder: Path, settings: CameraSettings, name: str = "") -> None:
        self.acquire = Acquire()
        self.add_detector_logics(Trigger(), self.acquire, Writer(folder, self.acquire, settings))
        super().__init__(name=name)


class Lab:
    """A RunEngine, a camera, and every document that was emitted.

    Parameters
    ----------
    folder
        Where the camera writes.
    """

    def __init__(self, folder: Path, settings: CameraSettings | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Without context managers the engine leaves signals alone.
        self.engine = RunEngine({}, context_managers=[])
        with init_devices():
            self.camera = Camera(folder, settings or CameraSettings(), name="camera")
            potential, current = soft_signal_rw(float), soft_signal_rw(float)
        self.cell = potential, current
        for signal, name in zip(self.cell, ("potential_V", "current_mA"), strict=True):
            signal.set_name(f"cycler-{name}")
        self.documents: Documents = []
        self.engine.subscribe(lambda name, doc: self.documents.append((name, _copy(doc))))

    def scan(self, frames: Sequence[Sent], *, steps: bool = False, **metadata: Any) -> Documents:
        """Take a scan in a run of its own, and give its documents."""
        first = len(self.documents)
        self.engine(self.plan(frames, steps=steps, **metadata))
        return self.documents[first:]

    def plan(
        self,
        frames: Sequence[Sent],
        *,
        steps: bool = False,
        names: dict[tuple[int, int], str] = STREAMS,
        **metadata: Any,
    ) -> Plan:
        """Fly or step through the sets of a scan, a stream each.

        A metadata key without our prefix gets it.
        """
        named = {f"lithoscope_{key}": value for key, value in metadata.items()}
        yield from bps.stage(self.camera, wait=True)
        yield from bps.open_run(named)
        for place in dict.fromkeys((frame.scan_index, frame.set) for frame in frames):
            part = [f for f in frames if (f.scan_index, f.set) == place]
            self.camera.acquire.loaded = part
            yield from self._steps(part, names[place]) if steps else self._fly(part, names[place])
        yield from bps.close_run()
        yield from bps.unstage(self.camera, wait=True)

    def _steps(self, part: list[Sent], stream: str) -> Plan:
        self.camera.acquire.per_call = 1
        yield from bps.prepare(self.camera, TriggerInfo(number_of_events=1), wait=True)
        for _ in part:
            yield from bps.checkpoint()
            yield from bps.trigger_and_read([self.camera], name=stream)

    def _fly(self, part: list[Sent], stream: str) -> Plan:
        self.camera.acquire.per_call = None
        yield from bps.prepare(self.camera, TriggerInfo(number_of_events=len(part)), wait=True)
        yield from bps.declare_stream(self.camera, name=stream, collect=True)
        yield from bps.kickoff(self.camera, wait=True)
        yield from bps.collect_while_completing(
            [self.camera], [self.camera], flush_period=0.01, stream_name=stream
        )


def cycling(lab: Lab, *, n_samples: int) -> Plan:
    """Record a cycler in a run of its own, an event a sample."""
    potential, current = lab.cell
    yield from bps.open_run({"lithoscope_phase": "pulse", "lithoscope_time_s": 50.0})
    for sample in range(n_samples):
        yield from bps.abs_set(potential, 3.0 + sample, wait=True)
        yield from bps.abs_set(current, sample / 10, wait=True)
        yield from bps.trigger_and_read([potential, current], name="electrochemistry")
    yield from bps.close_run()


def expected(frames: Sequence[Sent]) -> dict[str, int]:
    """What a plan says in its metadata."""
    counts: dict[str, int] = {}
    for frame in frames:
        kind, set_, _ = frame.slot
        name = kind + (f"_{set_}" if set_ else "")
        counts[name] = counts.get(name, 0) + 1
    return counts


def about(frames: Sequence[Sent], experiment: str) -> dict[str, Any]:
    """Metadata of a scan, without prefix."""
    return {
        "experiment": experiment,
        "scan": frames[0].scan,
        "expected": expected(frames),
        "voxel_size_um": 4.5,
    }


def taken(folder: Path, experiment: str, n_scans: int = 1, **about_all: Any) -> list[Documents]:
    """Take whole scans and give the documents of each."""
    lab = Lab(folder)
    return [
        lab.scan(scan_of(scan), steps=True, **about(scan_of(scan), experiment) | about_all)
        for scan in range(n_scans)
    ]


def _copy(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(document))
    return found


@contextmanager
def proxy(folder: Path) -> Iterator[tuple[str, str]]:
    """Run bluesky's own proxy as a process; gives the address to publish to and to listen at."""
    addresses = (f"ipc://{folder}/documents-in", f"ipc://{folder}/documents-out")
    command = Path(sys.executable).parent / "bluesky-0MQ-proxy"
    with (folder / "proxy.log").open("ab") as log:
        process = subprocess.Popen(
            [command, "--in-address", addresses[0], "--out-address", addresses[1]],
            stdout=log,
            stderr=log,
        )
    try:
        yield addresses
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def publisher(
    address: str, documents: str = "json", prefix: bytes = b""
) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Connect bluesky's own publisher."""
    serializer: Callable[[Any], bytes] = {
        "json": lambda doc: json.dumps(doc).encode(),
        "msgpack": msgpack.packb,
    }[documents]
    made = Publisher(address, serializer=serializer, prefix=prefix)
    try:
        yield made
    finally:
        made._socket.setsockopt(17, 1000)  # LINGER
        made.close()


def lost(documents: Documents, *, seed: int, keep: Sequence[str] = ()) -> Documents:
    """Lose one in twenty."""
    noise = random.Random(seed)
    return [each for each in documents if each[0] in keep or noise.random() >= 0.05]


def mixed(documents: Documents, *, seed: int) -> Documents:
    """Bring them in any order."""
    found = list(documents)
    random.Random(seed).shuffle(found)
    return found


def twice(documents: Documents, *, seed: int) -> Documents:
    """Double one in twenty."""
    noise = random.Random(seed)
    return [each for one in documents for each in [one] * (2 if noise.random() < 0.05 else 1)]


def interleaved(first: Documents, second: Documents, *, seed: int) -> Documents:
    """Zip two runs as two engines would, each in its own order."""
    noise = random.Random(seed)
    left, found = [list(first), list(second)], []
    while left[0] or left[1]:
        side = left[noise.random() < 0.5] or left[0] or left[1]
        found.append(side.pop(0))
    return found
