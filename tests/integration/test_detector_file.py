"""Frames that a stream loses are fetched from the file that the detector writes beside it."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of, thinned
from senders import Gigafrost
from spine import Spine, spine
from waiting import until

from lithoscope_messages import ScanAccount
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_store import FrameReader

NAME = "fetched"
KINDS = ("dark", "flat", "projection")
SCAN = scan_of(0)
LOST = [frame for frame in SCAN if frame not in thinned(SCAN)]


@contextmanager
def streaming(tmp_path: Path, *, wait_s: float) -> Iterator[tuple[Spine, Gigafrost]]:
    with (
        spine(tmp_path / "store") as services,
        closing(Gigafrost(services.runtime_dir, SCAN)) as sender,
    ):
        source = {
            "n_darks": N_DARKS,
            "n_flats": N_FLATS,
            "n_projections": N_PROJECTIONS,
            "silence_s": 1.0,
            "detector_file": f"{tmp_path}/{{experiment}}_{{scan:03d}}.h5",
            "detector_file_wait_s": wait_s,
        }
        settings = replace_values(Settings(), {"experiment.name": NAME, "scan.voxel_size_um": 4.5})
        data = json.loads(settings.model_dump_json()) | {"source": source | dict(sender.source)}
        data["experiment"]["n_scans"] = 2
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        services.start("journal", "ingest", "source")
        yield services, sender


def write(path: Path, scan: int) -> None:
    """Write a scan as the detector does: all of its frames."""
    images = {kind: [f.pixels for f in scan_of(scan) if f.slot[0] == kind] for kind in KINDS}
    write_dxchange(
        path,
        projections=images["projection"],
        thetas_deg=4.5 * np.arange(N_PROJECTIONS, dtype=np.float64),
        flats=np.stack(images["flat"]),
        darks=np.stack(images["dark"]),
        voxel_size_um=4.5,
    )


def check(services: Spine, scan: int, sent: list[Sent]) -> ScanAccount:
    account = services.completed(NAME, scan).account
    reader = FrameReader(services.store.experiment(NAME), scan, 0)
    pixels = {frame.slot: frame.pixels for frame in sent}
    assert {(key.kind, key.set, key.index) for key in reader.keys} == set(pixels)
    for key in reader.keys:
        np.testing.assert_array_equal(reader.read_frame(key), pixels[key.kind, key.set, key.index])
    return account


def log_of(services: Spine) -> str:
    return (services.runtime_dir / "source.log").read_text()


def test_frames_that_the_stream_lost_are_fetched_when_the_file_is_closed(tmp_path: Path) -> None:
    with streaming(tmp_path, wait_s=30) as (services, sender):
        sender.send(thinned(SCAN))
        until(lambda: "stream_silent" in log_of(services), timeout_s=30, what="the silence")
        # The next scan begins before the file of this one is there.
        sender.send(scan_of(1))
        write(tmp_path / f"{NAME}_000.h5", 0)

        first, second = check(services, 0, SCAN), check(services, 1, scan_of(1))
        reader = FrameReader(services.store.experiment(NAME), 0, 0)
        thetas_deg = reader.thetas_deg()

    assert (first.missing, first.fetched) == (0, len(LOST))
    assert second.anomalies == {}
    np.testing.assert_allclose(thetas_deg, np.arange(N_PROJECTIONS) * 4.5)


def test_a_file_of_another_scan_gives_nothing(tmp_path: Path) -> None:
    write(tmp_path / f"{NAME}_000.h5", 7)
    with streaming(tmp_path, wait_s=1) as (services, sender):
        sender.send(thinned(SCAN))
        sender.send(scan_of(1))

        account = check(services, 0, thinned(SCAN))
        until(lambda: "frames_not_fetched" in log_of(services), timeout_s=10, what="the log")
        check(services, 1, scan_of(1))

    assert (account.missing, account.fetched) == (len(LOST), 0)
