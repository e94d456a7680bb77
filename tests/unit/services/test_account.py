"""The account of a scan, against counts made by hand."""

from pathlib import Path

import numpy as np
import pytest

from lithoscope_messages import ExpectedCount, FrameKey, FrameKind, ScanAccount, ScanEnd
from lithoscope_services.account import Tally, close_account, count_late
from lithoscope_store import FrameRecord

N = 180
EXPECTED = (
    ExpectedCount(kind="dark", count=2),
    ExpectedCount(kind="flat", count=3),
    ExpectedCount(kind="projection", count=N),
    ExpectedCount(kind="flat", set=1, count=3),
)
ONE, TWO = "1" * 32, "2" * 32


def record(
    index: int,
    *,
    kind: FrameKind = "projection",
    set: int = 0,
    tile: int = 0,
    sequence: int | None = None,
    session: str = ONE,
    step_deg: float = 1.0,
) -> FrameRecord:
    return FrameRecord(
        key=FrameKey(scan=0, tile=tile, kind=kind, set=set, index=index),
        sequence=index if sequence is None else sequence,
        session=session,
        theta_deg=index * step_deg if kind == "projection" else None,
        theta_source="frame",
        time_ns=0,
        crc32c=0,
        dtype="uint16",
        shape=(2, 2),
    )


def whole() -> list[FrameRecord]:
    """Give the records of a scan that lacks nothing."""
    return [
        record(index, kind=each.kind, set=each.set)
        for each in EXPECTED
        for index in range(each.count)
    ]


def scan_end(rejected: dict[str, int] | None = None, fetched: int = 0) -> ScanEnd:
    return ScanEnd(
        experiment="cell",
        scan=0,
        session=ONE,
        sequence=0,
        time_ns=0,
        rejected=rejected or {},
        fetched=fetched,
    )


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    return Tally.load(tmp_path / "tally.json")


def account_of(
    records: list[FrameRecord],
    tally: Tally,
    *,
    expected: tuple[ExpectedCount, ...] = EXPECTED,
    said: ScanEnd | None = None,
) -> ScanAccount:
    return close_account(expected, records, tally, said=said, edge_on_deg=90.0)


def test_a_whole_scan_has_no_anomalies(tally: Tally) -> None:
    account = account_of(whole(), tally, said=scan_end())

    assert account.anomalies == {}
    assert (account.expected, account.stored, account.completeness) == (188, 188, 1.0)
    assert account.turn_deg == 180
    assert account.largest_gap_deg == pytest.approx(1.0)
    assert account.edge_on_coverage == 1.0


def test_one_view_lost_near_edge_on_is_not_hidden_by_the_others(tally: Tally) -> None:
    lost = [each for each in whole() if each.key != record(100).key]

    account = account_of(lost, tally)

    # From 75 to 105 degrees there are 31 views.
    assert account.edge_on_coverage == pytest.approx(30 / 31)
    assert account.largest_gap_deg == pytest.approx(2.0)
    assert account.missing == 1


def test_views_lost_face_on_do_not_count_near_edge_on(tally: Tally) -> None:
    lost = [each for each in whole() if each.key.kind != "projection" or each.key.index >= 36]

    account = account_of(lost, tally)

    assert account.completeness == pytest.approx(0.8)
    assert account.edge_on_coverage == 1.0
    assert account.largest_gap_deg == pytest.approx(37.0)


def test_lost_golden_angles_near_edge_on_are_counted(tally: Tally) -> None:
    golden_deg = 180.0 * (np.sqrt(5.0) - 1.0) / 2.0
    expected = (ExpectedCount(kind="projection", count=N),)
    views = [record(index, step_deg=golden_deg) for index in range(N)]
    near = [v for v in views if abs((v.theta_deg or 0.0) % 180.0 - 90.0) <= 15.0]
    lost = near[::5]

    account = account_of([v for v in views if v not in lost], tally, expected=expected)

    assert account.edge_on_coverage == pytest.approx(1.0 - len(lost) / len(near))


def test_a_scan_all_around_is_judged_on_the_whole_turn(tally: Tally) -> None:
    expected = (ExpectedCount(kind="projection", count=N),)
    views = [record(i, step_deg=2.0) for i in range(N) if not 50 <= i < 60]

    account = account_of(views, tally, expected=expected)

    assert account.turn_deg == 360
    assert account.largest_gap_deg == pytest.approx(22.0)


def test_without_edge_on_angle_nothing_is_said_of_it(tally: Tally) -> None:
    account = close_account(EXPECTED, whole(), tally, said=None, edge_on_deg=None)

    assert account.edge_on_coverage is None


def test_the_worst_tile_stands_for_the_scan(tally: Tally) -> None:
    expected = tuple(ExpectedCount(tile=tile, kind="projection", count=N) for tile in (0, 1))
    views = [record(i, tile=tile) for tile in (0, 1) for i in range(N)]
    holed = [v for v in views if v.key.tile == 0 or not 85 <= v.key.index < 95]

    account = account_of(holed, tally, expected=expected)

    assert account.largest_gap_deg == pytest.approx(11.0)
    assert account.edge_on_coverage == pytest.approx(21 / 31)
    assert [each.largest_gap_deg for each in account.sets] == pytest.approx([1.0, 11.0])
    assert [each.edge_on_coverage for each in account.sets] == pytest.approx([1.0, 21 / 31])


def test_a_tile_without_any_view_is_a_gap_of_the_whole_turn(tally: Tally) -> None:
    expected = tuple(ExpectedCount(tile=tile, kind="projection", count=N) for tile in (0, 1))

    account = account_of([record(i) for i in range(N)], tally, expected=expected)

    assert (account.largest_gap_deg, account.edge_on_coverage) == (180.0, 0.0)


def test_a_scan_that_never_came_near_edge_on_has_nothing_of_it(tally: Tally) -> None:
    expected = (ExpectedCount(kind="projection", count=60),)

    account = account_of([record(i) for i in range(60)], tally, expected=expected)

    assert account.edge_on_coverage == 0.0


def test_frames_sent_after_later_ones_are_late() -> None:
    sent = [0, 1, 5, 2, 3, 4, 6, 9, 7]

    assert count_late([record(i, sequence=n) for n, i in enumerate(sent)]) == 4


def test_what_ingest_stored_out_of_order_after_its_restart_is_not_late() -> None:
    # Sent in order; 3 and 4 were under way when ingest was killed and came again after 5.
    assert count_late([record(i) for i in (0, 1, 2, 5, 3, 4)]) == 0


def test_what_a_restarted_source_adds_behind_the_others_is_late() -> None:
    first = [record(i) for i in (0, 1, 2, 4)]
    second = [record(3, session=TWO, sequence=3), record(5, session=TWO, sequence=5)]

    assert count_late([*first, *second]) == 1


def test_the_source_and_ingest_count_together(tally: Tally) -> None:
    tally.reject("shape")
    tally.reject("shape")
    tally.abandoned = 2
    tally.doubled[0, "flat", 0] = 3

    account = account_of(
        whole(), tally, said=scan_end({"shape": 1, "doubled": 4, "image_is_complete": 5}, 6)
    )

    assert account.rejected == {"image_is_complete": 5, "shape": 3}
    assert account.anomalies == {"doubled": 7, "fetched": 6, "abandoned": 2, "rejected": 8}
    assert [each.doubled for each in account.sets] == [0, 3, 0, 0]


def test_what_was_counted_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "tally.json"
    first = Tally.load(path)
    first.reject("conflict")
    first.doubled[1, "flat", 2] = 3
    first.abandoned = 4
    first.save()

    second = Tally.load(path)
    second.reject("conflict")

    assert (second.rejected, second.abandoned) == ({"conflict": 2}, 4)
    assert second.doubled == {(1, "flat", 2): 3}


def test_a_scan_without_anomalies_writes_no_file(tmp_path: Path) -> None:
    tally = Tally.load(tmp_path / "tally.json")

    tally.save()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rejected": 3}', '{"rejected": {}}', "null"])
def test_a_damaged_file_of_counts_counts_for_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tally.json"
    path.write_text(text)

    tally = Tally.load(path)

    assert (tally.rejected, tally.doubled, tally.abandoned) == ({}, {}, 0)
