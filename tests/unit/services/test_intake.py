"""The intake of one scan: blocks that do not depend on restarts, and its account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest

from lithoscope_messages import (
    ExpectedCount,
    FrameHeader,
    FrameKind,
    FramesStored,
    MessageError,
    ScanStarted,
)
from lithoscope_services.intake import BLOCK, ScanIntake
from lithoscope_store import ExperimentPaths, Store

SHAPE = (2, 4)
N_PROJECTIONS = 2 * BLOCK + 10


def scan_started(n_projections: int = N_PROJECTIONS) -> ScanStarted:
    return ScanStarted(
        experiment="cell",
        key="0",
        time_ns=1,
        producer="test",
        scan=0,
        expected=(
            ExpectedCount(kind="flat", count=2),
            ExpectedCount(kind="projection", count=n_projections),
        ),
        frame_shape=SHAPE,
        dtype="uint16",
        voxel_size_um=1.0,
    )


@pytest.fixture
def paths(tmp_path: Path) -> ExperimentPaths:
    found = Store(tmp_path).experiment("cell")
    found.create()
    return found


@pytest.fixture
def intake(paths: ExperimentPaths) -> Iterator[ScanIntake]:
    made = ScanIntake(paths, scan_started(), 90.0)
    yield made
    made.close()


def frame(kind_sent: FrameKind, number: int, /, **changes: Any) -> tuple[FrameHeader, bytes]:
    payload = np.full(SHAPE, number, np.uint16).tobytes()
    parts: dict[str, Any] = {
        "experiment": "cell",
        "scan": 0,
        "kind": kind_sent,
        "index": number,
        "session": "0" * 32,
        "sequence": number,
        "theta_deg": 180.0 * number / N_PROJECTIONS if kind_sent == "projection" else None,
        "time_ns": 0,
        "dtype": "uint16",
        "shape": SHAPE,
        "crc32c": google_crc32c.value(payload),
    }
    return FrameHeader.model_validate(parts | changes), payload


def take(intake: ScanIntake, kind: FrameKind, indices: list[int]) -> None:
    for index in indices:
        intake.write(*frame(kind, index))
    intake.commit()


def announce(intake: ScanIntake, *, close: bool) -> list[tuple[str, int, int]]:
    """Announce what is due, as the journal would."""
    due = [(key, first, count) for key, first, count in intake.blocks(close=close)]
    for (tile, kind, set_), first, count in due:
        intake.announced(
            FramesStored(
                experiment="cell",
                key=f"{kind}{first}",
                time_ns=1,
                producer="test",
                scan=0,
                tile=tile,
                kind=kind,
                set=set_,
                first=first,
                count=count,
            )
        )
    return [(kind, first, count) for (_, kind, _), first, count in due]


def test_blocks_are_announced_once_when_they_are_full(intake: ScanIntake) -> None:
    take(intake, "projection", list(range(BLOCK - 1)))
    before = announce(intake, close=False)
    take(intake, "projection", [BLOCK - 1, BLOCK])

    assert before == []
    assert announce(intake, close=False) == [("projection", 0, BLOCK)]
    assert announce(intake, close=False) == []


def test_a_block_that_the_journal_did_not_take_is_due_again(intake: ScanIntake) -> None:
    take(intake, "projection", list(range(BLOCK)))

    first, again = intake.blocks(close=False), intake.blocks(close=False)

    assert first == again
    assert len(first) == 1


def test_the_end_announces_what_is_left_and_nothing_that_is_empty(intake: ScanIntake) -> None:
    take(intake, "projection", [*range(BLOCK), N_PROJECTIONS - 1])
    announce(intake, close=False)

    assert announce(intake, close=True) == [("projection", 2 * BLOCK, 1)]


def test_blocks_are_the_same_whenever_ingest_was_restarted(paths: ExperimentPaths) -> None:
    first = ScanIntake(paths, scan_started(), 90.0)
    take(first, "projection", list(range(0, N_PROJECTIONS, 2)))
    assert announce(first, close=False) == []
    first.close()

    second = ScanIntake(paths, scan_started(), 90.0)
    take(second, "projection", list(range(N_PROJECTIONS)))
    found = announce(second, close=True)
    second.close()

    assert found == [
        ("projection", 0, BLOCK),
        ("projection", BLOCK, BLOCK),
        ("projection", 128, 10),
    ]


def test_doubles_are_stored_once(intake: ScanIntake) -> None:
    assert intake.write(*frame("flat", 0))
    take(intake, "flat", [0, 1])

    assert not intake.write(*frame("flat", 0))
    assert intake.n_stored == 2


def test_a_double_is_counted_once_however_often_its_message_comes(intake: ScanIntake) -> None:
    intake.write(*frame("flat", 0))
    # The same message again, the frame in another message, and that one again.
    intake.write(*frame("flat", 0))
    intake.write(*frame("flat", 0, sequence=7))
    intake.write(*frame("flat", 0, sequence=7), is_again=True)
    take(intake, "flat", [1])

    flats, projections = intake.account().sets

    assert (flats.doubled, projections.doubled) == (1, 0)


def test_a_source_that_was_restarted_doubles_nothing(intake: ScanIntake) -> None:
    take(intake, "flat", [0, 1])

    intake.write(*frame("flat", 0, session="1" * 32, sequence=90))

    assert intake.account().doubled == 0


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("changes", [{"crc32c": 1}, {"theta_deg": 1.0}], ids=["pixels", "angle"])
def test_another_frame_under_the_same_key_is_a_conflict_and_the_first_stands(
    intake: ScanIntake, is_committed: bool, changes: dict[str, Any]
) -> None:
    intake.write(*frame("projection", 3))
    if is_committed:
        intake.commit()

    with pytest.raises(MessageError, match=r"^conflict: projection 3 of scan 0"):
        intake.write(*frame("projection", 3, sequence=99, **changes))

    assert len(intake.commit()) == (0 if is_committed else 1)
    assert intake.n_stored == 1


def test_a_frame_damaged_on_its_way_is_refused_and_may_come_again(intake: ScanIntake) -> None:
    header, payload = frame("flat", 0)

    with pytest.raises(MessageError, match=r"^crc32c: flat 0 of scan 0 was damaged"):
        intake.write(header, payload[::-1].replace(b"\0", b"\1"))
    intake.write(header, payload)

    assert len(intake.commit()) == 1


def test_what_was_counted_outlives_ingest(paths: ExperimentPaths) -> None:
    first = ScanIntake(paths, scan_started(), 90.0)
    take(first, "flat", [0])
    first.write(*frame("flat", 0, sequence=7))
    first.tally.reject("shape")
    first.commit()
    first.close()

    second = ScanIntake(paths, scan_started(), 90.0)
    take(second, "flat", [0, 1])
    account = second.account()
    second.close()

    assert account.anomalies == {"missing": N_PROJECTIONS, "doubled": 1, "rejected": 1}


def test_frames_count_only_after_their_commit(intake: ScanIntake) -> None:
    intake.write(*frame("flat", 0))
    before = intake.n_stored

    intake.commit()

    assert (before, intake.n_stored) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": (4, 2)}, "shape"),
        ({"dtype": "float32"}, "announced uint16"),
        ({"codec": "bslz4"}, "send none"),
        ({"index": N_PROJECTIONS}, "were announced"),
        ({"set": 1}, "not announced"),
        ({"tile": 1}, "not announced"),
        ({"kind": "dark"}, "not announced"),
    ],
    ids=["shape", "dtype", "codec", "index", "set", "tile", "kind"],
)
def test_a_frame_that_was_not_announced_is_refused(
    intake: ScanIntake, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MessageError, match=reason):
        intake.write(*frame("projection", 0, **changes))

    assert intake.commit() == []


def test_the_account_of_a_whole_scan_misses_nothing(intake: ScanIntake) -> None:
    take(intake, "flat", [0, 1])
    take(intake, "projection", list(range(N_PROJECTIONS)))

    account = intake.account()

    assert (account.missing, account.completeness) == (0, 1.0)
    # Angles are even on the half-turn: every gap is the step, and edge-on is not thin.
    assert account.largest_gap_deg == pytest.approx(180.0 / N_PROJECTIONS)
    assert account.edge_on_coverage == 1.0


def test_the_account_says_how_much_is_missing_and_where_it_gapes(intake: ScanIntake) -> None:
    step_deg = 180.0 / N_PROJECTIONS
    # Within 15 degrees of edge-on, at 90 degrees, nothing was taken.
    taken = [i for i in range(N_PROJECTIONS) if abs(i * step_deg - 90.0) > 15.0]
    take(intake, "projection", taken)

    account = intake.account()

    assert account.missing == N_PROJECTIONS - len(taken) + 2
    assert account.completeness == pytest.approx(len(taken) / N_PROJECTIONS)
    assert account.largest_gap_deg == pytest.approx(30.0, abs=2 * step_deg)
    assert account.edge_on_coverage == 0.0


def test_an_empty_scan_has_an_account_too(intake: ScanIntake) -> None:
    account = intake.account()

    assert account.missing == N_PROJECTIONS + 2
    assert (account.completeness, account.largest_gap_deg) == (0.0, None)


def test_the_root_of_all_keys_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    hashes = []
    for name, indices in (("a", [0, 1, 2]), ("b", [2, 0, 1])):
        paths = Store(tmp_path).experiment(name)
        paths.create()
        made = ScanIntake(paths, scan_started(3), 90.0)
        take(made, "projection", indices)
        hashes.append(made.frames_sha256())
        made.close()

    assert hashes[0] == hashes[1]
