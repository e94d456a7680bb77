"""The fold of a journal into a report, from entries made by hand."""

import hashlib
from typing import Any

import pytest

from lithoscope_messages import (
    ActionApproved,
    Entry,
    Hops,
    JournalMessage,
    MetricsReady,
    MetricValue,
    ProposalMade,
    ScanAccount,
    ScanCompleted,
    ScanDecided,
    ScanPhase,
    ScanStarted,
    SetAccount,
    StageFailed,
    VolumeReady,
)
from lithoscope_services.cli.tables import print_report
from lithoscope_services.report import make_report, metrics_as_csv, report_as_csv

SECOND_NS = 10**9
ZEROS = "0" * 64


def envelope(scan: int, time_s: float, received_s: float | None = None) -> dict[str, Any]:
    hops = None
    if received_s is not None:
        hops = Hops(
            received_ns=int(received_s * SECOND_NS),
            started_ns=int(received_s * SECOND_NS),
            finished_ns=int(time_s * SECOND_NS),
            duration_s=time_s - received_s,
        )
    return {
        "experiment": "cell-7",
        "key": f"{scan}-{time_s}",
        "time_ns": int(time_s * SECOND_NS),
        "producer": "test",
        "scan": scan,
        "hops": hops,
    }


def entries_of(*messages: JournalMessage) -> list[Entry]:
    return [
        Entry(
            number=number,
            appended_ns=0,
            previous_hash=ZEROS,
            hash=hashlib.sha256(str(number).encode()).hexdigest(),
            message=message,
        )
        for number, message in enumerate(messages, start=1)
    ]


def started(scan: int) -> ScanStarted:
    return ScanStarted(
        **envelope(scan, 1.0),
        expected=(),
        frame_shape=(24, 192),
        dtype="uint16",
        voxel_size_um=4.5,
        phase=ScanPhase(experiment_time_s=1800.0 * scan, half_cycle=scan // 2),
    )


def completed(scan: int) -> ScanCompleted:
    account = ScanAccount(sets=(), missing=18, completeness=0.9)
    return ScanCompleted(
        **envelope(scan, 10.0), reason="scan_end", account=account, frames_sha256=ZEROS
    )


def measured(scan: int, gap_um: float) -> MetricsReady:
    return MetricsReady(
        **envelope(scan, 15.0, received_s=13.0),
        work_key=ZEROS,
        experiment_time_s=1800.0 * scan,
        charge_mAh=0.125 * scan,
        cycle=0,
        half_cycle=scan // 2,
        completeness=0.9,
        metrics={
            "remaining_gap_um": MetricValue(
                value=gap_um, unit="um", flags=("interval_not_modelled",)
            ),
            "ct_faraday_ratio": MetricValue(value=None, unit="1", flags=("less_than_one_pulse",)),
        },
    )


def decided(scan: int) -> ScanDecided:
    return ScanDecided(
        **envelope(scan, 16.5, received_s=15.5),
        verdict="continue",
        rules_evaluated=("remaining_gap",),
    )


def failed(scan: int) -> StageFailed:
    return StageFailed(
        **envelope(scan, 12.0), stage="reconstruct", attempts=3, error="no rotation axis"
    )


def test_a_scan_is_listed_with_all_that_is_known_of_it() -> None:
    volume = VolumeReady(
        **envelope(0, 13.0, received_s=10.5),
        stage="reconstruct",
        work_key=ZEROS,
        path="reconstructions/0000-00000000.zarr",
        shape=(24, 192, 192),
        voxel_um=4.5,
        sha256=ZEROS,
    )

    report = make_report(
        "cell-7", entries_of(started(0), completed(0), volume, measured(0, 280.0), decided(0))
    )

    assert report["experiment"] == "cell-7"
    (scan,) = report["scans"]
    assert scan["metrics"]["remaining_gap_um"] == {
        "value": 280.0,
        "unit": "um",
        "low95": None,
        "high95": None,
        "voxels": None,
        "flags": ["interval_not_modelled"],
    }
    assert scan["latency_s"] == {
        "reconstruct": pytest.approx(2.5),
        "measure": pytest.approx(2.0),
        "decide": pytest.approx(1.0),
        "total": pytest.approx(6.5),
    }
    assert {key: scan[key] for key in ("scan", "time_s", "charge_mAh", "completeness")} == {
        "scan": 0,
        "time_s": 0.0,
        "charge_mAh": 0.0,
        "completeness": 0.9,
    }


def test_the_account_of_a_scan_is_told_with_its_anomalies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = ScanAccount(
        sets=(SetAccount(tile=0, kind="projection", set=0, expected=180, stored=162),),
        missing=18,
        doubled=2,
        rejected={"shape": 3, "conflict": 1},
        largest_gap_deg=4.0,
        completeness=0.9,
        edge_on_coverage=0.875,
    )
    fact = completed(0).model_copy(update={"account": account})

    report = make_report("cell-7", entries_of(started(0), fact, started(1)))
    print_report(report)

    found = report["scans"][0]["account"]
    assert found["anomalies"] == {"missing": 18, "doubled": 2, "rejected": 4}
    assert (found["expected"], found["stored"], found["missing"]) == (180, 162, 18)
    assert report["scans"][1]["account"] is None
    line = " ".join(capsys.readouterr().out.split())
    assert (
        "scan 0*: frames: 18 of 180 missing, 2 doubled, 4 rejected (shape 3, conflict 1); "
        "largest gap 4.00°, near edge-on 87.5 % there"
    ) in line


def test_a_scan_under_way_has_no_metrics_yet() -> None:
    report = make_report("cell-7", entries_of(started(4)))

    (scan,) = report["scans"]
    assert (scan["scan"], scan["time_s"], scan["half_cycle"]) == (4, 7200.0, 2)
    assert scan["metrics"] == {}
    assert scan["charge_mAh"] is None


def test_scans_are_in_order_whatever_order_they_came_in() -> None:
    report = make_report(
        "cell-7", entries_of(measured(2, 1.0), measured(0, 3.0), measured(1, 2.0))
    )

    assert [scan["scan"] for scan in report["scans"]] == [0, 1, 2]


def test_of_a_repeated_work_the_newest_result_counts() -> None:
    report = make_report("cell-7", entries_of(measured(0, 280.0), measured(0, 279.0)))

    assert report["scans"][0]["metrics"]["remaining_gap_um"]["value"] == 279.0


def test_a_failure_is_listed() -> None:
    report = make_report("cell-7", entries_of(started(0), failed(0)))

    assert report["failures"] == [
        {"scan": 0, "stage": "reconstruct", "attempts": 3, "error": "no rotation axis"}
    ]


def test_a_failure_that_was_overcome_is_not_listed() -> None:
    report = make_report("cell-7", entries_of(started(0), failed(0), measured(0, 280.0)))

    assert report["failures"] == []


def test_decisions_are_told_in_their_order_without_envelopes() -> None:
    proposal = ProposalMade(
        **envelope(1, 16.0),
        proposal="p-1",
        rule="remaining_gap",
        rule_sha256=ZEROS,
        action="hold",
        rule_class="reduces_risk",
        mode="propose",
        evidence=(),
        reason="remaining_gap_um is 76 um, below 120 um",
        experiment_time_s=1800.0,
        expires_s=None,
    )
    answer = ActionApproved(**envelope(1, 17.0), proposal="p-1", person="Ada", reason="seen it")

    report = make_report("cell-7", entries_of(started(1), proposal, decided(1), answer))

    assert [fact["type"] for fact in report["decisions"]] == [
        "ProposalMade",
        "ScanDecided",
        "ActionApproved",
    ]
    assert report["decisions"][2] == {
        "type": "ActionApproved",
        "time_ns": 17 * SECOND_NS,
        "scan": 1,
        "proposal": "p-1",
        "person": "Ada",
        "reason": "seen it",
    }


def test_csv_has_one_line_for_each_metric_of_each_scan() -> None:
    report = make_report("cell-7", entries_of(measured(0, 280.0), measured(1, 270.0)))

    lines = report_as_csv(report).splitlines()

    assert lines[0].startswith("scan,time_s,charge_mAh,cycle,half_cycle,completeness,metric,value")
    assert lines[4] == "1,1800.0,0.125,0,0,0.9,remaining_gap_um,270.0,um,,,,interval_not_modelled"
    assert len(lines) == 5


def test_csv_of_one_label_volume_has_one_line_for_each_metric() -> None:
    metrics = make_report("cell-7", entries_of(measured(0, 280.0)))["scans"][0]["metrics"]

    assert metrics_as_csv(metrics).splitlines()[1] == "ct_faraday_ratio,,1,,,,less_than_one_pulse"
