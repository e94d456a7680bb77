"""Which NVIDIA GPU this machine has, asked of the driver's own tool.

A GPU library that finds no driver can end the process; this loads none.
"""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """The first GPU of this machine.

    Parameters
    ----------
    name, driver
        As the driver calls them.
    capability
        Compute capability, such as (9, 0).
    """

    name: str
    driver: str
    capability: tuple[int, int]


@cache
def find_gpu() -> Gpu | None:
    """Give the first GPU, None if the driver shows none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    parts = [part.strip() for part in answer.stdout.split("\n", 1)[0].split(",")]
    if len(parts) != 3 or "." not in parts[2]:
        return None
    major, minor = parts[2].split(".")
    return Gpu(name=parts[0], driver=parts[1], capability=(int(major), int(minor)))
