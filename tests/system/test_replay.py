"""A stored experiment again through real processes: the same labels, metrics and decisions."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo_process import entries
from recorded_experiment import DARK_SCAN, N_SCANS, SILENT_SCAN, journal_of, record_experiment
from small_experiment import make_experiment
from waiting import until

from lithoscope_messages import (
    ElectrochemistryAppended,
    Entry,
    ExperimentStarted,
    ReplayControlRequested,
    ScanCompleted,
    ScanStarted,
    StageFailed,
)
from lithoscope_services.errors import InstanceError, ServiceError
from lithoscope_services.instance import Instance
from lithoscope_services.replay.launch import ReplayOptions, run_replay
from lithoscope_services.settings import Settings
from lithoscope_store import FrameReader, Store, read_electrochemistry, verify_manifest

pytestmark = pytest.mark.system
NAME, UNFINISHED = "cell", "unfinished"
#: In the normal run three scans of five, at one speed.
N_FEW = 3


@pytest.fixture(scope="module")
def n_scans(is_soak: bool) -> int:
    return N_SCANS if is_soak else N_FEW


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, n_scans: int) -> Path:
    """An experiment with lost frames, a restart of two services and a scan that failed."""
    root = tmp_path_factory.mktemp("store")
    record_experiment(root, NAME, n_scans=n_scans)
    make_experiment(Store(root), UNFINISHED, is_sealed=False)
    return root


@pytest.mark.timeout(900)
@pytest.mark.parametrize("speed", ["20", "max", "1"])
def test_a_replay_comes_to_the_same_labels_metrics_and_decisions(
    store: Path, n_scans: int, speed: str, is_soak: bool
) -> None:
    if speed != "20" and not is_soak:
        pytest.skip("at this speed too with --soak")
    name = f"{NAME}-at-{speed}"
    rate = None if speed == "max" else float(speed)

    result = run_replay(
        ReplayOptions(store=store, experiment=NAME, name=name, speed=rate, has_page=False)
    )

    assert result.outcome is not None
    assert result.outcome.differences == ()
    assert result.outcome.n_scans == n_scans
    assert result.outcome.n_labels == n_scans - 1
    found, original = entries(store, name), entries(store, NAME)
    started = next(e.message for e in found if isinstance(e.message, ExperimentStarted))
    assert started.description.source == "replay"
    assert started.description.made_from == NAME
    failed = [e.message.scan for e in found if isinstance(e.message, StageFailed)]
    assert failed == [DARK_SCAN]
    assert accounts(found) == accounts(original)
    assert samples(found) == samples(original)
    check_frames(store, name, n_scans)
    assert verify_manifest(Store(store).experiment(name)) == []
    # Nothing of the original was touched, nor of what somebody has left unfinished.
    assert len(entries(store, UNFINISHED)) == 17
    assert verify_manifest(Store(store).experiment(NAME)) == []


def accounts(found: list[Entry]) -> dict[int, object]:
    """Give how each scan was closed; which set a double belonged to is not known again."""
    closed: dict[int, object] = {}
    for entry in found:
        fact = entry.message
        if isinstance(fact, ScanCompleted):
            parts = fact.account.model_dump(exclude={"sets": {"__all__": {"doubled"}}})
            closed[fact.scan] = (fact.reason, fact.frames_sha256, parts)
    return closed


def samples(found: list[Entry]) -> list[object]:
    return [
        (e.message.first, e.message.count, e.message.charge_mAh)
        for e in found
        if isinstance(e.message, ElectrochemistryAppended)
    ]


def check_frames(store: Path, name: str, n_scans: int) -> None:
    """Frames, angles and recorded times are those of the original, and so are the samples."""
    ours, theirs = Store(store).experiment(name), Store(store).experiment(NAME)
    for scan in range(n_scans):
        now, before = FrameReader(ours, scan, 0), FrameReader(theirs, scan, 0)
        assert now.keys == before.keys
        for key in now.keys:
            record, old = now.record(key), before.record(key)
            assert (record.crc32c, record.theta_deg, record.time_ns, record.theta_source) == (
                old.crc32c,
                old.theta_deg,
                old.time_ns,
                old.theta_source,
            )
    left, right = read_electrochemistry(ours), read_electrochemistry(theirs)
    assert left.charge_mAh.tolist() == right.charge_mAh.tolist()


def test_the_original_had_all_that_can_go_wrong(store: Path, n_scans: int) -> None:
    closed = {
        entry.message.scan: entry.message
        for entry in entries(store, NAME)
        if isinstance(entry.message, ScanCompleted)
    }

    assert closed[0].account.missing == 3
    assert closed[0].account.rejected == {"shape": 2}
    if n_scans > SILENT_SCAN:
        assert closed[SILENT_SCAN].reason == "timeout"


@contextmanager
def facts_only(store: Path, *, speed: float | None) -> Iterator[Instance]:
    """Run the service of ``--facts-only`` alone, as the command does."""
    source = {"experiment": NAME, "first": None, "last": None, "speed": speed}
    with Instance(
        Store(store),
        Settings(),
        source_json=json.dumps(source),
        source_service="facts",
        services=(),
        has_dashboard=False,
        only=NAME,
        log_path=store / "facts.log",
    ) as instance:
        yield instance


def test_facts_only_are_the_entries_of_the_file_as_they_come_due(store: Path) -> None:
    with facts_only(store, speed=1e-3) as instance, journal_of(instance) as journal:
        begun = ReplayControlRequested(
            experiment=NAME,
            key="seek",
            time_ns=time.time_ns(),
            producer="test",
            person="me",
            action="seek",
            value=1.0,
        )
        until(lambda: len(journal.read_all(NAME)) >= 1, timeout_s=30, what="the first fact")
        early = journal.read_all(NAME)

        journal.append([begun])

        def has_come() -> bool:
            found = journal.read_all(NAME)
            return any(isinstance(e.message, ScanStarted) and e.message.scan == 1 for e in found)

        until(has_come, timeout_s=30, what="scan 1")
        late = journal.read_all(NAME)
        journal.append([begun.model_copy(update={"action": "speed", "value": None})])
        whole = entries(store, NAME)
        until(lambda: len(journal.read_all(NAME)) == len(whole), timeout_s=30, what="all facts")
        all_of_them = journal.read_all(NAME)

    assert len(early) < len(late) < len(whole)
    assert late == whole[: len(late)]
    assert all_of_them == whole
    assert verify_manifest(Store(store).experiment(NAME)) == []


def test_a_second_replay_on_a_store_is_refused(store: Path) -> None:
    with facts_only(store, speed=1.0), pytest.raises(InstanceError, match="an instance runs"):
        run_replay(ReplayOptions(store=store, experiment=NAME, has_page=False))


@pytest.mark.timeout(600)
def test_a_replay_that_is_paused_goes_on_where_it_was(store: Path, is_soak: bool) -> None:
    if not is_soak:
        pytest.skip("a whole replay more; with --soak")
    from lithoscope_services.replay.control import control_replay

    name = f"{NAME}-paused"
    options = ReplayOptions(store=store, experiment=NAME, name=name, speed=1e-3, has_page=False)
    said: list[str] = []

    def steer() -> None:
        def asked() -> bool:
            try:
                said.append(control_replay(store, "pause", None))
            except ServiceError:  # none runs yet, or its journal is starting
                return False
            return True

        until(asked, timeout_s=60, what="the replay")
        said.append(control_replay(store, "speed", None))
        time.sleep(2.0)  # a pause has to last for a while
        said.append(control_replay(store, "resume", None))

    thread = threading.Thread(target=steer)
    thread.start()
    result = run_replay(options)
    thread.join()

    assert len(said) == 3
    assert result.outcome is not None
    assert result.outcome.is_equal


@pytest.mark.timeout(600)
def test_a_part_of_an_experiment_is_replayed_alone(store: Path, is_soak: bool) -> None:
    if not is_soak:
        pytest.skip("a whole replay more; with --soak")
    name = f"{NAME}-part"

    result = run_replay(
        ReplayOptions(
            store=store, experiment=NAME, name=name, speed=None, first=2, last=3, has_page=False
        )
    )

    assert result.outcome is not None
    assert result.outcome.n_scans == 2
    part, whole = accounts(entries(store, name)), accounts(entries(store, NAME))
    assert part == {scan: whole[scan] for scan in (2, 3)}
    # What compares scans has another first scan now; the charge is that of the whole.
    charge = samples(entries(store, name))[-1]
    assert charge in samples(entries(store, NAME))
    assert verify_manifest(Store(store).experiment(name)) == []
