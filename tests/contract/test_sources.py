"""What every stream source keeps to, whatever can happen on the way from a detector.

One experiment a sender: its scans come in order, shuffled, with losses, with doubles, over a death
of the source, between garbage, and two at once, each with flats before and after. What was sent is
on disk, or the account says why not.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from foreign import (
    N_DARKS,
    N_FLATS,
    N_PROJECTIONS,
    Sent,
    doubled,
    scan_of,
    shuffled,
    thinned,
)
from numpy.typing import NDArray
from senders import SENDERS, Sender
from spine import Spine, spine
from waiting import until

from lithoscope_messages import ScanAccount, ScanCompleted
from lithoscope_services.settings import Settings, replace_values
from lithoscope_store import FrameReader

NAME = "foreign"
N_FLATS_AFTER = 3
SCAN = scan_of(0, n_flats_after=N_FLATS_AFTER)
IN_ORDER, SHUFFLED, LOSSES, DOUBLES, RESTART, GARBAGE, BOTH = range(7)
SILENCE_S = 3.0
N_GARBAGE = 12
Slot = tuple[str, int, int]


@dataclass
class Experiment:
    """What was sent, and what became of it."""

    tells_scans: bool
    sent: dict[int, list[Sent]] = field(default_factory=dict)
    stored: dict[int, dict[Slot, NDArray[Any]]] = field(default_factory=dict)
    accounts: dict[int, ScanAccount] = field(default_factory=dict)

    def check_equal(self, scan: int) -> None:
        """All frames of a scan that were sent are stored as they were, and no others."""
        sent = {frame.slot: frame.pixels for frame in self.sent[scan]}
        assert set(self.stored[scan]) == set(sent)
        for slot, pixels in sent.items():
            np.testing.assert_array_equal(self.stored[scan][slot], pixels)

    def rejected(self, scan: int) -> dict[str, int]:
        return dict(self.accounts[scan].rejected or {})


@pytest.fixture(scope="module", params=sorted(SENDERS))
def experiment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Experiment]:
    store = tmp_path_factory.mktemp(request.param)
    with spine(store) as services:
        sender = SENDERS[request.param](services.runtime_dir, SCAN)
        try:
            configure(services, sender)
            services.start("journal", "ingest", "source")
            yield play(services, sender)
        finally:
            sender.close()


def configure(services: Spine, sender: Sender) -> None:
    settings = replace_values(Settings(), {"experiment.name": NAME, "scan.voxel_size_um": 4.5})
    source = {
        "n_darks": N_DARKS,
        "n_flats": N_FLATS,
        "n_projections": N_PROJECTIONS,
        "n_flats_after": N_FLATS_AFTER,
        "silence_s": SILENCE_S,
    }
    data = json.loads(settings.model_dump_json()) | {"source": source | dict(sender.source)}
    (services.runtime_dir / "settings.json").write_text(json.dumps(data))


def play(services: Spine, sender: Sender) -> Experiment:
    """Send all scans, and read what came of them."""
    scans = {scan: scan_of(scan, n_flats_after=N_FLATS_AFTER) for scan in range(BOTH + 2)}
    done = Experiment(sender.tells_scans, scans)
    scans[LOSSES] = thinned(scans[LOSSES])
    sender.wait_until_heard()
    sender.send(scans[IN_ORDER])
    sender.send(shuffled(scans[SHUFFLED]))
    sender.send(scans[LOSSES])
    # The last frame closes the scan: its double would be one of the next.
    sender.send([*doubled(scans[DOUBLES][:-1]), scans[DOUBLES][-1]])

    half = len(SCAN) // 2
    sender.send(scans[RESTART][:half])
    until(lambda: len(stored(services, RESTART)) == half, timeout_s=30, what="half a scan")
    services.kill("source")
    services.start("source")
    sender.wait_until_heard()
    sender.send(scans[RESTART][half:])

    for place, frame in enumerate(scans[GARBAGE][:-1]):
        sender.send([frame])
        if place % (len(SCAN) // N_GARBAGE) == 0:
            sender.send_garbage()
    sender.send(scans[GARBAGE][-1:])

    pairs = zip(scans[BOTH], scans[BOTH + 1], strict=True)
    sender.send(frame for pair in pairs for frame in pair)
    n_sent = 2 * len(SCAN)
    until(lambda: n_accounted(services) >= n_sent, timeout_s=30, what=f"{n_sent} frames")
    for completed in facts(services):
        done.accounts[completed.scan] = completed.account
        done.stored[completed.scan] = stored(services, completed.scan)
    return done


def facts(services: Spine) -> list[ScanCompleted]:
    messages = (entry.message for entry in services.entries(NAME))
    return [message for message in messages if isinstance(message, ScanCompleted)]


def n_accounted(services: Spine) -> int:
    """Count the frames of the last scans that were stored or refused."""
    accounts = [completed.account for completed in facts(services) if completed.scan >= BOTH]
    return sum(account.stored + n_refused(account) for account in accounts)


def n_refused(account: ScanAccount) -> int:
    return sum((account.rejected or {}).values()) + (account.doubled or 0)


def stored(services: Spine, scan: int) -> dict[Slot, NDArray[Any]]:
    paths = services.store.experiment(NAME)
    if not paths.index(scan, 0).exists():
        return {}
    reader = FrameReader(paths, scan, 0)
    return {(key.kind, key.set, key.index): reader.read_frame(key) for key in reader.keys}


@pytest.mark.parametrize(
    "scan", [IN_ORDER, SHUFFLED, RESTART], ids=["in order", "shuffled", "restart"]
)
def test_all_that_was_sent_is_stored(experiment: Experiment, scan: int) -> None:
    experiment.check_equal(scan)
    assert experiment.accounts[scan].missing == 0


def test_what_was_lost_is_missing_in_the_account(experiment: Experiment) -> None:
    experiment.check_equal(LOSSES)
    assert experiment.accounts[LOSSES].missing == len(SCAN) - len(experiment.sent[LOSSES]) > 0
    assert experiment.rejected(LOSSES) == {}


def test_doubles_are_stored_once_and_counted(experiment: Experiment) -> None:
    n_doubled = len(doubled(experiment.sent[DOUBLES][:-1])) - len(SCAN) + 1

    experiment.check_equal(DOUBLES)
    assert experiment.accounts[DOUBLES].doubled == n_doubled > 0
    assert experiment.rejected(DOUBLES) == {}


def test_garbage_is_counted_by_reason_and_harms_nothing(experiment: Experiment) -> None:
    experiment.check_equal(GARBAGE)
    assert sum(experiment.rejected(GARBAGE).values()) == N_GARBAGE
    assert len(experiment.rejected(GARBAGE)) >= 2


def test_flats_before_and_after_are_two_sets(experiment: Experiment) -> None:
    sets = {(each.kind, each.set): each.stored for each in experiment.accounts[IN_ORDER].sets}

    assert sets["flat", 0] == N_FLATS
    assert sets["flat", 1] == N_FLATS_AFTER


def test_of_two_scans_at_once_every_frame_is_stored_or_refused_with_a_reason(
    experiment: Experiment,
) -> None:
    sent = experiment.sent[BOTH] + experiment.sent[BOTH + 1]
    scans = [scan for scan in experiment.stored if scan >= BOTH]
    images: dict[Slot, list[bytes]] = {frame.slot: [] for frame in sent}
    for frame in sent:
        images[frame.slot].append(frame.pixels.tobytes())

    n_left_out = sum(n_refused(experiment.accounts[scan]) for scan in scans)
    for scan in scans:
        for slot, pixels in experiment.stored[scan].items():
            images[slot].remove(pixels.tobytes())

    assert sum(map(len, images.values())) == n_left_out


def test_scans_that_their_messages_tell_apart_are_not_mixed(experiment: Experiment) -> None:
    if not experiment.tells_scans:
        pytest.skip("nothing in these messages says which scan a frame is of")

    experiment.check_equal(BOTH + 1)
    assert experiment.rejected(BOTH + 1) == {"late": len(SCAN) - 1}
