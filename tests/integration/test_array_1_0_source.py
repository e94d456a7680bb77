"""What only array-1.0 has to master; what all sources keep to is in contract/test_sources.py."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zmq
from foreign import (
    N_DARKS,
    N_FLATS,
    N_PROJECTIONS,
    Sent,
    areadetector,
    gigafrost,
    scan_of,
)
from spine import Spine, spine
from stored_frames import check_stored
from waiting import until

from lithoscope_messages import ExperimentStarted, FrameKey, ScanAccount, ScanCompleted
from lithoscope_services.settings import Settings, replace_values
from lithoscope_store import FrameReader

NAME = "foreign"
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS


class Sender:
    """A detector's computer: pyzmq alone, bound where it is."""

    def __init__(self, folder: Path, kind: int) -> None:
        self.address = f"ipc://{folder}/detector"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, 30_000)
        self._socket.bind(self.address)

    def send(self, messages: Iterable[list[bytes]]) -> None:
        for parts in messages:
            self._socket.send_multipart(parts)

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@contextmanager
def streaming(
    tmp_path: Path, *, n_scans: int = 1, push: bool = True, **source: object
) -> Iterator[tuple[Spine, Sender]]:
    """Journal, ingest and the source as processes, and a sender that is none of ours."""
    with spine(tmp_path) as services:
        sender = Sender(services.runtime_dir, zmq.PUSH if push else zmq.PUB)
        values: dict[str, object] = {
            "kind": "array-1.0",
            "address": sender.address,
            "pattern": "pull" if push else "sub",
            "n_darks": N_DARKS,
            "n_flats": N_FLATS,
            "n_projections": N_PROJECTIONS,
            "silence_s": 30.0,
        }
        settings = replace_values(Settings(), {"experiment.name": NAME, "scan.voxel_size_um": 4.5})
        data = json.loads(settings.model_dump_json()) | {"source": values | source}
        data["experiment"]["n_scans"] = n_scans
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        try:
            services.start("journal", "ingest", "source")
            yield services, sender
        finally:
            sender.close()


def check(services: Spine, sent: Sequence[Sent], *, scan: int = 0) -> ScanAccount:
    """The store has these frames and no others, each with the pixels that were sent."""
    completed = services.completed(NAME, scan)
    check_stored(services, NAME, scan, sent)
    assert sum(each.stored for each in completed.account.sets) == len(sent)
    return completed.account


def stored(services: Spine, n: int, *, scan: int = 0) -> None:
    """Wait until some frames of a scan are on disk."""

    def look() -> bool:
        path = services.store.experiment(NAME).index(scan, 0)
        return path.exists() and (
            len(FrameReader(services.store.experiment(NAME), scan, 0).keys) >= n
        )

    until(look, timeout_s=30, what=f"{n} frames of scan {scan}")


def test_frames_in_order_are_stored_as_they_were_sent(tmp_path: Path) -> None:
    with streaming(tmp_path) as (services, sender):
        sender.send(map(gigafrost, scan_of(0)))

        account = check(services, scan_of(0))
        reader = FrameReader(services.store.experiment(NAME), 0, 0)
        key = FrameKey(scan=0, kind="projection", index=3)
        started = next(
            entry.message
            for entry in services.entries(NAME)
            if isinstance(entry.message, ExperimentStarted)
        )

    assert (account.missing, account.completeness) == (0, 1.0)
    assert reader.record(key).theta_source == "formula"
    np.testing.assert_allclose(reader.thetas_deg(), np.arange(N_PROJECTIONS) * 4.5)
    assert started.description.source == "live"


def test_flats_after_whose_numbers_start_anew_are_a_set_of_their_own(tmp_path: Path) -> None:
    with streaming(tmp_path, n_flats_after=3) as (services, sender):
        sender.send(map(gigafrost, scan_of(0, n_flats_after=3)))

        account = check(services, scan_of(0, n_flats_after=3))

    assert [(each.kind, each.set, each.stored) for each in account.sets] == [
        ("dark", 0, N_DARKS),
        ("flat", 0, N_FLATS),
        ("projection", 0, N_PROJECTIONS),
        ("flat", 1, 3),
    ]


def test_frames_that_a_killed_source_missed_are_missing_and_not_mixed(tmp_path: Path) -> None:
    """Running numbers: half a scan is lost with the source, the next one is whole."""
    frames = [*scan_of(0), *scan_of(1)]
    messages = [areadetector(frame, 1 + place) for place, frame in enumerate(frames)]
    with streaming(
        tmp_path,
        n_scans=2,
        numbers="running",
        first_frame=1,
        shape_order="columns_first",
        kind_from="attribute",
        theta_from="attribute",
    ) as (services, sender):
        sender.send(messages[:25])
        stored(services, 25)
        services.kill("source")
        services.start("source")
        sender.send(messages[N_FRAMES:])

        accounts = [check(services, frames[:25], scan=0), check(services, scan_of(1), scan=1)]

    assert [account.missing for account in accounts] == [N_FRAMES - 25, 0]
    assert {each.stored for each in accounts[1].sets} == {N_DARKS, N_FLATS, N_PROJECTIONS}


def test_a_publisher_is_followed_from_when_it_is_heard(tmp_path: Path) -> None:
    with streaming(tmp_path, push=False, silence_s=1.5) as (services, sender):
        # PUB drops what is sent before the source has subscribed: it is sent until one is heard.
        def is_heard() -> bool:
            sender.send([gigafrost(scan_of(0)[0])])
            return services.store.experiment(NAME).index(0, 0).exists()

        until(is_heard, timeout_s=30, what="the source")
        sender.send(map(gigafrost, scan_of(0)[1:]))

        check(services, scan_of(0))


def test_a_scan_whose_end_never_comes_is_closed_after_the_silence(tmp_path: Path) -> None:
    with streaming(tmp_path, silence_s=1.0) as (services, sender):
        sender.send(map(gigafrost, scan_of(0)[:30]))

        account = check(services, scan_of(0)[:30])
        completed: ScanCompleted = services.completed(NAME)

    assert completed.reason == "scan_end"
    assert account.missing == N_FRAMES - 30
