"""Whether the verdict on a scan comes before the plan goes on with the next pulse. Pure."""

from dataclasses import dataclass
from statistics import median
from typing import Literal

from lithoscope_dashboard.model import ExperimentState, ScanState
from lithoscope_dashboard.quantities import duration_text

Outlook = Literal["none", "in time", "tight", "late", "made", "missed"]
#: Scans that say how long a verdict takes; older ones may have had other settings.
N_RECENT = 8
#: A spare time below this share of what a verdict takes is called tight.
TIGHT_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The next moment at which the plan wants a verdict.

    ``left_s`` is the time until then, ``needed_s`` what is still needed by then; None where it is
    not known. ``text`` says all of it.
    """

    outlook: Outlook
    text: str
    scan: int | None = None
    left_s: float | None = None
    needed_s: float | None = None


def next_deadline(state: ExperimentState | None, now_ns: int) -> Deadline:
    """Say how much time is left before the next pulse, and whether the verdict will be there.

    The plan waits for the verdict on a scan for at most ``plan.verdict_timeout_s`` after its last
    frame; then it goes on, or holds. How long a verdict takes is the median of the newest scans.

    Parameters
    ----------
    state
        What is known of the experiment.
    now_ns
        Time of day.
    """
    scan = None if state is None else state.newest
    if state is None or scan is None:
        return Deadline(outlook="none", text="No scan has begun: nothing waits for a verdict.")
    if state.is_ended:
        return Deadline(outlook="none", text="The experiment is over: no pulse follows.")
    if state.verdict_timeout_s is None:
        return Deadline(
            outlook="none", text="The settings name no time by which the plan wants a verdict."
        )
    if scan.verdict:
        return _decided(scan, state.verdict_timeout_s)
    typical_s = typical_latency_s(state)
    if scan.completed_ns is None:
        return _running(scan, state.verdict_timeout_s, typical_s, now_ns)
    since_s = (now_ns - scan.completed_ns) / 1e9
    return _waiting(scan, state.verdict_timeout_s - since_s, typical_s, since_s)


def typical_latency_s(state: ExperimentState) -> float | None:
    """Median time from the last frame of a scan to its verdict; None before the first one."""
    known = [scan.latency_s for scan in state.in_order if scan.latency_s is not None]
    return median(known[-N_RECENT:]) if known else None


def _decided(scan: ScanState, timeout_s: float) -> Deadline:
    if scan.phase.next_current_mA is None:
        text = f"Verdict on scan {scan.scan} is there; no pulse follows."
        return Deadline(outlook="made", text=text, scan=scan.scan)
    if scan.latency_s is None:
        return Deadline(
            outlook="made", text=f"Verdict on scan {scan.scan} is there.", scan=scan.scan
        )
    spare_s = timeout_s - scan.latency_s
    if spare_s < 0:
        text = (
            f"Verdict on scan {scan.scan} came {duration_text(-spare_s)} after the pulse was due."
        )
        return Deadline(outlook="missed", text=text, scan=scan.scan, left_s=0.0, needed_s=0.0)
    text = f"Verdict on scan {scan.scan} came {duration_text(spare_s)} before the limit."
    return Deadline(outlook="made", text=text, scan=scan.scan, left_s=spare_s, needed_s=0.0)


def _running(scan: ScanState, timeout_s: float, typical_s: float | None, now_ns: int) -> Deadline:
    rest_s = _rest_of_scan_s(scan, now_ns)
    if rest_s is None or typical_s is None:
        text = (
            f"Scan {scan.scan} runs; the plan then waits up to {duration_text(timeout_s)} for the "
            "verdict."
        )
        left_s = None if rest_s is None else rest_s + timeout_s
        return Deadline(outlook="in time", text=text, scan=scan.scan, left_s=left_s)
    left_s, needed_s = rest_s + timeout_s, rest_s + typical_s
    return _outlook(scan, left_s, needed_s, timeout_s - typical_s, typical_s)


def _rest_of_scan_s(scan: ScanState, now_ns: int) -> float | None:
    """Estimate how long a running scan still takes, from the pace of its frames."""
    if scan.started_ns is None or not scan.expected or not scan.stored:
        return None
    went_s = (now_ns - scan.started_ns) / 1e9
    share = min(1.0, scan.stored / scan.expected)
    return max(0.0, went_s / share - went_s)


def _waiting(scan: ScanState, left_s: float, typical_s: float | None, since_s: float) -> Deadline:
    if left_s < 0:
        text = f"No verdict on scan {scan.scan}: the limit passed {duration_text(-left_s)} ago."
        return Deadline(outlook="missed", text=text, scan=scan.scan, left_s=0.0)
    if typical_s is None:
        text = f"Verdict on scan {scan.scan} is wanted within {duration_text(left_s)}."
        return Deadline(outlook="in time", text=text, scan=scan.scan, left_s=left_s)
    # What takes longer than usual may take as long again.
    needed_s = typical_s - since_s if since_s < typical_s else 0.5 * since_s
    return _outlook(scan, left_s, needed_s, left_s - needed_s, typical_s)


def _outlook(
    scan: ScanState, left_s: float, needed_s: float, spare_s: float, typical_s: float
) -> Deadline:
    head = f"{duration_text(left_s)} left before the plan goes on after scan {scan.scan}"
    if spare_s < 0:
        outlook: Outlook = "late"
        text = f"{head}; the verdict is expected {duration_text(-spare_s)} too late."
    else:
        outlook = "tight" if spare_s < TIGHT_SHARE * typical_s else "in time"
        text = f"{head}; the verdict is expected {duration_text(spare_s)} before that."
    return Deadline(outlook=outlook, text=text, scan=scan.scan, left_s=left_s, needed_s=needed_s)
