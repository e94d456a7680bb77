"""A DECTRIS detector streams: what is its own, beside the contract that all sources keep."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zmq
from dectris_sender import end, image, series_of, start
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of
from spine import Spine, spine
from stored_frames import check_stored
from waiting import until

from lithoscope_messages import FrameKey, ScanAccount
from lithoscope_services.settings import Settings, replace_values
from lithoscope_store import FrameReader

NAME = "dectris"
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS


class DetectorUnit:
    """The PUSH socket of a detector: pyzmq alone, bound where it is."""

    def __init__(self, folder: Path) -> None:
        self.address = f"ipc://{folder}/dcu"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, 30_000)
        self._socket.bind(self.address)

    def send(self, messages: Iterable[bytes]) -> None:
        for data in messages:
            self._socket.send(data)

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@contextmanager
def streaming(
    tmp_path: Path, *, n_scans: int = 1, **source: object
) -> Iterator[tuple[Spine, DetectorUnit]]:
    """Journal, ingest and the source as processes, and a sender that is none of ours."""
    with spine(tmp_path) as services:
        unit = DetectorUnit(services.runtime_dir)
        values: dict[str, object] = {
            "kind": "dectris",
            "address": unit.address,
            "numbers": "per_scan",
            "kind_from": "order",
            "theta_from": "frame",
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
            yield services, unit
        finally:
            unit.close()


def check(services: Spine, sent: Iterable[Sent], *, scan: int = 0) -> ScanAccount:
    """The store has these frames and no others, each with the pixels that were sent."""
    completed = services.completed(NAME, scan)
    check_stored(services, NAME, scan, sent)
    return completed.account


def stored(services: Spine, n: int, *, scan: int = 0) -> None:
    """Wait until some frames of a scan are on disk."""

    def look() -> bool:
        path = services.store.experiment(NAME).index(scan, 0)
        return path.exists() and (
            len(FrameReader(services.store.experiment(NAME), scan, 0).keys) >= n
        )

    until(look, timeout_s=30, what=f"{n} frames of scan {scan}")


def log_of(services: Spine, *reasons: str) -> str:
    """Wait for the log to have these words."""
    path = services.runtime_dir / "source.log"
    until(
        lambda: all(reason in path.read_text() for reason in reasons),
        timeout_s=10,
        what=f"{reasons} in the log",
    )
    return path.read_text()


def images_of(messages: Sequence[bytes]) -> list[bytes]:
    return list(messages[1:-1])


def test_a_series_is_a_scan_with_the_angles_of_its_goniometer(tmp_path: Path) -> None:
    with streaming(tmp_path) as (services, unit):
        unit.send(series_of(scan_of(0), 1))

        account = check(services, scan_of(0))
        reader = FrameReader(services.store.experiment(NAME), 0, 0)
        record = reader.record(FrameKey(scan=0, kind="projection", index=3))

    assert (account.missing, account.completeness) == (0, 1.0)
    # Image 8 of the series: 10 + 8 * 4.5 degrees.
    assert (record.theta_deg, record.theta_source) == (46.0, "frame")
    # It began 8 / 50 s after 2026-11-21 10:00:05.281 +01:00.
    assert record.time_ns == 1_795_251_605_441_000_000


def test_lost_images_are_missing_when_the_series_ends(tmp_path: Path) -> None:
    frames = scan_of(0)
    lost = {3, 17, N_FRAMES - 1}
    with streaming(tmp_path) as (services, unit):
        begin, *images, over = series_of(frames, 1)
        unit.send([begin, *(each for n, each in enumerate(images) if n not in lost), over])

        account = check(services, [each for n, each in enumerate(frames) if n not in lost])

    assert account.missing == len(lost)


def test_images_of_a_series_that_is_over_do_not_mix_into_the_next(tmp_path: Path) -> None:
    """Two series interleaved: from when the second begins, the first is over."""
    first, second = series_of(scan_of(0), 1), series_of(scan_of(1), 2)
    late = images_of(first)[20:]
    mixed = [each for pair in zip(images_of(second), late, strict=False) for each in pair]
    rest = images_of(second)[len(late) :]
    with streaming(tmp_path, n_scans=2) as (services, unit):
        unit.send([*first[:21], second[0], *mixed, first[-1], *rest, second[-1]])

        accounts = [check(services, scan_of(0)[:20]), check(services, scan_of(1), scan=1)]
        log_of(services, "a message of series 1 came after series 2 had begun")

    assert [account.missing for account in accounts] == [len(late), 0]


def test_a_source_killed_in_mid_series_goes_on_with_its_scan_and_angles(tmp_path: Path) -> None:
    begin, *images, over = series_of(scan_of(0), 1)
    with streaming(tmp_path) as (services, unit):
        unit.send([begin, *images[:25]])
        stored(services, 25)
        services.kill("source")
        services.start("source")
        unit.send([*images[25:], over])

        account = check(services, scan_of(0))
        thetas_deg = FrameReader(services.store.experiment(NAME), 0, 0).thetas_deg()

    assert account.missing == 0
    first = N_DARKS + N_FLATS
    np.testing.assert_allclose(thetas_deg, 10 + 4.5 * np.arange(first, first + N_PROJECTIONS))


def test_a_series_whose_start_was_lost_is_taken_for_what_its_images_say(tmp_path: Path) -> None:
    with streaming(tmp_path, theta_from="formula") as (services, unit):
        unit.send(series_of(scan_of(0), 1)[1:])

        account = check(services, scan_of(0))
        log_of(services, "dectris_start_missing")

    assert account.missing == 0


def test_darks_flats_and_projections_may_be_series_of_their_own(tmp_path: Path) -> None:
    """Flats before and after; the kind stands in the user data of the start message."""
    frames = scan_of(0, n_flats_after=3)
    messages = []
    for series, (kind, set_) in enumerate(
        [("dark", 0), ("flat", 0), ("projection", 0), ("flat", 1)], start=1
    ):
        part = [frame for frame in frames if frame.slot[:2] == (kind, set_)]
        messages.append(start(series, user_data={"kind": kind}))
        messages += [image(series, frame.index, frame.pixels, "bslz4") for frame in part]
        messages.append(end(series))
    with streaming(
        tmp_path, series_is="part", numbers="per_kind", kind_from="frame", n_flats_after=3
    ) as (services, unit):
        unit.send(messages)

        account = check(services, frames)
        thetas_deg = FrameReader(services.store.experiment(NAME), 0, 0).thetas_deg()

    assert [(each.kind, each.set, each.stored) for each in account.sets] == [
        ("dark", 0, N_DARKS),
        ("flat", 0, N_FLATS),
        ("projection", 0, N_PROJECTIONS),
        ("flat", 1, 3),
    ]
    np.testing.assert_allclose(thetas_deg, 10 + 4.5 * np.arange(N_PROJECTIONS))
