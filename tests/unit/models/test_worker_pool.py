"""Worker processes end with the command that they work for."""

import subprocess
import sys
from pathlib import Path

import psutil

_COMMAND = """
import os, time
from lithoscope_models.worker_pool import worker_pool

if __name__ == "__main__":
    with worker_pool(2) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(8)}, flush=True)
        pool.submit(time.sleep, 600).result()
"""


def test_workers_end_when_their_command_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(_COMMAND)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in command.stdout.readline().split()]
        assert workers

        command.kill()

    _, left = psutil.wait_procs(workers, timeout=20)
    assert all(each.status() == psutil.STATUS_ZOMBIE for each in left)
