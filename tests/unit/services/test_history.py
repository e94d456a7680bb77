"""The fold of a journal: what stages, ingest and people on the command line see of it."""

import random
from typing import Any

import pytest

from lithoscope_messages import (
    ApprovalRequested,
    ElectrochemistryAppended,
    Entry,
    ExperimentDescription,
    ExperimentEnded,
    ExperimentStarted,
    JournalMessage,
    RetryRequested,
    ScanAccount,
    ScanCompleted,
    ScanDecided,
    ScanStarted,
    StageFailed,
    WorkStarted,
)
from lithoscope_services.history import History

KEY = "ab" * 32


def parts(key: str, **more: Any) -> dict[str, Any]:
    return {"experiment": "cell", "key": key, "time_ns": 1, "producer": "test", **more}


def folded(*messages: JournalMessage) -> History:
    history = History("cell")
    history.extend(
        Entry(number=number, appended_ns=0, previous_hash=KEY, hash=KEY, message=message)
        for number, message in enumerate(messages, start=1)
    )
    return history


def begun() -> ExperimentStarted:
    return ExperimentStarted(
        **parts("cell"), description=ExperimentDescription(), settings={}, format_version=1
    )


def scan_begun(scan: int) -> ScanStarted:
    return ScanStarted(
        **parts(str(scan), scan=scan),
        expected=(),
        frame_shape=(1, 1),
        dtype="uint16",
        voxel_size_um=1.0,
    )


def completed(scan: int) -> ScanCompleted:
    account = ScanAccount(
        sets=(),
        missing=0,
        largest_gap_deg=None,
        completeness=1.0,
        edge_on_coverage=None,
    )
    return ScanCompleted(
        **parts(str(scan), scan=scan), reason="scan_end", account=account, frames_sha256=KEY
    )


def work(attempt: int) -> WorkStarted:
    return WorkStarted(
        **parts(f"{KEY}:{attempt}", scan=0), stage="segment", work_key=KEY, attempt=attempt
    )


def failed(stage: str = "segment", scan: int = 0) -> StageFailed:
    return StageFailed.model_validate(
        parts(f"{stage}:{scan}", scan=scan, stage=stage, work_key=KEY, attempts=3, error="no")
    )


def retry(stage: str = "segment", scan: int = 0, key: str = "again") -> RetryRequested:
    return RetryRequested(**parts(key), person="somebody", scan=scan, stage=stage)


def decided(scan: int) -> ScanDecided:
    return ScanDecided.model_validate(
        parts(
            f"{scan}:0",
            scan=scan,
            inputs=(),
            parameters_sha256=KEY,
            algorithm_version=1,
            verdict="continue",
            rules_evaluated=(),
            rules_fired=(),
            proposals=(),
        )
    )


def charge(first: int, time_s: float, charge_mAh: float) -> ElectrochemistryAppended:  # noqa: N803
    return ElectrochemistryAppended(
        **parts(str(first)), first=first, count=1, time_s=time_s, charge_mAh=charge_mAh
    )


def test_scans_come_by_number_whatever_the_order_of_their_facts() -> None:
    history = folded(begun(), scan_begun(2), scan_begun(0), completed(1))

    assert [scan.scan for scan in history.in_order()] == [0, 1, 2]
    assert history.number == 4


def test_reading_in_pages_gives_the_same_as_reading_at_once() -> None:
    messages: list[JournalMessage] = [
        begun(),
        scan_begun(0),
        completed(0),
        work(1),
        failed(),
        retry(),
        decided(0),
    ]
    whole = folded(*messages)
    cut = random.Random(1).randrange(1, len(messages))
    paged = History("cell")
    for first, part in ((0, messages[:cut]), (cut, messages[cut:])):
        paged.extend(
            Entry(number=first + i, appended_ns=0, previous_hash=KEY, hash=KEY, message=message)
            for i, message in enumerate(part, start=1)
        )

    assert paged == whole


def test_the_failure_of_a_scan_is_that_of_its_first_stage_that_failed() -> None:
    history = folded(failed("measure"), failed("register"))

    failure = history.scans[0].failure
    assert failure is not None
    assert failure.stage == "register"


def test_troubles_of_ingest_do_not_give_a_scan_up() -> None:
    assert folded(failed("ingest")).scans[0].failure is None


def test_a_retry_forgets_the_failure_and_what_hung_on_it() -> None:
    history = folded(completed(0), failed(), decided(0), retry())

    scan = history.scans[0]
    assert scan.failure is None
    assert scan.decided is None
    assert KEY not in history.given_up
    assert history.retries == {(0, "segment"): 1}


def test_a_retry_gives_a_task_that_was_begun_too_often_all_its_starts_again() -> None:
    starts = [work(attempt) for attempt in range(1, 13)]

    before, after = folded(*starts, failed()), folded(*starts, failed(), retry(), work(13))

    assert before.starts_of(KEY) == 12
    assert KEY in before.given_up
    assert after.starts_of(KEY) == 1
    assert after.attempts[KEY] == 13  # the keys of WorkStarted go on from there


@pytest.mark.parametrize(
    ("messages", "is_settled"),
    [
        ((scan_begun(0),), False),
        ((scan_begun(0), completed(0)), False),
        ((scan_begun(0), completed(0), decided(0)), True),
        ((scan_begun(0), completed(0), failed("segment")), False),
        ((scan_begun(0), completed(0), failed("decide")), True),
    ],
    ids=["running", "completed", "decided", "blind", "undecidable"],
)
def test_a_scan_is_settled_when_nothing_more_will_be_said_of_it(
    messages: tuple[JournalMessage, ...], is_settled: bool
) -> None:
    assert folded(*messages).scans[0].is_settled == is_settled


def test_the_charge_is_that_of_the_last_sample_before() -> None:
    history = folded(charge(0, 10.0, 1.0), charge(1, 20.0, 2.0))

    assert history.charge_mAh_at(5.0) is None
    assert history.charge_mAh_at(10.0) == 1.0
    assert history.charge_mAh_at(19.9) == 1.0
    assert history.charge_mAh_at(99.0) == 2.0


def test_requests_of_people_are_kept_in_their_order() -> None:
    first = ApprovalRequested(**parts("a"), person="somebody", proposal="p1")
    second = ApprovalRequested(**parts("b"), person="somebody", proposal="p2")

    history = folded(first, second)

    assert [entry.message for entry in history.requests] == [first, second]


def test_an_end_is_known() -> None:
    ended = ExperimentEnded(**parts("end"), n_scans=0)

    assert folded(begun()).ended is None
    assert folded(begun(), ended).ended == ended
