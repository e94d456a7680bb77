"""What all tests share: the soak switch, and proof that nothing is left behind."""

import os
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import psutil
import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# For xdist's workers and all processes that tests start: several run at a time, and threads of
# BLAS that wait for each other took four fifths of the time of a simulation; the bytes are equal.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Python keeps one for as long as it lives once a process is spawned: there from the beginning, it
# is not taken for one that a test has left behind.
resource_tracker.ensure_running()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the full counts of seeded tests")


@pytest.fixture(scope="session")
def is_soak(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real scans that lie beside the repository on the project's machines."""
    if not DATA.is_dir():
        pytest.skip(f"real scans are not at {DATA}; put them there to run this test")
    return DATA


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves threads or child processes behind."""
    if "browser" in request.keywords:
        yield  # playwright keeps its driver for the session
        return
    threads = set(threading.enumerate())
    children = {child.pid for child in psutil.Process().children()}
    yield
    left = [
        thread.name
        for thread in set(threading.enumerate()) - threads
        if not thread.daemon and thread.is_alive()
    ]
    new = [child for child in psutil.Process().children() if child.pid not in children]
    orphans = [child for child in new if child.is_running() and child.status() != "zombie"]
    assert not left, f"threads left behind: {left}"
    assert not orphans, f"processes left behind: {orphans}"
