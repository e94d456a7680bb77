"""What the metrics of a series tell afterwards: when growth could be seen, when rules warned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Report = dict[str, Any]  # as make_report gives it

#: A signal of mean + 3.3 standard deviations is a detection (Currie 1968, 5 % errors each way).
DETECTION_SD: Final = 3.3
#: Of the first scans, so many are taken as null where no current has flowed.
LEAST_NULL: Final = 4
#: Growth is told from these, in this order; a scan alone may err, the next one must agree.
GROWING: Final = (
    ("dendrite_volume_um3", 1),
    ("deposited_thickness_um", 1),
    ("plating_side_thickness_um", 1),
    ("remaining_gap_um", -1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """When a metric first left its own noise and stayed away.

    Parameters
    ----------
    metric, unit
        Which.
    scan
        First scan beyond the limit, the next one too; None if there is none.
    limit
        Value beyond which it counts.
    spread
        Standard deviation of one scan.
    basis
        Where the spread is from.
    """

    metric: str
    unit: str
    scan: int | None
    limit: float
    spread: float
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRule:
    """What a rule would have done.

    Parameters
    ----------
    rule, metric, action, mode
        Which one.
    scan
        First scan at which it would have fired; None if at none.
    n_fired
        How often it would have.
    lead_pulses
        Pulses from there to the end that is asked about.
    says
        Its reason and what followed, or why it did not fire.
    """

    rule: str
    metric: str
    action: str
    mode: str
    scan: int | None
    n_fired: int
    lead_pulses: int | None
    says: str


def first_growth(report: Report, pulses: dict[int, int]) -> list[Growth]:
    """Find for each growing metric the scan from which on it is beyond its noise.

    The spread of one scan is that of the scans before the first pulse where there are four, else
    it comes from second differences of the series, which a steady growth does not show in.

    Parameters
    ----------
    report
        As ``lithoscope report --json``.
    pulses
        Pulses before each scan.

    Returns
    -------
    list
        One for each metric that was measured in three scans or more.
    """
    found = []
    for name, sign in GROWING:
        series = [
            (scan["scan"], scan["metrics"][name]["value"], scan["metrics"][name]["unit"])
            for scan in report["scans"]
            if scan["metrics"].get(name, {}).get("value") is not None
        ]
        if len(series) < LEAST_NULL - 1:
            continue
        scans = [scan for scan, _, _ in series]
        values = np.array([value for _, value, _ in series], np.float64)
        n_null = sum(pulses.get(scan, 0) == 0 for scan in scans)
        start, spread, basis = _null(values, n_null)
        limit = start + sign * DETECTION_SD * spread
        is_beyond = sign * (values - limit) > 0
        first = next(
            (
                n
                for n in range(max(1, n_null), len(scans))
                if is_beyond[n] and (n + 1 == len(scans) or is_beyond[n + 1])
            ),
            None,
        )
        found.append(
            Growth(
                metric=name,
                unit=series[0][2],
                scan=None if first is None else scans[first],
                limit=float(limit),
                spread=float(spread),
                basis=basis,
            )
        )
    return found


def tried_rules(
    backtested: Report, modes: Mapping[str, str], pulses: dict[int, int], end_scan: int
) -> list[TriedRule]:
    """Say of each rule when it would have warned, the earliest first, then those that never did.

    Parameters
    ----------
    backtested
        Of the experiment, as ``lithoscope rules backtest --json``.
    modes
        Of the rules, by name.
    pulses
        Pulses before each scan.
    end_scan
        Scan at which a warning would have been too late.
    """
    found = []
    for row in backtested["rules"]:
        fired = [each for each in row["fired"] if each["scan"] <= end_scan]
        first = fired[0]["scan"] if fired else None
        found.append(
            TriedRule(
                rule=row["rule"],
                metric=row["metric"],
                action=row["action"],
                mode=modes.get(row["rule"], ""),
                scan=first,
                n_fired=len(fired),
                lead_pulses=None if first is None else pulses[end_scan] - pulses[first],
                says=_says(row, fired),
            )
        )
    return sorted(found, key=lambda each: (each.scan is None, each.scan or 0))


def _says(row: Report, fired: list[Report]) -> str:
    if fired:
        return f"{fired[0]['reason']} ({row['outcome']})"
    if not row["scans_with_a_number"]:
        return "its number is not known in any scan"
    n_blind = len(row["blind"])
    return f"could not see in {n_blind} scans" if n_blind else ""


def _null(values: np.ndarray[Any, np.dtype[np.float64]], n_null: int) -> tuple[float, float, str]:
    """Give value and spread where nothing has grown."""
    if n_null >= LEAST_NULL:
        null = values[:n_null]
        return (
            float(null.mean()),
            float(null.std(ddof=1)),
            f"{n_null} scans before the first pulse",
        )
    differences = values[:-2] - 2 * values[1:-1] + values[2:]
    # 1.4826: from the median of absolute values to a standard deviation; sqrt(6): as in noise.
    spread = 1.4826 * float(np.median(np.abs(differences))) / 6.0**0.5
    return float(values[0]), spread, "second differences of the series"
