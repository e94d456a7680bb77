"""What each file of an experiment is, for people: what it holds and what its loss means."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_RESTORE = "restore it from a copy"
_AGAIN = f"{_RESTORE}, or make it again with `lithoscope reprocess`"


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What a file is, and what to do when it is damaged or missing."""

    what: str
    advice: str


def describe_item(relative: str) -> StoredItem:
    """Say what a file of an experiment is.

    Parameters
    ----------
    relative
        Its path below the experiment.
    """
    for pattern, make in _ITEMS:
        match = pattern.fullmatch(relative)
        if match is not None:
            return make(match)
    return StoredItem("no file that this version writes", _RESTORE)


def _frame(match: re.Match[str]) -> StoredItem:
    scan, tile, kind, set_, index = match.groups()
    return StoredItem(
        f"pixels of {kind} {index} of set {set_}, scan {int(scan)}, tile {tile}; results that are "
        "stored stand, but this scan can be neither replayed nor re-processed",
        _RESTORE,
    )


def _frame_metadata(match: re.Match[str]) -> StoredItem:
    scan, tile, name = match.groups()
    what = f"shape and dtype of {name} of " if name else ""
    return StoredItem(
        f"{what}the frames of scan {int(scan)}, tile {tile}; they cannot be read without it",
        _RESTORE,
    )


def _index(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"index of the frames of scan {int(match[1])}, tile {match[2]}: their angles, times and "
        "checksums; frames whose record is damaged count as lost",
        _RESTORE,
    )


def _reconstruction(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"volume of scan {int(match[1])} in its own frame{_place(match[2])}; labels and metrics "
        "that were made from it stand",
        _AGAIN,
    )


def _labels(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"labels {match[2]!r} of scan {int(match[1])}{_place(match[3])}; its metrics stand, the "
        "picture of it is wrong there",
        _AGAIN,
    )


def _volume(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"volume of scan {int(match[1])} in the reference frame{_place(match[2])}; its labels and "
        "metrics stand",
        _AGAIN,
    )


def _maps(match: re.Match[str]) -> StoredItem:
    return StoredItem(f"maps of scan {int(match[1])} ({match[2]}); its metrics stand", _AGAIN)


def _objects(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"dendrites and pits of scan {int(match[1])}; its metrics stand, the tracks of later "
        "scans too",
        _AGAIN,
    )


def _probabilities(match: re.Match[str]) -> StoredItem:
    return StoredItem(
        f"what a network gave for each class in scan {int(match[1])} ({match[2]}); its labels and "
        "metrics stand",
        _AGAIN,
    )


def _place(rest: str) -> str:
    """Say which part of a volume a file is: a level and a slab, or what describes it."""
    shard = re.fullmatch(r"(\d+)/c/(\d+)/\d+/\d+", rest)
    if shard is None:
        return ": what describes it" if rest.endswith("zarr.json") else ""
    level = "" if shard[1] == "0" else f" of level {shard[1]}"
    return f", slab {shard[2]}{level}"


def _plain(what: str, advice: str = _RESTORE) -> Callable[[re.Match[str]], StoredItem]:
    return lambda _: StoredItem(what, advice)


_SCAN_ZARR = r"(\d{4})-[0-9a-f]+\.zarr"
_ITEMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredItem]], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"frames/(\d{4})/(\d+)\.zarr/([a-z]+)-(\d+)/c\.(\d+)\.0\.0", _frame),
        (r"frames/(\d{4})/(\d+)\.zarr/(?:([a-z]+-\d+)/)?zarr\.json", _frame_metadata),
        (r"frames/(\d{4})/(\d+)\.index", _index),
        (rf"reconstructions/{_SCAN_ZARR}/(.+)", _reconstruction),
        (rf"volumes/{_SCAN_ZARR}/labels/([^/]+)/(.+)", _labels),
        (rf"volumes/{_SCAN_ZARR}/(.+)", _volume),
        (rf"maps/{_SCAN_ZARR}/(.+)", _maps),
        (rf"probabilities/{_SCAN_ZARR}/(.+)", _probabilities),
        (
            r"journal\.sqlite",
            _plain("the journal: all facts of the experiment, and the proof of their order"),
        ),
        (
            r"manifest\.sha256",
            _plain(
                "checksums of all files as they were when the experiment was sealed; the files "
                "were looked at by their own checksums instead"
            ),
        ),
        (
            r"electrochemistry\.zarr/(.+)",
            _plain("samples of the cycler; charges that stand in the journal are right"),
        ),
        (r"documents\.jsonl", _plain("Bluesky documents as they came; nothing is made from them")),
        (r"format\.json", _plain("version of the format; without it nothing here can be opened")),
        (r"truth/(.+)", _plain("truth of a simulated cell, for comparison alone")),
        (r"pictures/(.+)", _plain("a picture for people", _AGAIN)),
        (r"objects/(\d{4})-[0-9a-f]+\.json", _objects),
        (r"meshes/(.+)", _plain("a surface of a scan", _AGAIN)),
    )
)
