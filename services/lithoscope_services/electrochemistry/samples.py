"""Samples into an experiment: on the disk first, then as facts that end where scans begin."""

import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from lithoscope_messages import ElectrochemistryAppended
from lithoscope_services.electrochemistry.record import CyclerRecord
from lithoscope_store import ElectrochemistryWriter, ExperimentPaths, read_electrochemistry

# Charge counts at the begin of a scan, which clocks give to no more than this.
_MOMENT_S = 1e-6


def store_samples(
    paths: ExperimentPaths,
    record: CyclerRecord,
    scans_s: Iterable[float],
    *,
    n_announced: int = 0,
    producer: str,
    inputs: Sequence[str] = (),
) -> list[ElectrochemistryAppended]:
    """Add samples to those that are stored, and give the facts of all that no fact is of yet.

    Parameters
    ----------
    paths
        The experiment.
    record
        By the clock of the experiment, later than what is stored.
    scans_s
        When scans begin: the charge at these moments must stand in the journal.
    n_announced
        Samples that facts are of already. What a crash has left without one gets its own now.
    producer, inputs
        Of the facts.

    Raises
    ------
    ElectrochemistryError
        If the samples begin before the last one that is stored.
    """
    writer = ElectrochemistryWriter(paths)
    if record.time_s.size:
        writer.append(writer.n_samples, record.time_s, record.potential_V, record.current_mA)
    stored = read_electrochemistry(paths)
    moments = [moment + _MOMENT_S for moment in sorted(scans_s)]
    ends = np.searchsorted(stored.time_s, moments, side="right")
    inner = {int(end) for end in ends if n_announced < end < stored.n_samples}
    bounds = sorted({n_announced, *inner, stored.n_samples})
    return [
        ElectrochemistryAppended(
            experiment=paths.name,
            key=str(first),
            time_ns=time.time_ns(),
            producer=producer,
            inputs=tuple(inputs),
            first=first,
            count=end - first,
            time_s=float(stored.time_s[end - 1]),
            charge_mAh=float(stored.charge_mAh[end - 1]),
        )
        for first, end in pairwise(bounds)
    ]
