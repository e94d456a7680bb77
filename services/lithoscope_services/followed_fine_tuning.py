"""A fine-tuning that others can follow: how far it is stands in its folder."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lithoscope_models.errors import ModelError
from lithoscope_pipeline.errors import PipelineError
from lithoscope_services.errors import ServiceError
from lithoscope_store import StoreError
from lithoscope_store.fine_tunes import RunFolder, RunState

if TYPE_CHECKING:
    from lithoscope_models.fine_tune.report import Findings
    from lithoscope_models.fine_tune.run import FineTuning
    from lithoscope_models.train.machine import Machine

_LOOK_S = 1.0


def follow_fine_tuning(
    asked: "FineTuning",
    run: RunFolder,
    gather: Callable[[], None],
    *,
    tell: Callable[[str], None],
    machine: "Machine",
    is_watched: bool,
) -> "Findings":
    """Gather painted slices, let a network learn from them, and say in its folder how far it is.

    Parameters
    ----------
    asked
        What is asked for.
    run
        Folder of the model.
    gather
        Writes the painted slices into it.
    tell, machine, is_watched
        As for `fine_tune`.

    Raises
    ------
    LockedError
        If another process fills the folder.
    ModelError
        As `fine_tune` does.
    """
    from lithoscope_models.fine_tune.run import fine_tune

    state = RunState(status="learning", n_steps=asked.n_steps, began_ns=time.time_ns())

    def write(changed: RunState) -> None:
        nonlocal state
        state = replace(changed, now_ns=time.time_ns())
        run.write_state(state)

    written_s = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal written_s
        is_last = step >= asked.n_steps
        if is_last or time.monotonic() - written_s >= _LOOK_S:
            written_s = time.monotonic()
            write(replace(state, step=step, status="judging" if is_last else "learning"))

    with run.running():
        write(state)
        try:
            gather()
            found = fine_tune(
                asked,
                run.path,
                tell=tell,
                machine=machine,
                is_watched=is_watched,
                on_step=on_step,
            )
        except (ModelError, PipelineError, ServiceError, StoreError) as error:
            write(replace(state, status="failed", message=str(error)))
            raise
        write(replace(state, status="done", found=describe_findings(found, run.path)))
    return found


def describe_findings(found: "Findings", out: Path) -> dict[str, Any]:  # JSON
    """Say what a fine-tuning came to."""
    return {
        "model": str(out),
        "report": str(out / "report.md"),
        "name": found.name,
        "experiment": found.experiment,
        "training_slices": [[each.scan, each.z] for each in found.training_slices],
        "held_out_slices": [[each.scan, each.z] for each in found.held_out_slices],
        "painted_voxels": found.after.n_voxels,
        "before": found.before.iou,
        "after": found.after.iou,
        "is_validated": not found.why_not and found.experiment is not None,
        "why_not": found.why_not,
        "n_steps": found.n_steps,
        "cpu_s": found.cpu_s,
        "pictures": sorted(each.name for each in out.glob("held-out-*.png")),
    }


def end_with(lifeline_fd: int) -> None:
    """End this process when the other end of a pipe is closed: whoever began it is gone."""

    def wait() -> None:
        os.read(lifeline_fd, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
