"""Whether `short_eta_pulses` announces a bridge in time: histories whose errors hang together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import Report, Table
from benchmarks.warned import (
    Score,
    is_within_one_pulse,
    lead_pulses,
    share_cells,
    together,
)
from lithoscope_models.calibration.tables import CALIBRATION_FILE, read_calibration
from lithoscope_models.model_file import DEFAULT_MODEL, find_model
from lithoscope_pipeline.growth_histories import (
    LAWS,
    Fate,
    GrowthHistory,
    GrowthLaw,
    StoredResiduals,
    make_history,
)
from lithoscope_pipeline.measure.history import ComingPulse, measure_short_eta
from lithoscope_pipeline.metric import Metric

SEED = 2027
N_OF: dict[Fate, int] = {"inside": 300, "none": 300, "near_miss": 50, "outside": 50}
LIMITS = np.round(np.arange(0.5, 2.05, 0.05), 2)
Vector = NDArray[np.float64]
Cases = dict[tuple[GrowthLaw, Fate], list["Announced"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A history with ``short_eta_pulses`` of each scan; infinite where it has none."""

    history: GrowthHistory
    eta: Vector

    def lead(self, limit: float) -> float | None:
        """Give the pulses from the first scan under a limit to the bridge; None without one."""
        return lead_pulses(self.history, self.eta, limit)

    def is_alarmed(self, limit: float) -> bool:
        """Whether any scan is under a limit."""
        return bool((self.eta < limit).any())


def measure(*, is_quick: bool) -> Report:
    """Make the histories and judge them."""
    residuals = load_residuals()
    cases = make_cases(residuals, share=0.1 if is_quick else 1.0)
    n_all = sum(map(len, cases.values()))
    errors = np.concatenate(residuals.trajectories_um)
    return Report(
        title="Announcing a short",
        method=(
            f"{n_all} histories of a remaining gap, one scan a pulse, under four growth laws "
            "(`lithoscope_pipeline.growth_histories`): a gap of 200 to 350 um that closes "
            "within 6 to 40 pulses, or stops with 25 to 95 % of it left (sound) or 3 to 25 % "
            "(near miss).",
            f"Errors of the gap are the {len(residuals.trajectories_um)} whole trajectories of "
            "the calibration of the default network (first half-cycle, labels of images whose "
            f"truth is known): mean {errors.mean():+.1f} um, standard deviation "
            f"{errors.std():.1f} um, half width of the interval {residuals.half_width_um:.1f} "
            "um. They were taken every second pulse and are used as if every pulse, so that "
            "they change rather too much from scan to scan.",
            "A bridge is announced if `short_eta_pulses` is below the limit at a scan before it; "
            "in a history that never bridges that is a false alarm. In the first table the limit "
            "is tuned on three laws (the worse of missed bridges and false alarms on the worst "
            "law) and judged on the fourth; the second has the limit of 1 that is meant. Bounds "
            "are 95 % Clopper-Pearson.",
        ),
        tables=(_left_out(cases), _at_one(cases), _apart(cases)),
        packages=("numpy", "scipy"),
    )


def load_residuals() -> StoredResiduals:
    """Read the trajectories that the calibration of the default network has left."""
    found = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE)
    return StoredResiduals(
        trajectories_um=tuple(
            np.array(each.measured_um) - np.array(each.true_um) for each in found.gaps["network"]
        )
    )


def make_cases(residuals: StoredResiduals, *, share: float) -> Cases:
    """Make the histories of all laws and fates."""
    cases: Cases = {}
    for i, law in enumerate(LAWS):
        for j, (fate, n) in enumerate(N_OF.items()):
            cases[law, fate] = [
                announce(
                    make_history(
                        law, fate, residuals=residuals, rng=np.random.default_rng([SEED, i, j, k])
                    )
                )
                for k in range(max(4, round(n * share)))
            ]
    return cases


def announce(history: GrowthHistory) -> Announced:
    """Measure ``short_eta_pulses`` at each scan, from the scans until then."""
    gaps = [
        Metric(value=float(value), unit="um", low95=float(low), high95=float(high))
        for value, low, high in zip(
            history.gap_um, history.low95_um, history.high95_um, strict=True
        )
    ]
    etas = [
        measure_short_eta(
            gaps[: i + 1], [float(each) for each in range(i + 1)], coming=ComingPulse()
        ).value
        for i in range(len(gaps))
    ]
    return Announced(
        history=history, eta=np.array([np.inf if each is None else each for each in etas])
    )


def score(cases: Cases, law: GrowthLaw, limit: float) -> Score:
    """Judge one limit on one law."""
    bridged = [each for each in cases[law, "inside"] if not is_within_one_pulse(each.history)]
    leads = [each.lead(limit) for each in bridged]
    sound = cases[law, "none"]
    return Score(
        leads=tuple(lead for lead in leads if lead is not None),
        n_bridged=len(bridged),
        n_false=sum(each.is_alarmed(limit) for each in sound),
        n_sound=len(sound),
    )


def _left_out(cases: Cases) -> Table:
    rows, scores = [], []
    for law in LAWS:
        others = [each for each in LAWS if each != law]
        losses = [max(score(cases, each, limit).loss for each in others) for limit in LIMITS]
        limit = float(LIMITS[int(np.argmin(losses))])
        found = score(cases, law, limit)
        scores.append(found)
        rows.append([law.replace("_", " "), f"{limit:g}", *found.cells()])
    rows.append(["all, each left out", "", *together(scores).cells()])
    return Table(
        title="The limit tuned without the law",
        columns=("law left out", "limit", *_COLUMNS),
        rows=rows,
    )


def _at_one(cases: Cases) -> Table:
    scores = [score(cases, law, 1.0) for law in LAWS]
    rows = [
        [law.replace("_", " "), *found.cells()] for law, found in zip(LAWS, scores, strict=True)
    ]
    rows.append(["all", *together(scores).cells()])
    return Table(title="Below 1", columns=("law", *_COLUMNS), rows=rows)


def _apart(cases: Cases) -> Table:
    sudden = [
        each for law in LAWS for each in cases[law, "inside"] if is_within_one_pulse(each.history)
    ]
    outside = [each for law in LAWS for each in cases[law, "outside"]]
    near = [each for law in LAWS for each in cases[law, "near_miss"]]
    return Table(
        title="Listed apart, below 1",
        columns=("histories", "announced", "95 %"),
        rows=[
            ["bridge within one pulse", *share_cells(sum(_leads(sudden)), len(sudden))],
            ["bridge outside the view", *share_cells(sum(_leads(outside)), len(outside))],
            [
                "near miss, 3 to 25 % of the gap left",
                *share_cells(sum(each.is_alarmed(1.0) for each in near), len(near)),
            ],
        ],
    )


_COLUMNS = (
    "announced",
    "95 %",
    "false alarms",
    "95 %",
    "lead in pulses: 5 %, median, 95 %",
)


def _leads(cases: Sequence[Announced]) -> list[bool]:
    return [each.lead(1.0) is not None for each in cases]
