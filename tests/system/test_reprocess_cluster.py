"""Re-processing on Dask: any number of workers, whatever is killed, the same bytes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from stored_cell import hashes_of, shared_cell
from waiting import until

from lithoscope_services.chain.runner import STAGES
from lithoscope_store import Store

pytest.importorskip("distributed", reason="needs the extra cluster")

CHANGE = "reconstruct.slab_rows=2"
DEADLINE_S = 500.0


@dataclass(frozen=True, slots=True)
class Original:
    """A stored cell, and the stages that it has gone through."""

    store: Store
    stages: str

    def command(self, name: str, *more: str) -> list[str]:
        """Do it again with another setting."""
        return [
            *(sys.executable, "-m", "lithoscope_services.cli", "reprocess", "cell"),
            *("--as", name, "--store", str(self.store.root), "--set", CHANGE),
            *("--stages", self.stages, *more),
        ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, is_soak: bool) -> Original:
    """A cell, and what a single process makes of it with other settings."""
    stages = STAGES if is_soak else STAGES[:1]
    store = shared_cell(tmp_path_factory)
    original = Original(store, f"{stages[0]}:{stages[-1]}")
    alone = original.command("alone", "--scheduler", "none")
    subprocess.run(alone, check=True, timeout=DEADLINE_S)
    return original


def answers(store: Store, name: str) -> list[Path]:
    return list((store.unfinished.experiment(name).root / ".jobs").glob("*.answer.json"))


@contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; whatever it has started ends with the block."""
    process = subprocess.Popen(arguments, start_new_session=True)
    try:
        yield process
    finally:
        children = _children(process.pid)
        process.kill()
        for each in children:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()
        psutil.wait_procs(children, 10)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.system
def test_four_workers_and_one_that_is_killed_give_the_bytes_of_one_process(
    original: Original,
) -> None:
    with running(original.command("four", "--workers", "4")) as process:
        until(
            lambda: len(answers(original.store, "four")) >= 1,
            timeout_s=DEADLINE_S,
            what="the first answer",
        )
        workers = [each for each in _children(process.pid) if _is_worker(each)]
        workers[0].send_signal(signal.SIGKILL)
        code = process.wait(DEADLINE_S)

    assert workers
    assert code == 0
    assert hashes_of(original.store, "four") == hashes_of(original.store, "alone")


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.system
def test_a_command_that_is_killed_goes_on_where_it_was(original: Original) -> None:
    with running(original.command("killed")) as process:
        until(
            lambda: len(answers(original.store, "killed")) >= 2,
            timeout_s=DEADLINE_S,
            what="two answers",
        )
        os.killpg(process.pid, signal.SIGKILL)
    kept = {path.name: path.stat().st_mtime_ns for path in answers(original.store, "killed")}

    subprocess.run(original.command("killed"), check=True, timeout=DEADLINE_S)

    assert len(kept) >= 2
    assert hashes_of(original.store, "killed") == hashes_of(original.store, "alone")


@pytest.mark.system
def test_a_scheduler_that_is_lost_and_started_again_costs_no_result(original: Original) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"

    with running(original.command("lost", "--scheduler", address)) as process:
        with running(scheduler(port)), running(worker(address)):
            until(
                lambda: len(answers(original.store, "lost")) >= 1,
                timeout_s=DEADLINE_S,
                what="the first answer",
            )
        with running(scheduler(port)), running(worker(address)):
            code = process.wait(DEADLINE_S)

    assert code == 0
    assert hashes_of(original.store, "lost") == hashes_of(original.store, "alone")


def scheduler(port: int) -> list[str]:
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    return [*dask, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]


def worker(address: str) -> list[str]:
    dask = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    return [*dask, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
