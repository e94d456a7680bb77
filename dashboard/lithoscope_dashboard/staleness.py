"""How old what is shown is: a screen that looks live and is not is the worst failure. Pure."""

import itertools
import statistics
import time

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import duration_text

#: Data older than so many cadences is said to be stale.
CADENCES = 2.0
#: Before two scans have begun nobody knows the cadence.
SHORTEST_S = 10.0


def cadence_s(state: ExperimentState) -> float | None:
    """Time from scan to scan, the median of the newest, s; None with fewer than two."""
    starts = [scan.started_ns for scan in state.in_order[-8:] if scan.started_ns is not None]
    steps = [(after - before) / 1e9 for before, after in itertools.pairwise(starts)]
    return statistics.median(steps) if steps else None


def stale_text(snapshot: Snapshot, now_ns: int) -> str:
    """Say since when nothing has come; empty while all is as it should be.

    Parameters
    ----------
    snapshot
        What is known.
    now_ns
        Unix time, ns.
    """
    state = snapshot.experiment
    if state is None or state.newest_ns is None or state.is_ended or snapshot.is_stored:
        return ""
    cadence = cadence_s(state)
    age_s = (now_ns - state.newest_ns) / 1e9
    if cadence is None or age_s <= max(SHORTEST_S, CADENCES * cadence):
        return ""
    since = time.strftime("%H:%M:%S", time.localtime(state.newest_ns / 1e9))
    # In tenths of what has passed, so that it is not drawn anew each second.
    return f"STALE SINCE {since}: nothing new for {duration_text(round(age_s, -1))}"
