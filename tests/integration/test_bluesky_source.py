"""A RunEngine's documents come over a proxy; its frames are on disk, or the account says why not.

The sender is bluesky and ophyd-async alone: engine, detector, publisher and proxy are theirs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky_followed import (
    N_FRAMES,
    NAME,
    anybody,
    check,
    check_angles,
    documents_stored,
    following,
    heard,
    rejected,
    stored,
)
from bluesky_lab import (
    CameraSettings,
    Documents,
    Lab,
    about,
    interleaved,
    lost,
    mixed,
    taken,
    twice,
)
from foreign import scan_of
from waiting import until

from lithoscope_store import FrameReader


@pytest.mark.parametrize("documents", ["json", "msgpack"])
def test_frames_in_order_are_stored_as_they_were_taken(tmp_path: Path, documents: str) -> None:
    runs = taken(tmp_path / "detector", NAME)
    with following(tmp_path, documents=documents) as beamline:
        beamline.send(runs[0])

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)
        n_documents = len(runs[0])
        until(
            lambda: len(documents_stored(beamline.services)) == n_documents,
            timeout_s=10,
            what="all documents",
        )

    assert (account.missing, account.completeness) == (0, 1.0)


def test_frames_are_read_while_the_detector_still_writes(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector", CameraSettings(chunk=8))
    lab.camera.acquire.pause_s = 0.01
    with following(tmp_path) as beamline:
        lab.engine.subscribe(beamline.publish)
        seen: list[int] = []

        def look(name: str, _: dict[str, Any]) -> None:
            paths = beamline.services.store.experiment(NAME)
            if name == "stream_datum" and paths.index(0, 0).exists():
                seen.append(len(FrameReader(paths, 0, 0).keys))

        lab.engine.subscribe(look)
        lab.scan(scan_of(0), **about(scan_of(0), NAME))

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert max(seen) > N_FRAMES // 4


def test_shuffled_documents_make_the_same_scan(tmp_path: Path) -> None:
    runs = taken(tmp_path / "detector", NAME)
    with following(tmp_path) as beamline:
        beamline.send(mixed(runs[0], seed=4))

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0


#: By seed of the losses: which documents beside data are among them.
LOSSES = {0: (), 11: ("stop",), 22: ("descriptor projections",), 43: ("descriptor darks",)}


@pytest.mark.parametrize(("seed", "also"), LOSSES.items())
def test_frames_whose_documents_are_lost_are_fetched_from_the_file(
    tmp_path: Path, seed: int, also: tuple[str, ...]
) -> None:
    runs = taken(tmp_path / "detector", NAME)
    left = lost(runs[0], seed=seed, keep=("start", "stream_resource"))
    gone = [f"{n} {doc.get('name', '')}".strip() for n, doc in runs[0] if (n, doc) not in left]
    assert {*also} == {name for name in gone if name.startswith(("stop", "descriptor"))}
    with following(tmp_path, silence_s=2.0) as beamline:
        beamline.send(left)

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert (account.fetched or 0) > 0


@pytest.mark.parametrize("kind", ["stream_resource", "descriptor"])
def test_frames_that_no_document_places_are_missing_and_the_account_says_why(
    tmp_path: Path, kind: str
) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    # Of the descriptors two: with one the frames that are left over could only be its own.
    names = ("projections", "flats", None)
    left = [each for each in documents if each[0] != kind or each[1].get("name") not in names]
    frames = [f for f in scan_of(0) if kind == "descriptor" and f.slot[0] == "dark"]
    with following(tmp_path) as beamline:
        beamline.send(left)

        account = check(beamline.services, frames)

    assert account.missing == N_FRAMES - len(frames)
    assert rejected(account)[kind] > 0


def test_doubled_documents_are_counted_and_harm_nothing(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    with following(tmp_path) as beamline:
        beamline.send(twice(documents, seed=3))

        account = check(beamline.services, scan_of(0))

    assert account.missing == 0
    assert rejected(account)["document doubled"] == len(twice(documents, seed=3)) - len(documents)


def test_two_scans_interleaved_are_two_scans(tmp_path: Path) -> None:
    first, second = taken(tmp_path / "detector", NAME, n_scans=2)
    with following(tmp_path, n_scans=2) as beamline:
        beamline.send(interleaved(first, second, seed=8))

        accounts = [check(beamline.services, scan_of(n), scan=n) for n in range(2)]
        check_angles(beamline.services, scan=1)

    assert [account.missing for account in accounts] == [0, 0]


def test_a_source_killed_in_mid_scan_fetches_what_it_missed(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    third = len(documents) // 3
    with following(tmp_path) as beamline:
        beamline.send(documents[:third])
        stored(beamline.services, 5)
        beamline.services.kill("source")
        beamline.send(documents[third : 2 * third])
        beamline.services.start("source")
        until(lambda: beamline.log.count("documents_followed") == 2, timeout_s=30, what="it again")
        beamline.listen()
        beamline.send(documents[2 * third :])

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert (account.fetched or 0) > 0


def garbage(documents: Documents) -> Iterator[bytes]:
    """Messages that are none, and some that nearly are."""
    datum = next(doc for name, doc in documents if name == "stream_datum")
    while True:
        yield b"\xff\x00 no document"
        yield b" start {"
        yield b" stream_datum " + json.dumps(datum | {"uid": "a", "indices": 3}).encode()
        yield b" resource {}"
        yield b" nothing {}"


def test_garbage_between_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    noise = garbage(documents)
    with following(tmp_path, documents="json") as beamline, anybody(beamline) as other:
        until(lambda: heard(beamline, other), timeout_s=30, what="the other publisher")
        for one in documents:
            other.send(next(noise))
            beamline.send([one])

        account = check(beamline.services, scan_of(0))

    assert account.missing == 0
    assert {"document message", "document stream_datum.indices"} <= set(rejected(account))
