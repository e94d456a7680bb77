"""What the tasks of several stages need."""

import time
from typing import Any

from lithoscope_services.history import History
from lithoscope_services.stage import Task


def edge_on_deg(history: History) -> float:
    """Give the stage angle at which the beam runs along the electrode planes."""
    described = None if history.started is None else history.started.description.edge_on_deg
    return history.settings.experiment.edge_on_deg if described is None else described


def fact_parts(task: Task, producer: str, key: str) -> dict[str, Any]:
    """Give the fields that every fact of a task has."""
    return {
        "experiment": task.arguments["experiment"],
        "key": key,
        "time_ns": time.time_ns(),
        "producer": producer,
        "scan": task.scan,
        "inputs": task.inputs,
        "parameters_sha256": task.parameters_sha256,
        "work_key": task.key,
    }


def reference_scan(history: History) -> int | None:
    """Give the scan that all others are compared with: the first that was not given up.

    None while that is not settled yet.
    """
    for scan in history.in_order():
        if scan.volume is not None:
            return scan.scan
        if scan.failure is None:
            return None
    return None
