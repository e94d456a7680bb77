import os
import subprocess
import sys
import textwrap

import pytest

from lithoscope_store.errors import LockedError
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.locks import experiment_lock, lock_holder

HOLDER = """
    import sys
    from pathlib import Path
    from lithoscope_store.layout import Store
    from lithoscope_store.locks import experiment_lock

    with experiment_lock(Store(Path(sys.argv[1])).experiment("cell-1")):
        print("held", flush=True)
        sys.stdin.read()
"""


def test_the_lock_says_who_holds_it(paths: ExperimentPaths) -> None:
    with experiment_lock(paths):
        assert lock_holder(paths) == os.getpid()
        with (
            pytest.raises(LockedError, match=f"process {os.getpid()} works on experiment"),
            experiment_lock(paths),
        ):
            pass

    assert lock_holder(paths) is None


def test_the_lock_ends_with_a_killed_process(paths: ExperimentPaths) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(paths.root.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert lock_holder(paths) == holder.pid
        holder.kill()
        holder.wait(10)

    with experiment_lock(paths):
        assert lock_holder(paths) == os.getpid()


def test_nobody_holds_the_lock_of_an_experiment_that_never_ran(paths: ExperimentPaths) -> None:
    assert lock_holder(paths) is None
