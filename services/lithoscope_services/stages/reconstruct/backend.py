"""The backend of the stage: chosen by what the settings ask for and what this machine has."""

from functools import cache
from typing import Any

import structlog

from lithoscope_pipeline.reconstruct import (
    BackendChoice,
    FourierBackend,
    Machine,
    choose_backend,
    look_at_machine,
    plan_rows,
)
from lithoscope_services.free_memory import free_device_bytes, free_host_bytes
from lithoscope_services.guarded_backend import GuardedBackend
from lithoscope_services.stages.reconstruct.tile_scan import TileScan

log = structlog.get_logger()


def choice_of(parameters: Any) -> BackendChoice:  # JSON
    """Choose the backend of a task.

    Raises
    ------
    MissingLibraryError
        If what was asked for is not installed.
    """
    return choose_backend(parameters["backend"], _machine(), extension=parameters["padding"])


def is_live(choice: BackendChoice) -> bool:
    """Whether the work of this backend can be begun before the last projection."""
    return isinstance(choice.backend, FourierBackend)


def guarded(
    choice: BackendChoice, tile: TileScan, *, slab_rows: int, memory_share: float
) -> GuardedBackend:
    """Plan how many rows the backend gets at once, and have it take less if memory runs out.

    Raises
    ------
    OutOfMemoryError
        If not even one row fits.
    """
    n_angles, (n_rows, n_columns) = tile.indices.size, tile.shape

    def host_bytes(rows: int) -> int:
        need = choice.backend.memory(
            n_angles=n_angles, n_rows=rows, n_columns=n_columns, size=n_columns
        )
        return need.host_bytes

    def device_bytes(rows: int) -> int:
        need = choice.backend.memory(
            n_angles=n_angles, n_rows=rows, n_columns=n_columns, size=n_columns
        )
        return need.device_bytes

    n_at_once = plan_rows(
        host_bytes,
        free_bytes=free_host_bytes(),
        most_rows=min(slab_rows, n_rows),
        usable_share=memory_share,
    ).n_rows
    free = free_device_bytes() if device_bytes(1) else None
    if free is not None:
        n_at_once = plan_rows(
            device_bytes, free_bytes=free, most_rows=n_at_once, usable_share=memory_share
        ).n_rows
    return GuardedBackend(
        choice.backend,
        fallback=choice.fallback,
        rows_at_a_time=n_at_once,
        on_warning=lambda text: log.warning("memory_ran_out", error=text),
    )


@cache
def _machine() -> Machine:
    return look_at_machine()
