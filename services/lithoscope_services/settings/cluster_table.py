"""The table of the cluster: where `lithoscope reprocess` gets its workers."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from lithoscope_services.settings.table import Table


class ClusterSettings(Table):
    """Who works on a re-processing that one machine is too small for."""

    tls_ca_file: Annotated[
        Path | None,
        Field(description="Certificate that scheduler and workers are signed with (PEM)"),
    ] = None
    tls_cert_file: Annotated[
        Path | None, Field(description="Certificate that the command shows (PEM)")
    ] = None
    tls_key_file: Annotated[
        Path | None, Field(description="Key of that certificate: a file that only you can read")
    ] = None
    reconnect_s: Annotated[
        float,
        Field(
            gt=0,
            description="How long a scheduler that is lost is waited for, s; long enough to "
            "start another at the same address",
        ),
    ] = 900.0
    slurm_queue: Annotated[
        str | None, Field(max_length=64, description="Partition; left out, the default one")
    ] = None
    slurm_account: Annotated[
        str | None, Field(max_length=64, description="Account that is charged")
    ] = None
    slurm_cores: Annotated[int, Field(ge=1, le=1024, description="Cores of one worker's job")] = 8
    slurm_memory: Annotated[
        str, Field(pattern=r"^[0-9]+ ?[GM]i?B$", description="Memory of one worker's job")
    ] = "64 GiB"
    slurm_walltime: Annotated[
        str, Field(pattern=r"^[0-9:-]+$", description="Longest time of a worker's job")
    ] = "04:00:00"
    slurm_options: Annotated[
        tuple[str, ...],
        Field(description="Further lines for sbatch, such as --gres=gpu:1"),
    ] = ()
    slurm_interface: Annotated[
        str | None,
        Field(max_length=32, description="Network interface between the nodes, such as ib0"),
    ] = None
