"""How many rows fit: memory is planned before it is taken.

Each backend says by a formula what it needs (`Backend.memory`); with the counts and the line
integrals of the same rows this is the memory of a slab. What is free, the caller says: on a
processor that of the machine or of its control group, on a device what the driver reports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.errors import OutOfMemoryError, ParameterError
from lithoscope_pipeline.reconstruct.protocol import Backend, MemoryNeed

GIBIBYTE: Final = 2**30
# Other programs take some between the look and the use, and other stages work beside this one.
USABLE_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSize:
    """What of a scan decides about memory.

    Parameters
    ----------
    n_angles, n_columns
        Projections, and columns of each.
    size
        Edge of a slice in voxels.
    count_bytes
        Bytes of a pixel as it was stored.
    n_beam_frames
        Flats and darks together.
    """

    n_angles: int
    n_columns: int
    size: int
    count_bytes: int = 2
    n_beam_frames: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """How many rows are worked on at a time.

    Parameters
    ----------
    n_rows
        Rows at a time, at least 1.
    bytes_needed
        What they take.
    bytes_free
        What there was.
    reason
        One line for people.
    """

    n_rows: int
    bytes_needed: int
    bytes_free: int
    reason: str


def slab_memory(
    backend: Backend,
    scan: ScanSize,
    n_rows: int,
    *,
    correction: Correction,
    n_halo_rows: int = 0,
) -> MemoryNeed:
    """Give what a slab takes from its counts to its slices, these included.

    Parameters
    ----------
    backend
        Method.
    scan
        Dimensions of the scan.
    n_rows
        Rows that become slices.
    correction
        What is done to the counts: phase retrieval holds the line integrals twice.
    n_halo_rows
        Further rows, which only phase retrieval needs.
    """
    rows = n_rows + n_halo_rows
    line_bytes = rows * scan.n_columns
    counts = scan.count_bytes * line_bytes * (scan.n_angles + 2 * scan.n_beam_frames)
    attenuation = 4 * line_bytes * scan.n_angles
    correcting = attenuation * (1 if correction.phase is None else 2)
    need = backend.memory(
        n_angles=scan.n_angles, n_rows=n_rows, n_columns=scan.n_columns, size=scan.size
    )
    return MemoryNeed(
        host_bytes=counts + max(correcting, attenuation + need.host_bytes),
        device_bytes=need.device_bytes,
    )


def plan_rows(
    bytes_of: Callable[[int], int],
    *,
    free_bytes: int,
    most_rows: int,
    usable_share: float = USABLE_SHARE,
) -> RowPlan:
    """Take as many rows as fit, by halving.

    Halves and not the largest number that fits: a few more bytes free do not change the plan,
    and slabs stay multiples of the rows that are summed together.

    Parameters
    ----------
    bytes_of
        Memory of a number of rows; does not fall with it.
    free_bytes
        Memory free.
    most_rows
        No more, however much is free.
    usable_share
        Of the free memory, what may be planned with.

    Raises
    ------
    ParameterError
        If ``most_rows`` is below 1.
    OutOfMemoryError
        If not even one row fits into all that is free.
    """
    if most_rows < 1:
        raise ParameterError(f"most_rows is {most_rows}, at least 1 is needed")
    usable = int(usable_share * free_bytes)
    n_rows = most_rows
    while n_rows > 1 and bytes_of(n_rows) > usable:
        n_rows = (n_rows + 1) // 2
    needed = bytes_of(n_rows)
    if needed > free_bytes:
        raise OutOfMemoryError(
            f"one row needs {_gib(needed)} and {_gib(free_bytes)} are free; end other programs, "
            "or take a machine with more memory"
        )
    why = "as many as asked for" if n_rows == most_rows else f"{most_rows} do not fit"
    return RowPlan(
        n_rows=n_rows,
        bytes_needed=needed,
        bytes_free=free_bytes,
        reason=f"{n_rows} rows at a time ({why}): {_gib(needed)} of {_gib(free_bytes)} free",
    )


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / GIBIBYTE:.2g} GiB"
