"""The rules of a new experiment; ``docs/rules.md`` explains each to a user."""

from typing import Final

from lithoscope_pipeline.decide.actions import make_action
from lithoscope_pipeline.decide.rule import IMAGE_GATES, Rule

#: What is left of the gap after the next pulse, micrometres, under which cycling is held. Tuned
#: on simulated histories with one growth law left out at a time: benchmarks/results/backtest.md.
GAP_MARGIN_UM: Final = 25.0
#: A gap whose interval is not modelled may be smaller by this much: half of the interval that the
#: errors of simulated experiments have (benchmarks/results/backtest.md).
GAP_ALLOWANCE_UM: Final = 12.0
_DAY_S: Final = 86_400.0
_QUALITY: Final = ("completeness", "age")


def default_rules() -> tuple[Rule, ...]:
    """Give the rules of a new experiment."""
    return (*_protecting(), *_scanning(), *_watching())


def _protecting() -> tuple[Rule, ...]:
    return (
        Rule(
            id="remaining_gap",
            metric="remaining_gap_um",
            comparison="below",
            set_value=GAP_MARGIN_UM,
            reset_value=GAP_MARGIN_UM + 30.0,
            prediction="next_pulse",
            allowance=GAP_ALLOWANCE_UM,
            gates=IMAGE_GATES,
            action=make_action("hold"),
            then=make_action("finer_scan"),
            time_to_live_s=14_400.0,
            severity="critical",
            guidance=(
                "Look at the newest slice where the gap is smallest. If lithium bridges the "
                "electrolyte, hold the cycling; if it is a speck of noise, reject."
            ),
            mode="propose",
        ),
        Rule(
            id="soft_short_voltage",
            metric="voltage_drop_share",
            region="cell",
            comparison="above",
            # A sound pulse lies within 0.1 of the ones before it; a bridge takes a fifth or more.
            set_value=0.2,
            reset_value=0.1,
            bound="high95",
            gates=("age",),
            action=make_action("hold"),
            time_to_live_s=14_400.0,
            severity="critical",
            guidance=(
                "The potential of the last pulse collapsed: part of the current passes by the "
                "electrolyte. The bridge may lie outside the view. Hold, and look at the record."
            ),
            mode="propose",
        ),
        Rule(
            id="soft_short_image",
            metric="remaining_gap_any_um",
            comparison="below",
            set_value=5.0,
            reset_value=40.0,
            gates=IMAGE_GATES,
            action=make_action("hold"),
            time_to_live_s=14_400.0,
            severity="critical",
            guidance=(
                "Lithium reaches from one electrode to the other, pieces that have come off "
                "included. Hold, and look at the potential of the last pulse."
            ),
            mode="propose",
        ),
    )


def _scanning() -> tuple[Rule, ...]:
    return (
        Rule(
            id="fast_growth",
            metric="tip_speed_um_per_mAh_cm2",
            comparison="above",
            # 25 um a pulse of the reference cell: eleven pulses across its electrolyte.
            set_value=100.0,
            reset_value=60.0,
            k=2,
            n=3,
            bound="low95",
            gates=IMAGE_GATES,
            action=make_action("scan_more"),
            cooldown_s=7_200.0,
            max_per_hour=1,
            max_per_experiment=3,
            severity="major",
            guidance="A tip grows fast. More scans show it better and cost dose; see dose_kGy.",
        ),
        Rule(
            id="nothing_changes",
            metric="tip_speed_um_per_mAh_cm2",
            comparison="below",
            # Half a micrometre a pulse: under a tenth of a voxel of the reference experiment.
            set_value=2.0,
            reset_value=8.0,
            k=4,
            n=4,
            bound="high95",
            gates=IMAGE_GATES,
            action=make_action("scan_less"),
            cooldown_s=7_200.0,
            max_per_hour=1,
            max_per_experiment=3,
            severity="info",
            guidance="Four scans showed no growth. Fewer scans spare the polymer dose.",
        ),
        Rule(
            id="flats_drift",
            metric="flat_drift_share",
            comparison="above",
            # The share by which flats differ where sinograms begin to show rings.
            set_value=0.05,
            reset_value=0.03,
            bound="high95",
            gates=("age",),
            action=make_action("repeat_flats"),
            cooldown_s=3_600.0,
            max_per_hour=1,
            max_per_experiment=6,
            severity="minor",
            guidance="The beam has changed since the flats were taken; take new ones.",
        ),
        Rule(
            id="axis_drift",
            metric="axis_drift_px",
            comparison="above",
            set_value=2.0,
            reset_value=1.0,
            bound="high95",
            gates=_QUALITY,
            action=make_action("repeat_flats"),
            cooldown_s=3_600.0,
            max_per_hour=1,
            max_per_experiment=6,
            severity="minor",
            guidance="The rotation axis has moved since the first scan; look at the stage.",
        ),
    )


def _watching() -> tuple[Rule, ...]:
    def note(
        id_: str, metric: str, set_value: float, reset_value: float, guidance: str, **more: object
    ) -> Rule:
        parts: dict[str, object] = {
            "comparison": "above",
            "bound": "low95",
            "severity": "minor",
            "cooldown_s": 3_600.0,
            "max_per_hour": 1,
            "max_per_experiment": 20,
            "time_to_live_s": _DAY_S,
            "mode": "propose",
            **more,
        }
        return Rule(
            id=id_,
            metric=metric,
            set_value=set_value,
            reset_value=reset_value,
            action=make_action("note"),
            guidance=guidance,
            **parts,  # type: ignore[arg-type]  # names and values of fields of Rule
        )

    return (
        note(
            "void_coverage", "void_area_fraction", 0.3, 0.2,
            "Voids cover much of the interface: current gathers where contact is left.",
            gates=IMAGE_GATES, severity="major",
        ),
        note(
            "faraday_high", "ct_faraday_ratio", 3.0, 2.8,
            "More lithium is seen than the charge can have brought: look at labels and flats.",
            k=2, n=3, gates=_QUALITY, severity="major", allowance=1.0,
        ),
        note(
            "faraday_low", "ct_faraday_ratio", 0.7, 0.8,
            "Less lithium is seen than the charge brought: a soft short, a lost part, or labels.",
            k=2, n=3, gates=_QUALITY, severity="major", comparison="below", bound="high95",
            allowance=0.25,
        ),
        note(
            "disk", "free_disk_fraction", 0.1, 0.15,
            "The disk of the store fills up; move finished experiments, or end scans earlier.",
            region="machine", comparison="below", severity="major",
        ),
        note(
            "dose", "dose_budget_used", 0.8, 0.7,
            "Most of the dose budget is used: scan less often, or with fewer projections.",
            region="machine", severity="major", bound="high95",
        ),
        note(
            "beam_time", "beam_time_used", 0.9, 0.85,
            "Most of the beam time is used; plan the last scans.", region="machine",
        ),
        note(
            "late_verdicts", "late_verdict_share", 0.2, 0.1,
            "Verdicts come after the plan has gone on: look at the latency of each stage.",
            region="machine", severity="major",
        ),
    )  # fmt: skip
