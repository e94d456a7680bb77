"""What the machine has left: disk, memory, GPU memory; looked at every few seconds in a thread."""

import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 10.0
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """Memory of one GPU, bytes."""

    name: str
    used: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is left on this machine, bytes."""

    disk_free: int
    disk_total: int
    memory_free: int
    memory_total: int
    gpus: tuple[GpuMemory, ...] = ()


class MachineWatch:
    """Looks at the machine until it is stopped.

    Parameters
    ----------
    folder
        The disk that it lies on is looked at.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="machine", daemon=True)
        #: The newest; None before the first look.
        self.newest: Machine | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._is_over.set()
        self._thread.join(_PATIENCE_S)

    def _watch(self) -> None:
        while True:
            self.newest = look(self._folder)
            if self._is_over.wait(LOOK_S):
                return


def look(folder: Path) -> Machine:
    """Look at the machine once."""
    disk, memory = shutil.disk_usage(folder), psutil.virtual_memory()
    return Machine(
        disk_free=disk.free,
        disk_total=disk.total,
        memory_free=memory.available,
        memory_total=memory.total,
        gpus=_gpus(),
    )


def _gpus() -> tuple[GpuMemory, ...]:
    """Ask the driver, if there is one; a GPU that does not answer is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        run = subprocess.run(
            [
                *(program, "--query-gpu=name,memory.used,memory.total"),
                "--format=csv,noheader,nounits",
            ],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(gpu for line in run.stdout.splitlines() if (gpu := _gpu(line)) is not None)


def _gpu(line: str) -> GpuMemory | None:
    parts = [part.strip() for part in line.rsplit(",", 2)]
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return GpuMemory(name=parts[0], used=int(parts[1]) * 2**20, total=int(parts[2]) * 2**20)
