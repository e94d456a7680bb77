"""Jobs on dask.distributed: three names go out, a name comes back, all else lies in the store.

A worker that dies has its job done by another. A scheduler that is lost is waited for, and what
has no answer is given out again: nothing but time is lost.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import structlog
from distributed import Client, Future, LocalCluster, Security, wait
from distributed.comm import CommClosedError

from lithoscope_services.chain.executor import Ended
from lithoscope_services.chain.jobs import run_job
from lithoscope_services.reprocess.addresses import ClusterError
from lithoscope_services.settings.cluster_table import ClusterSettings

CONNECT_S: Final = 10.0
RETRY_S: Final = 1.0
_LOST: Final = (OSError, TimeoutError, CommClosedError, asyncio.TimeoutError)
log = structlog.get_logger()


class OnDask:
    """Does jobs on the workers of a scheduler.

    Parameters
    ----------
    address
        Of the scheduler, or a cluster object of Dask.
    store_root, experiment
        Where the jobs lie; the workers find it under the same path.
    security
        Certificates, or None on this machine alone.
    reconnect_s
        How long a lost scheduler is waited for.

    Attributes
    ----------
    n_sent
        Jobs given out so far.

    Raises
    ------
    ClusterError
        If no scheduler answers there.
    """

    def __init__(
        self,
        address: Any,  # a text or a cluster of Dask, which has no types
        store_root: str,
        experiment: str,
        *,
        security: Security | None = None,
        reconnect_s: float = 900.0,
    ) -> None:
        self._address, self._where = address, (store_root, experiment)
        self._security, self._reconnect_s = security, reconnect_s
        self._futures: dict[str, Future | None] = {}
        self._priorities: dict[str, int] = {}
        self.n_sent = 0
        self._client = self._connect(CONNECT_S)

    def submit(self, job_id: str, *, priority: int) -> None:
        """Give a job to the scheduler; while that is lost, keep it."""
        self._priorities[job_id] = priority
        self._futures[job_id] = None
        if self._client.status == "running":
            # Another key each time: Dask keeps what became of a key, be it a failure.
            self.n_sent += 1
            self._futures[job_id] = self._client.submit(
                run_job,
                *self._where,
                job_id,
                key=f"{job_id}-{self.n_sent}",
                priority=priority,
                pure=False,
            )

    def wait(self, timeout_s: float) -> Sequence[Ended]:
        """Give the jobs that have ended; a scheduler that is gone is waited for here."""
        if not self._futures:
            return ()
        if self._client.status != "running":
            self._reconnect()
        self._wait(timeout_s)
        ended = []
        for job_id, future in list(self._futures.items()):
            status = "lost" if future is None else future.status
            if status == "finished":
                ended.append(Ended(job_id))
            elif status == "error" and future is not None:
                ended.append(Ended(job_id, _why(future)))
            elif status in ("cancelled", "lost"):
                # The scheduler forgot it, as one does that was started anew.
                self.submit(job_id, priority=self._priorities[job_id])
        for each in ended:
            del self._futures[each.job_id]
        return ended

    def _wait(self, timeout_s: float) -> None:
        futures = [future for future in self._futures.values() if future is not None]
        # What is cancelled or lost shows in the states that are looked at next.
        with suppress(*_LOST, CancelledError), self._client.as_current():
            wait(futures, timeout_s, return_when="FIRST_COMPLETED")

    def close(self) -> None:
        """Let go of the scheduler; a job that is under way ends by itself."""
        self._futures.clear()
        self._client.close(timeout=CONNECT_S)

    def _connect(self, patience_s: float) -> Client:
        deadline_s = time.monotonic() + patience_s
        while True:
            try:
                return Client(
                    self._address,
                    security=self._security,
                    timeout=CONNECT_S,
                    set_as_default=False,
                )
            except _LOST as error:
                if time.monotonic() > deadline_s:
                    raise ClusterError(
                        f"no scheduler answers at {self._address}; start one with `dask "
                        "scheduler`, or leave --scheduler out to work on this machine. What was "
                        "done is kept: the same command goes on"
                    ) from error
                time.sleep(RETRY_S)

    def _reconnect(self) -> None:
        log.warning("scheduler_lost", address=str(self._address), waiting_s=self._reconnect_s)
        with suppress(*_LOST):
            self._client.close(timeout=RETRY_S)
        self._client = self._connect(self._reconnect_s)
        log.info("scheduler_found", address=str(self._address), n_jobs=len(self._futures))
        for job_id in list(self._futures):
            self.submit(job_id, priority=self._priorities[job_id])


@contextmanager
def local_cluster(n_workers: int) -> Iterator[LocalCluster]:
    """Start workers on this machine, one process with one thread each."""
    with LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        # The jobs plan their own memory: a worker that was stopped in the middle helps nobody.
        memory_limit=0,
        silence_logs=logging.ERROR,
    ) as cluster:
        yield cluster


@contextmanager
def slurm_cluster(
    n_workers: int, settings: ClusterSettings, folder: Path
) -> Iterator[Any]:  # a cluster, which has no types
    """Ask Slurm for workers; what they say to each other is encrypted with keys made for this.

    Parameters
    ----------
    n_workers
        Jobs of Slurm, one worker each; 0 asks for none.
    settings
        What to ask for.
    folder
        That all nodes see; the keys lie there while it runs, readable by their owner alone.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ClusterError(
            "dask-jobqueue is not installed; install lithoscope with the extra `cluster`"
        ) from error
    with SLURMCluster(
        queue=settings.slurm_queue,
        account=settings.slurm_account,
        cores=settings.slurm_cores,
        processes=1,
        memory=settings.slurm_memory,
        walltime=settings.slurm_walltime,
        job_extra_directives=list(settings.slurm_options),
        interface=settings.slurm_interface,
        protocol="tls://",
        security=Security.temporary(),
        shared_temp_directory=str(folder),
        n_workers=n_workers,
    ) as cluster:
        yield cluster


def security_of(settings: ClusterSettings) -> Security:
    """Give the certificates that the settings name."""
    return Security(
        require_encryption=True,
        tls_ca_file=str(settings.tls_ca_file),
        tls_client_cert=str(settings.tls_cert_file),
        tls_client_key=str(settings.tls_key_file),
    )


def _why(future: Future) -> str:
    error = future.exception()
    return f"the worker gave {type(error).__name__}: {error}"
