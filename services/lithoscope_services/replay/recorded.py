"""What a stored experiment has to be replayed from, and what stands in the way of it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lithoscope_messages import (
    Entry,
    ExperimentStarted,
    ScanStarted,
)
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.settings.tree import Settings
from lithoscope_store import ExperimentPaths, FrameReader, FrameRecord, pruned_scans


class ReplayError(ServiceError, ValueError):
    """An experiment cannot be replayed as it was asked for; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A stored experiment, or some of its scans.

    Parameters
    ----------
    paths
        Where it lies.
    entries
        All entries of its journal.
    started
        How it began.
    scans
        Numbers of the scans that are replayed, rising.
    """

    paths: ExperimentPaths
    entries: tuple[Entry, ...]
    started: ExperimentStarted
    scans: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all scans are replayed."""
        return len(self.scans) == len(
            [entry for entry in self.entries if isinstance(entry.message, ScanStarted)]
        )

    def settings(self, name: str, ours: Settings) -> Settings:
        """Give the settings of the replay: those of the experiment, on the instance of today.

        Parameters
        ----------
        name
            Of the replay.
        ours
            Say where the page is and how the instance runs.

        Raises
        ------
        ReplayError
            If the settings of the experiment are not known to this version.
        """
        try:
            theirs = Settings.model_validate(self.started.settings, strict=False)
        except ValueError as error:
            raise ReplayError(
                f"the settings that {self.paths.name} was started with are not known to this "
                f"version ({str(error).splitlines()[0]}); replay it with the version that took "
                "it, or use `lithoscope reprocess` with today's"
            ) from error
        experiment = theirs.experiment.model_copy(
            update={"name": name, "n_scans": len(self.scans)}
        )
        return theirs.model_copy(
            update={
                "experiment": experiment,
                # Frames come from the store; no foreign stream is listened to.
                "source": SourceSettings(),
                "dashboard": ours.dashboard,
                "instance": ours.instance,
            }
        )

    def records(self, scan: int) -> list[FrameRecord]:
        """Give what the indices say of the frames of a scan, in the order of their sending.

        Raises
        ------
        ReplayError
            If an index is damaged.
        """
        records: list[FrameRecord] = []
        for reader in self.readers(scan).values():
            if reader.damaged_records:
                raise ReplayError(
                    f"{self.paths.index(scan, reader.tile)} has {reader.damaged_records} damaged "
                    f"records; run `lithoscope verify {self.paths.name}` and restore the file"
                )
            records += [reader.record(key) for key in reader.keys]
        return in_sending_order(records)

    def readers(self, scan: int) -> dict[int, FrameReader]:
        """Give the readers of the tiles of a scan."""
        tiles = self.paths.tiles(scan)
        return {tile: FrameReader(self.paths, scan, tile) for tile in tiles}

    def documents(self) -> list[tuple[str, dict[str, Any]]]:
        """Give name and content of all Bluesky documents, in the order in which they came."""
        path = self.paths.documents
        return _parse_documents(path) if path.is_file() else []


def open_recorded(
    paths: ExperimentPaths,
    entries: Sequence[Entry],
    *,
    first: int | None = None,
    last: int | None = None,
    needs_frames: bool = True,
) -> Recorded:
    """Look at a stored experiment and choose its scans.

    Parameters
    ----------
    paths, entries
        The experiment, and all of its journal.
    first, last
        First and last scan to replay; all by default.
    needs_frames
        Whether frames are sent, so that they must not have been pruned.

    Raises
    ------
    ReplayError
        If it never began, has none of these scans, or if their frames were pruned.
    """
    started = next((e.message for e in entries if isinstance(e.message, ExperimentStarted)), None)
    known = sorted(e.message.scan for e in entries if isinstance(e.message, ScanStarted))
    if started is None or not known:
        raise ReplayError(f"{paths.name} has no scan to replay; nothing was ever taken of it")
    scans = tuple(
        scan
        for scan in known
        if (first is None or scan >= first) and (last is None or scan <= last)
    )
    if not scans:
        raise ReplayError(
            f"{paths.name} has scans {known[0]} to {known[-1]}, none of them lies in the range "
            "that was asked for; look at --from and --to"
        )
    pruned = pruned_scans(entries, "frames") & set(scans)
    if needs_frames and pruned:
        raise ReplayError(
            f"the frames of scan {_listed(pruned)} of {paths.name} were pruned; replay other "
            "scans with --from and --to, or the journal alone with --facts-only"
        )
    return Recorded(paths=paths, entries=tuple(entries), started=started, scans=scans)


def in_sending_order(records: Iterable[FrameRecord]) -> list[FrameRecord]:
    """Order frames as their source sent them, one of its lives after the other.

    The order of storing is not it: after a restart of ingest a source sends again what was under
    way.
    """
    sessions: dict[str, list[FrameRecord]] = {}
    for record in records:
        sessions.setdefault(record.session, []).append(record)
    lives = sorted(sessions.values(), key=lambda sent: min(each.time_ns for each in sent))
    return [
        record for sent in lives for record in sorted(sent, key=lambda record: record.sequence)
    ]


def _parse_documents(path: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            parts = json.loads(line)
            found.append((str(parts["name"]), dict(parts["doc"])))
        except (ValueError, KeyError, TypeError):
            continue  # cut short by a power cut; the whole document stands in a later line
    return found


def _listed(scans: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(scans)))
