"""What this machine can do for an experiment, found out by trying; loads nothing big."""

import errno
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
import zmq

from lithoscope_services.settings import Settings

CheckState = Literal["ok", "note", "warning", "problem"]

GIBIBYTE = 2**30
FSYNC_TRIALS = 12
# A journal entry is acknowledged after its fsync; slower disks hold up every frame.
SLOW_FSYNC_MS = 50.0
PACKAGES = ("numpy", "scipy", "zarr", "finufft", "SimpleITK", "pyzmq", "dash", "bluesky", "h5py")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs",
        "afs", "9p", "fuse.sshfs", "fuse.glusterfs", "fuse.cephfs", "orangefs",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What was looked at.
    state
        ``problem``: mend it first. ``warning``: it will work, but badly. ``note``: good to know.
    found
        What was found.
    advice
        What to do; empty if nothing.
    """

    name: str
    state: CheckState
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """Give the fields as JSON has them."""
        return asdict(self)


def examine(store: Path, settings: Settings) -> tuple[Check, ...]:
    """Look at everything an experiment needs.

    Parameters
    ----------
    store
        Where experiments are to lie; it need not exist, and is not made.
    settings
        Of the experiment.
    """
    return (
        _check_python(),
        *_check_packages(),
        _check_sockets(),
        _check_processors(),
        _check_memory(),
        _check_gpu(),
        *_check_engines(settings),
        _check_space(store, settings.ingest.min_free_fraction),
        _check_file_system(store),
        _check_flush(store),
        _check_port(settings.dashboard.host, settings.dashboard.port),
        _check_browser(),
    )


def file_system_of(path: Path) -> str:
    """Give the type of the file system that holds a path; empty if that cannot be told."""
    best, kind = -1, ""
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if path.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), partition.fstype
    return kind


def _check_python() -> Check:
    found = f"Python {platform.python_version()}, {platform.platform(terse=True)}"
    if sys.platform != "linux":
        advice = "reports and single steps work here; run the services on Linux"
        return Check(name="Python", state="warning", found=found, advice=advice)
    return Check(name="Python", state="ok", found=found)


def _check_packages() -> Iterator[Check]:
    versions, missing = [], []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    yield Check(name="packages", state="ok", found=", ".join(versions))
    if missing:
        advice = "install Lithoscope again: pip install lithoscope"
        yield Check(name="packages", state="problem", found=f"{missing} missing", advice=advice)


def _check_sockets() -> Check:
    found = f"libzmq {zmq.zmq_version()}, CURVE {'yes' if zmq.has('curve') else 'no'}"
    if zmq.zmq_version_info() < (4, 3, 5):
        advice = "older ones have known holes: install pyzmq 27 or newer from PyPI"
        return Check(name="sockets", state="problem", found=found, advice=advice)
    return Check(name="sockets", state="ok", found=found)


def _check_processors() -> Check:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    found = f"{usable} usable of {os.cpu_count()}"
    if usable < 2:
        advice = "with one core the page stalls while slices are computed"
        return Check(name="processors", state="warning", found=found, advice=advice)
    return Check(name="processors", state="ok", found=found)


def _check_memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIBIBYTE:.1f} GiB free of {memory.total / GIBIBYTE:.1f} GiB"
    if memory.available < 4 * GIBIBYTE:
        advice = "a detector of 2560 columns needs 4 GiB: close programs, or lower slab_rows"
        return Check(name="memory", state="warning", found=found, advice=advice)
    return Check(name="memory", state="ok", found=found)


def _check_gpu() -> Check:
    """Ask the driver's own tool: a GPU library that finds no driver can end the process."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        found = "none (no nvidia-smi); all steps run on the processor"
        return Check(name="GPU", state="note", found=found)
    command = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        found = f"nvidia-smi does not answer: {error}"
        return Check(name="GPU", state="warning", found=found, advice="look at the driver")
    return Check(name="GPU", state="ok", found="; ".join(answer.stdout.strip().splitlines()))


def _check_engines(settings: Settings) -> Iterator[Check]:
    """Try each engine that could run the network, in processes of their own."""
    from lithoscope_models.engines import ENGINES, probe_engine
    from lithoscope_models.errors import ModelError
    from lithoscope_models.model_file import load_model

    segment = settings.segment
    if segment.method != "network":
        found = "labels come from thresholds and the order of layers; no network is run"
        yield Check(name="network", state="note", found=found)
        return
    try:
        model = load_model(segment.model, polarity=segment.polarity)
        probes = [probe_engine(name, model) for name in ENGINES]
    except ModelError as error:
        advice = 'set segment.model, or segment.method = "layers"'
        yield Check(name="network", state="problem", found=str(error), advice=advice)
        return
    found = f"{model.card.name} {model.sha256[:12]}, {model.card.n_parameters} parameters"
    yield Check(name="network", state="ok", found=found)
    for probe in probes:
        state: CheckState = "ok" if probe.works else "note"
        yield Check(name=f"engine {probe.engine}", state=state, found=probe.text)
    wanted = [p for p in probes if segment.engine in ("auto", p.engine)]
    if not any(probe.works for probe in wanted):
        found = f"segment.engine = {segment.engine!r} does not work here"
        advice = "set another one, or auto"
        yield Check(name="engine", state="problem", found=found, advice=advice)


def _check_space(store: Path, min_free_fraction: float) -> Check:
    place = _nearest_folder(store)
    usage = shutil.disk_usage(place)
    found = f"{usage.free / GIBIBYTE:.1f} GiB free of {usage.total / GIBIBYTE:.1f} GiB at {place}"
    if not os.access(place, os.W_OK):
        advice = "choose a --store that you may write to"
        return Check(name="disk", state="problem", found=f"{found}, read only", advice=advice)
    if usage.free < min_free_fraction * usage.total:
        advice = "no frame is taken below ingest.min_free_fraction: free space"
        return Check(name="disk", state="problem", found=found, advice=advice)
    if usage.free < 60 * GIBIBYTE:
        advice = "a scan of three full tiles has 50 GB; small detectors need less"
        return Check(name="disk", state="note", found=found, advice=advice)
    return Check(name="disk", state="ok", found=found)


def _check_file_system(store: Path) -> Check:
    kind = file_system_of(_nearest_folder(store))
    found = f"{kind or 'unknown file system'} under {store}"
    if kind in NETWORK_FILE_SYSTEMS:
        advice = "a journal needs a local disk: choose a --store on one"
        return Check(name="journal", state="problem", found=found, advice=advice)
    return Check(name="journal", state="ok", found=found)


def _check_flush(store: Path) -> Check:
    try:
        flush_ms = _flush_ms(_nearest_folder(store))
    except OSError as error:
        found = f"cannot write to {store}: {error.strerror}"
        return Check(name="flush", state="problem", found=found, advice="choose another --store")
    found = f"{flush_ms:.1f} ms until 4 KiB are on the disk (median of {FSYNC_TRIALS})"
    if flush_ms > SLOW_FSYNC_MS:
        advice = "the journal waits for every flush: choose a --store on a faster disk"
        return Check(name="flush", state="warning", found=found, advice=advice)
    return Check(name="flush", state="ok", found=found)


def _flush_ms(folder: Path) -> float:
    durations_ms = []
    with tempfile.TemporaryFile(dir=folder) as stream:
        for _ in range(FSYNC_TRIALS):
            start_s = time.perf_counter()
            stream.write(b"\0" * 4096)
            stream.flush()
            os.fsync(stream.fileno())
            durations_ms.append(1e3 * (time.perf_counter() - start_s))
    return statistics.median(durations_ms)


def _check_port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the page's server does, so that a port left a minute ago counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            what = "taken" if error.errno == errno.EADDRINUSE else str(error.strerror).lower()
            advice = "a running instance, perhaps (lithoscope status); or set dashboard.port = 0"
            found = f"{host}:{port} is {what}"
            return Check(name="page", state="warning", found=found, advice=advice)
    return Check(name="page", state="ok", found=f"{host}:{port} is free")


def _check_browser() -> Check:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        found = "no Chromium on this machine; any browser shows the page, the tests need Chromium"
        return Check(name="browser", state="note", found=found)
    return Check(name="browser", state="ok", found=browser)


def _nearest_folder(path: Path) -> Path:
    """Give the folder itself or the nearest one above it that exists."""
    absolute = path.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.is_dir())
