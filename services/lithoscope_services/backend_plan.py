"""Which backend reconstructs a scan here, and how many rows at a time fit into memory."""

from collections.abc import Callable
from dataclasses import dataclass

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.reconstruct import (
    Backend,
    BackendChoice,
    RowPlan,
    ScanSize,
    choose_backend,
    look_at_machine,
    plan_rows,
    slab_memory,
)
from lithoscope_services.free_memory import free_device_bytes, free_host_bytes
from lithoscope_services.guarded_backend import GuardedBackend
from lithoscope_services.settings import ReconstructSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlan:
    """What was chosen, and why.

    Parameters
    ----------
    choice
        Backend and fallback.
    slab_rows
        Rows of a slab from counts to slices, by the memory of the machine; no more than asked
        for.
    rows_at_a_time
        Of these, how many the backend gets at once, by the memory of its device.
    memory_reason
        One line for people.
    """

    choice: BackendChoice
    slab_rows: int
    rows_at_a_time: int
    memory_reason: str


def plan_backend(
    settings: ReconstructSettings,
    scan: ScanSize,
    *,
    most_rows: int,
    correction: Correction,
    n_halo_rows: int = 0,
) -> BackendPlan:
    """Choose the backend that the settings ask for, and plan its memory before it is taken.

    Parameters
    ----------
    settings
        Backend, extension and share of the free memory.
    scan
        Dimensions of the scan.
    most_rows
        Rows of a slab if memory does not matter.
    correction
        What is done to the counts.
    n_halo_rows
        Rows that a slab needs beside its own.

    Raises
    ------
    MissingLibraryError
        If what was asked for is not installed.
    OutOfMemoryError
        If not even one row fits.
    """
    choice = choose_backend(settings.backend, look_at_machine(), extension=settings.padding)

    def host_bytes(n_rows: int) -> int:
        return slab_memory(
            choice.backend, scan, n_rows, correction=correction, n_halo_rows=n_halo_rows
        ).host_bytes

    on_host, on_device = plan_memory(
        choice.backend,
        scan,
        host_bytes=host_bytes,
        most_rows=most_rows,
        usable_share=settings.memory_share,
    )
    device_reason = "" if on_device is None else f"; on the device {on_device.reason}"
    return BackendPlan(
        choice=choice,
        slab_rows=on_host.n_rows,
        rows_at_a_time=(on_device or on_host).n_rows,
        memory_reason=on_host.reason + device_reason,
    )


def plan_memory(
    backend: Backend,
    scan: ScanSize,
    *,
    host_bytes: Callable[[int], int],
    most_rows: int,
    usable_share: float,
) -> tuple[RowPlan, RowPlan | None]:
    """Plan how many rows the memory of this machine holds, and then that of its device.

    Parameters
    ----------
    backend
        Says what it takes of a device.
    scan
        Dimensions of the scan.
    host_bytes
        What a number of rows takes of this machine.
    most_rows
        Rows if memory does not matter.
    usable_share
        Of the free memory.

    Returns
    -------
    tuple
        For the machine, and for the device: None where the backend takes none, or its free
        memory is not known.

    Raises
    ------
    OutOfMemoryError
        If not even one row fits.
    """

    def device_bytes(n_rows: int) -> int:
        need = backend.memory(
            n_angles=scan.n_angles, n_rows=n_rows, n_columns=scan.n_columns, size=scan.size
        )
        return need.device_bytes

    on_host = plan_rows(
        host_bytes, free_bytes=free_host_bytes(), most_rows=most_rows, usable_share=usable_share
    )
    free_bytes = free_device_bytes() if device_bytes(1) else None
    if free_bytes is None:
        return on_host, None
    on_device = plan_rows(
        device_bytes, free_bytes=free_bytes, most_rows=on_host.n_rows, usable_share=usable_share
    )
    return on_host, on_device


def guard(
    plan: BackendPlan, *, on_warning: Callable[[str], None] = lambda _text: None
) -> GuardedBackend:
    """Give the backend of a plan, which gets by with less if memory runs out all the same."""
    return GuardedBackend(
        plan.choice.backend,
        fallback=plan.choice.fallback,
        rows_at_a_time=plan.rows_at_a_time,
        on_warning=on_warning,
    )
