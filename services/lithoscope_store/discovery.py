"""How a command finds the instance that runs: a file says where, a check that it lives."""

import os
import socket
import stat
import tempfile
import warnings
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import StoreError, UnsafePathError
from lithoscope_store.layout import Store

#: Linux: sun_path has 108 bytes, the last one is zero.
MAX_IPC_PATH_BYTES = 107
_LONGEST_SOCKET_NAME = "reconstruct.telemetry"
# psutil gives the start of a process to a hundredth of a second.
_SAME_START_S = 0.5


class InstanceFile(BaseModel):
    """A running instance: which process it is and where its sockets are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
    host: str = Field(default_factory=socket.gethostname)
    pid: Annotated[int, Field(ge=1, description="Of the process in front")] = Field(
        default_factory=os.getpid
    )
    start_time_s: Annotated[
        float, Field(description="When that process started; tells a later one of its number")
    ] = Field(default_factory=lambda: psutil.Process().create_time())
    version: Annotated[str, Field(description="Of the software")]
    runtime_dir: Annotated[str, Field(description="Folder of its sockets")]
    endpoints: Annotated[dict[str, str], Field(description="Name of a socket to its address")] = {}
    dashboard_url: str | None = None

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs on this machine."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.start_time_s) < _SAME_START_S
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def write_instance(store: Store, instance: InstanceFile) -> Path:
    """Announce an instance, or replace what it had announced; only its user can read it."""
    make_directory(store.root)
    make_directory(store.instances.parent, mode=0o700)
    make_directory(store.instances, mode=0o700)
    path = _path(store, instance.id)
    write_atomic(path, f"{instance.model_dump_json(indent=2)}\n".encode(), mode=0o600)
    return path


def remove_instance(store: Store, instance_id: str) -> None:
    """Take back the announcement of an instance that ends."""
    _path(store, instance_id).unlink(missing_ok=True)


def find_instances(store: Store) -> tuple[InstanceFile, ...]:
    """Find all instances of a store that live on this machine, the latest first."""
    found = []
    for path in store.instances.glob("*.json"):
        try:
            instance = InstanceFile.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            continue  # taken back just now, or of another version: none that we can talk to
        if instance.is_alive:
            found.append(instance)
    return tuple(sorted(found, key=lambda one: (-one.start_time_s, one.id)))


def find_instance(store: Store) -> InstanceFile | None:
    """Find the latest instance of a store that lives on this machine, if there is one."""
    return next(iter(find_instances(store)), None)


def runtime_directory(instance_id: str) -> Path:
    """Make the folder for the sockets of an instance, for its user alone.

    It lies in the user's runtime folder; where there is none, or where the path would be too long
    for a socket, in the folder for temporary files.

    Raises
    ------
    UnsafePathError
        If the folder belongs to somebody else or is open to others.
    StoreError
        If even the short path is too long.
    """
    with warnings.catch_warnings():
        # Without a login session there is no runtime folder; its stand-in is checked below.
        warnings.simplefilter("ignore")
        runtime = platformdirs.user_runtime_path("lithoscope")
    candidates = (
        runtime / instance_id,
        Path(tempfile.gettempdir()) / f"lithoscope-{os.getuid()}" / instance_id,
    )
    for path in candidates:
        if _fits(path) and _can_make(path):
            _check_private(path.parent)
            _check_private(path)
            return path
    raise StoreError(
        f"no folder for sockets: {candidates[0]} and {candidates[1]} cannot be made, or are "
        f"longer than {MAX_IPC_PATH_BYTES} bytes with a socket's name; set XDG_RUNTIME_DIR or "
        "TMPDIR to a short path"
    )


def ipc_endpoint(runtime_dir: Path, name: str) -> str:
    """Address of a socket in a runtime folder.

    Raises
    ------
    StoreError
        If the path is too long for a socket.
    """
    path = runtime_dir / name
    if len(os.fsencode(path)) > MAX_IPC_PATH_BYTES:
        raise StoreError(
            f"{path} is too long for a socket, at most {MAX_IPC_PATH_BYTES} bytes; "
            "take a shorter folder"
        )
    return f"ipc://{path}"


def _path(store: Store, instance_id: str) -> Path:
    return store.instances / f"{instance_id}.json"


def _fits(path: Path) -> bool:
    return len(os.fsencode(path / _LONGEST_SOCKET_NAME)) <= MAX_IPC_PATH_BYTES


def _can_make(path: Path) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return True


def _check_private(path: Path) -> None:
    found = path.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafePathError(
            f"{path} must be a folder of this user with mode 0700, so that nobody else reaches "
            "the sockets in it; remove it"
        )
