"""A scan that is not whole says so, and is not reconstructed when too much is missing."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq
from spine import COLUMNS, ROWS, Spine, all_keys, begin, described, image, send, spine
from waiting import until

from lithoscope_messages import (
    ExpectedCount,
    FrameKey,
    FrameKind,
    ScanCompleted,
    StageFailed,
)
from lithoscope_pipeline.phantom import (
    SIZES,
    AcquisitionParameters,
    FaultParameters,
    ScanFrames,
)
from lithoscope_pipeline.phantom.acquisition import angles_deg
from lithoscope_pipeline.phantom.acquisition_parameters import ORDERS, AngleOrder
from lithoscope_pipeline.phantom.frames import make_frames
from lithoscope_services.account import Tally
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sockets import FRAMES, open_socket
from lithoscope_store import FrameReader

N_PROJECTIONS = 60
TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    settings = replace_values(Settings(), {"ingest.scan_timeout_s": TIMEOUT_S})
    with spine(tmp_path_factory.mktemp("store"), settings) as made:
        made.start("journal", "ingest", "reconstruct")
        yield made


def failure(services: Spine, experiment: str) -> StageFailed:
    found: list[StageFailed] = []

    def look() -> bool:
        found.extend(
            entry.message
            for entry in services.entries(experiment)
            if isinstance(entry.message, StageFailed)
        )
        return bool(found)

    until(look, timeout_s=60, what=f"the failure of {experiment}")
    return found[0]


def send_scan(
    services: Spine, experiment: str, *, n_sent: int, n_flats: int = 2, ends: bool = True
) -> ScanCompleted:
    with services.link(experiment) as link:
        begin(link, 0, described(N_PROJECTIONS, n_flats=n_flats))
        for key in all_keys(n_sent, n_flats=n_flats):
            send(link, key)
        link.flush()
        if ends:
            link.end_scan(0)
    return services.completed(experiment)


def test_missing_projections_stand_in_the_account_and_stop_the_scan(services: Spine) -> None:
    completed = send_scan(services, "missing", n_sent=45)

    assert completed.account.missing == 15
    assert completed.account.completeness == pytest.approx(0.75)
    assert {each.kind: (each.expected, each.stored) for each in completed.account.sets} == {
        "dark": (1, 1),
        "flat": (2, 2),
        "projection": (60, 45),
    }
    failed = failure(services, "missing")
    assert (failed.stage, failed.attempts) == ("reconstruct", 1)
    # Of the noise that these frames are, some may also look like too little light.
    assert "% of its projections, 80 % are needed" in failed.error
    assert failed.error.endswith("scan again")


def test_a_scan_without_flats_says_that_they_are_missing(services: Spine) -> None:
    completed = send_scan(services, "no-flats", n_sent=N_PROJECTIONS, n_flats=0)

    assert completed.account.completeness == 1.0
    assert "no flats" in failure(services, "no-flats").error


def test_a_scan_that_falls_silent_is_closed(services: Spine) -> None:
    completed = send_scan(services, "silent", n_sent=30, ends=False)

    assert completed.reason == "timeout"
    assert completed.account.missing == 30
    assert "% of its projections, 80 % are needed" in failure(services, "silent").error


class Faulty:
    """Sends a scan with faults drawn from a seed, and keeps count of what it did."""

    def __init__(self, services: Spine, link: FrameLink, *, seed: int) -> None:
        self._services = services
        self._link = link
        self._noise = random.Random(seed)
        self.truth: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def order(self) -> list[FrameKey]:
        """Lose some frames and let others wait for up to ten later ones."""
        kept = []
        for key in all_keys(N_PROJECTIONS):
            if key.kind == "projection" and self._noise.random() < 0.05:
                self.truth["missing"] += 1
            else:
                kept.append(key)
        waits = [n + self._noise.choice([0] * 9 + [self._noise.randint(2, 10)])
                 for n in range(len(kept))]  # fmt: skip
        order = [kept[n] for n in sorted(range(len(kept)), key=lambda n: (waits[n], n))]
        newest: dict[str, int] = {}
        for key in order:
            self.truth["late"] += key.index < newest.get(key.kind, -1)
            newest[key.kind] = max(newest.get(key.kind, -1), key.index)
        return order

    def send(self, key: FrameKey) -> None:
        """Send a frame and, now and then, something wrong after it."""
        send(self._link, key)
        match self._noise.randrange(12):
            case 0:
                send(self._link, key)
                self.truth["doubled"] += 1
            case 1:
                self._link.send_frame(key, image(-key.index - 1 + 10**6), theta_deg=1.0)
                self.rejected["conflict"] += 1
            case 2:
                self._link.send_frame(key, image(0, rows=4), theta_deg=1.0)
                self.rejected["shape"] += 1
            case 3:
                send(self._link, key.model_copy(update={"scan": 5}))
                self.rejected["scan"] += 1
            case 4:
                send(self._link, key.model_copy(update={"index": 999}))
                self.rejected["index"] += 1
            case 5:
                self._link.abandon(10**6)
                self.truth["abandoned"] += 1
            case 6:
                self._send_garbage()
                self.rejected["unreadable"] += 1
            case _:
                pass

    def _send_garbage(self) -> None:
        with open_socket(self._services.context, zmq.DEALER, FRAMES) as socket:
            socket.connect(endpoint(self._services.runtime_dir, "frames"))
            socket.setsockopt(zmq.LINGER, 10_000)
            socket.send_multipart([self._noise.randbytes(20), b"x"])


@pytest.mark.parametrize("seed", range(2))
def test_the_account_equals_what_a_faulty_source_did(services: Spine, seed: int) -> None:
    check_faulty_scan(services, f"faulty-{seed}", seed=seed, is_killed=False)


def test_the_account_is_the_same_when_ingest_is_killed_meanwhile(tmp_path: Path) -> None:
    with spine(tmp_path / "store") as services:
        services.start("journal", "ingest")
        check_faulty_scan(services, "killed", seed=0, is_killed=True)


def check_faulty_scan(services: Spine, name: str, *, seed: int, is_killed: bool) -> None:
    with services.link(name) as link:
        begin(link, 0, described(N_PROJECTIONS))
        faulty = Faulty(services, link, seed=seed)
        order = faulty.order()
        for key in order[:30]:
            faulty.send(key)
        if is_killed:
            wait_until_counted(services, name, faulty, link)
            services.kill("ingest")
            services.start("ingest")
        for key in order[30:]:
            faulty.send(key)
        wait_until_counted(services, name, faulty, link)
        link.end_scan(0, rejected={"image_is_complete": 2, "doubled": 3}, fetched=1)
    account = services.completed(name).account

    assert faulty.truth["late"] > 0
    assert account.rejected == {**faulty.rejected, "image_is_complete": 2}
    assert account.anomalies == {
        **{cause: count for cause, count in faulty.truth.items() if count},
        "doubled": faulty.truth["doubled"] + 3,
        "rejected": faulty.rejected.total() + 2,
        "fetched": 1,
    }
    stored = FrameReader(services.store.experiment(name), 0, 0).keys
    assert set(stored) == set(order)
    assert not services.store.experiment(name).tally(0).exists()


def wait_until_counted(services: Spine, name: str, faulty: Faulty, link: FrameLink) -> None:
    """Wait for garbage, too: it is nobody's message, and is never acknowledged."""
    link.flush()
    until(
        lambda: counted(services, name)["unreadable"] == faulty.rejected["unreadable"],
        timeout_s=20,
        what="garbage to be counted",
    )


def simulated_frames(order: AngleOrder) -> ScanFrames:
    """Make a scan of nothing in the beam, with all that can happen to it on its way."""
    detector = replace(
        SIZES["tiny"],
        n_rows=ROWS,
        n_columns=COLUMNS,
        acquisition=AcquisitionParameters(order=order, n_flats_after=3),
        faults=FaultParameters(
            lost_share=0.05,
            lost_edge_on_deg=8.0,
            repeated_share=0.05,
            late_share=0.05,
            seed=4,
        ),
    )
    thetas_deg = angles_deg(detector.acquisition, detector.n_angles)
    nothing = np.zeros((detector.n_angles, ROWS, COLUMNS), np.float32)
    return make_frames(detector, nothing, thetas_deg, seed=1, scan=0)


@pytest.mark.parametrize("order", ORDERS)
def test_the_account_of_a_simulated_scan_is_the_truth_of_its_faults(
    services: Spine, order: AngleOrder
) -> None:
    taken = simulated_frames(order)
    name = f"simulated-{order}"
    kinds: tuple[FrameKind, ...] = ("dark", "flat", "projection")
    expected = tuple(ExpectedCount(kind=kind, count=taken.count(kind)) for kind in kinds)
    with services.link(name) as link:
        begin(link, 0, replace(described(1), expected=expected))
        for kind, index, pixels in taken:
            theta_deg = float(taken.thetas_deg[index]) if kind == "projection" else None
            key = FrameKey(scan=0, kind=kind, index=index)
            link.send_frame(key, pixels, theta_deg=theta_deg)
        link.end_scan(0)
    account = services.completed(name).account

    faults = taken.faults
    assert account.anomalies == {
        "missing": len(faults.lost),
        "doubled": len(faults.repeated),
        "late": len(faults.late),
    }
    kept_deg = np.sort(np.mod(np.delete(taken.thetas_deg, faults.lost), 180.0))
    assert account.largest_gap_deg == pytest.approx(
        max(np.diff(kept_deg).max(), kept_deg[0] + 180.0 - kept_deg[-1])
    )
    n_near = np.count_nonzero(np.abs(np.mod(taken.thetas_deg, 180.0) - 90.0) <= 15.0)
    n_kept = np.count_nonzero(np.abs(kept_deg - 90.0) <= 15.0)
    # Where an interlaced scan begins anew the angle of a lost view is known to a step alone.
    assert account.edge_on_coverage == pytest.approx(n_kept / n_near, abs=1.5 / n_near)


def counted(services: Spine, experiment: str) -> Counter[str]:
    """Read what ingest keeps of the running scan."""
    return Tally.load(services.store.experiment(experiment).tally(0)).rejected
