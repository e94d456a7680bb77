"""Processes that work for a command, and end when it does, however it ends."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def worker_pool(n_processes: int) -> ProcessPoolExecutor:
    """Start processes that do not outlive the one that calls.

    Parameters
    ----------
    n_processes
        How many; each begins as a new interpreter, for threads of numerical libraries do not
        survive a fork.

    Notes
    -----
    Workers of the standard library wait for more when their parent has been killed: they would
    write into a folder that the next command has taken over.
    """
    return ProcessPoolExecutor(
        n_processes, mp_context=get_context("spawn"), initializer=_end_with_parent
    )


def _end_with_parent() -> None:
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the thread that works may be deep in a library
