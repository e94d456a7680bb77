"""How much memory is free: of the machine, of the group this process is held in, of a device."""

from pathlib import Path

import psutil


def free_host_bytes(root: Path = Path("/")) -> int:
    """Give the memory that can still be taken: what the machine has and the group allows.

    Parameters
    ----------
    root
        Where ``proc`` and ``sys`` are.
    """
    free = int(psutil.virtual_memory().available)
    limits = [_group_bytes(folder) for folder in _group_folders(root)]
    return min([free, *(limit for limit in limits if limit is not None)])


def free_device_bytes() -> int | None:
    """Give the free memory of the first CUDA device; None without PyTorch or a device."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.mem_get_info(0)[0])


def _group_folders(root: Path) -> list[Path]:
    """Folders of the control groups that hold this process: its own and those around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return []
    folders = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            base = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
        else:
            continue
        # In a container the path may be that of the host, and only the top is to be seen.
        here = base / path.lstrip("/")
        inside = [folder for folder in (here, *here.parents) if folder.is_relative_to(base)]
        folders += inside
    return folders


def _group_bytes(folder: Path) -> int | None:
    """Memory that a group may still take, None without a limit."""
    for limit_name, used_name, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit = (folder / limit_name).read_text().strip()
            used = int((folder / used_name).read_text())
        except (OSError, ValueError):
            continue
        if limit == "max":
            return None
        # Files kept in memory are given up before anything is refused.
        return max(0, int(limit) - used + _statistic(folder / "memory.stat", cache_key))
    return None


def _statistic(path: Path, key: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    values = [line.split() for line in lines]
    return next((int(pair[1]) for pair in values if len(pair) == 2 and pair[0] == key), 0)
