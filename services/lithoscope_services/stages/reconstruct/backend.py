"""The backend of the stage: chosen by what the settings ask for and what this machine has."""

from functools import cache
from typing import Any

import structlog

from lithoscope_pipeline.reconstruct import (
    BackendChoice,
    FourierBackend,
    Machine,
    ScanSize,
    choose_backend,
    look_at_machine,
)
from lithoscope_services.backend_plan import plan_memory
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
    n_rows, n_columns = tile.shape
    scan = ScanSize(n_angles=tile.indices.size, n_columns=n_columns, size=n_columns)

    def host_bytes(rows: int) -> int:
        need = choice.backend.memory(
            n_angles=scan.n_angles, n_rows=rows, n_columns=scan.n_columns, size=scan.size
        )
        return need.host_bytes

    on_host, on_device = plan_memory(
        choice.backend,
        scan,
        host_bytes=host_bytes,
        most_rows=min(slab_rows, n_rows),
        usable_share=memory_share,
    )
    return GuardedBackend(
        choice.backend,
        fallback=choice.fallback,
        rows_at_a_time=(on_device or on_host).n_rows,
        on_warning=lambda text: log.warning("memory_ran_out", error=text),
    )


@cache
def _machine() -> Machine:
    return look_at_machine()
