"""The detector's own file gives what a stream lost, or nothing at all."""

from pathlib import Path

import google_crc32c
import h5py
import numpy as np
import pytest
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_services.sources.stream import ScanEnded, ScanFrame
from lithoscope_services.sources.stream.detector_file import DetectorFile
from lithoscope_services.sources.stream.places import Angles

N_FLATS_AFTER = 2
SCAN = scan_of(0, n_flats_after=N_FLATS_AFTER)
LOST = [SCAN[0], SCAN[4], SCAN[20], SCAN[-1]]
THETAS_DEG = 3.0 * np.arange(N_PROJECTIONS, dtype=np.float64)


def written(path: Path, scan: list[Sent] = SCAN) -> Path:
    images = {
        kind: [frame.pixels for frame in scan if frame.slot[0] == kind]
        for kind in ("dark", "flat", "projection")
    }
    write_dxchange(
        path,
        projections=images["projection"],
        thetas_deg=THETAS_DEG[: len(images["projection"])],
        flats=np.stack(images["flat"]),
        darks=np.stack(images["dark"]),
        voxel_size_um=1.0,
    )
    return path


def fetched(path: Path, *, waits: list[int] | None = None, **changes: object) -> list[ScanFrame]:
    values: dict[str, object] = {
        "kind": "array-1.0",
        "address": "tcp://127.0.0.1:9667",
        "n_darks": N_DARKS,
        "n_flats": N_FLATS,
        "n_projections": N_PROJECTIONS,
        "n_flats_after": N_FLATS_AFTER,
        "detector_file_wait_s": 0.0 if waits is None else 20.0,
    }
    settings = SourceSettings.model_validate(values | changes)
    ended = ScanEnded(
        scan=3,
        frame_shape=(4, 6),
        dtype="uint16",
        absent=tuple(frame.slot for frame in LOST),
        seen={
            frame.slot: google_crc32c.value(frame.pixels.tobytes())
            for frame in SCAN
            if frame not in LOST
        },
        refused={},
    )

    def wait() -> None:
        written(path)
        if waits is not None:
            waits.append(1)

    found = DetectorFile(path, settings, Angles(settings))
    return list(found.fetch(ended, wait))


def test_the_lost_frames_are_given_with_the_angles_of_the_settings(tmp_path: Path) -> None:
    frames = fetched(written(tmp_path / "scan.h5"), theta_step_deg=0.5)

    assert [(f.key.kind, f.key.set, f.key.index) for f in frames] == [f.slot for f in LOST]
    for frame, sent in zip(frames, LOST, strict=True):
        np.testing.assert_array_equal(frame.pixels, sent.pixels)
    assert [frame.theta_deg for frame in frames] == [None, None, 0.5 * LOST[2].index, None]
    assert {frame.key.scan for frame in frames} == {3}


def test_angles_that_the_stream_would_have_told_are_those_of_the_file(tmp_path: Path) -> None:
    frames = fetched(written(tmp_path / "scan.h5"), theta_from="attribute")

    assert (frames[2].theta_deg, frames[2].theta_source) == (3.0 * LOST[2].index, "table")


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    waits: list[int] = []

    frames = fetched(tmp_path / "scan.h5", waits=waits)

    assert (len(frames), len(waits)) == (len(LOST), 1)


def test_a_file_that_never_comes_gives_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        fetched(tmp_path / "none" / "scan.h5")


def test_a_file_that_lost_frames_too_gives_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.h5", [*SCAN[:30], *SCAN[31:]])

    with pytest.raises(SourceError, match="39 projection frames, the scan has 40"):
        fetched(path)


def test_a_file_of_another_scan_gives_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.h5", scan_of(1, n_flats_after=N_FLATS_AFTER))

    with pytest.raises(SourceError, match="is not what the stream sent"):
        fetched(path)


def test_a_frame_that_was_never_written_is_not_taken_for_an_image(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        file["exchange/data"][LOST[2].index] = 0

    with pytest.raises(SourceError, match="is empty"):
        fetched(path)


def test_frames_of_another_type_are_not_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        whole = file["exchange/data"][()].astype(np.float32)
        del file["exchange/data"]
        file["exchange/data"] = whole

    with pytest.raises(SourceError, match="the stream sent uint16"):
        fetched(path)
