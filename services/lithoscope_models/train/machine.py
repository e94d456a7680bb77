"""What a training may use of a machine, and where it keeps what it needs to go on."""

from dataclasses import dataclass
from typing import Final

CHECKPOINTS: Final = "checkpoints"
LAST_CHECKPOINT: Final = "last.ckpt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a training may use; apart from the number of threads it does not change weights.

    Parameters
    ----------
    n_threads
        Of each process.
    n_workers
        Processes that draw patches ahead; 0 draws them between steps.
    accelerator, n_devices
        As Lightning names them; several devices train by distributed data parallel, each on
        patches of its own.
    time_limit_s
        Stop after so long; the next call with the same folder goes on. None for never.
    """

    n_threads: int = 1
    n_workers: int = 0
    accelerator: str = "cpu"
    n_devices: int = 1
    time_limit_s: float | None = None
