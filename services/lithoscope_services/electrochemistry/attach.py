"""Attach a cycler's record to an experiment that was taken without it, or with a part of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ElectrochemistryAppended
from lithoscope_services.electrochemistry.clock import ClockFinding, find_offset, scan_places
from lithoscope_services.electrochemistry.errors import AttachError
from lithoscope_services.electrochemistry.read import read_cycler
from lithoscope_services.electrochemistry.record import (
    Column,
    CyclerRecord,
    Gap,
    find_gaps,
)
from lithoscope_services.electrochemistry.samples import store_samples
from lithoscope_services.history import History
from lithoscope_services.reading import read_entries
from lithoscope_store import (
    ExperimentPaths,
    JournalDatabase,
    Store,
    experiment_lock,
    read_electrochemistry,
)
from lithoscope_store.manifest import renew_manifest

#: A scan that begins so soon after the last sample still has its charge.
_REACH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachOptions:
    """What a person asks for; see ``lithoscope attach --help``."""

    store: Path
    experiment: str
    files: Sequence[Path]
    clock_offset_s: float | None = None
    marker_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What came of it.

    Parameters
    ----------
    experiment
        Name.
    n_samples, n_stored
        Samples that are new, and that are stored now.
    clock
        What was added to the times; None if the files had been attached before.
    gaps
        Times of which the cycler wrote nothing, by the clock of the experiment.
    notes
        What was done to the files to read them.
    scans_without_charge
        Scans that began before the first sample or after the last one.
    charge_mAh
        Signed, at the last sample.
    """

    experiment: str
    n_samples: int
    n_stored: int
    clock: ClockFinding | None
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    scans_without_charge: tuple[int, ...] = ()
    charge_mAh: float  # noqa: N815 - the unit is mAh

    @property
    def next_command(self) -> str:
        """What measures the scans anew, with the charge."""
        return f"lithoscope reprocess {self.experiment} --as NEW_NAME --stages measure:decide"

    def as_json(self) -> dict[str, Any]:
        """Give what ``--json`` prints."""
        return {**asdict(self), "next_command": self.next_command if self.n_samples else None}


def attach_files(options: AttachOptions) -> Attached:
    """Attach files of a cycler to an experiment; a second time changes nothing.

    Samples later than those that are stored are added, by the clock of the experiment; stored ones
    are never replaced.

    Parameters
    ----------
    options
        What and where.

    Raises
    ------
    SourceError
        If a file cannot be read.
    AttachError
        If the experiment has begun nothing, or if nothing tells the offset of the clocks.
    LockedError
        If an instance works on the experiment; it takes samples itself.
    """
    store = Store(options.store)
    paths = store.experiment(options.experiment)
    history = History(paths.name)
    history.extend(read_entries(store, paths.name))
    if history.started is None or not history.scans:
        raise AttachError(f"{paths.name} has no scans; attach the record when it has some")
    digests = [_sha256(path) for path in options.files]
    with experiment_lock(paths):
        if _is_attached(history, digests):
            attached = _nothing_new(paths, history)
        else:
            attached = _attach(paths, history, options, digests)
        # After the journal is closed; also what an earlier call that was cut short has left.
        renew_manifest(paths, _changed(paths))
    return attached


def _attach(
    paths: ExperimentPaths, history: History, options: AttachOptions, digests: Sequence[str]
) -> Attached:
    record = _read_all(options.files)
    stored = read_electrochemistry(paths)
    clock = find_offset(
        record,
        history,
        stored,
        given_s=options.clock_offset_s,
        marker_at_s=options.marker_at_s,
    )
    ours = replace(record, time_s=record.time_s + clock.offset_s)
    new = _beginning_with_first_scan(_later_than(ours, stored.time_s), history, stored.time_s)
    facts = store_samples(
        paths,
        new,
        [place.time_s for place in scan_places(history)],
        n_announced=max((f.first + f.count for f in history.electrochemistry), default=0),
        producer="command_line",
        inputs=digests,
    )
    with JournalDatabase(paths.journal, paths.name) as journal:
        _append(journal, facts)
        history.catch_up(journal.read_since)
    return Attached(
        experiment=paths.name,
        n_samples=sum(fact.count for fact in facts),
        n_stored=read_electrochemistry(paths).n_samples,
        clock=clock,
        gaps=find_gaps(ours),
        notes=new.notes,
        scans_without_charge=_without_charge(history),
        charge_mAh=history.electrochemistry[-1].charge_mAh if history.electrochemistry else 0.0,
    )


def _nothing_new(paths: ExperimentPaths, history: History) -> Attached:
    return Attached(
        experiment=paths.name,
        n_samples=0,
        n_stored=read_electrochemistry(paths).n_samples,
        clock=None,
        scans_without_charge=_without_charge(history),
        charge_mAh=history.electrochemistry[-1].charge_mAh,
    )


def _is_attached(history: History, digests: Sequence[str]) -> bool:
    known = {each for fact in history.electrochemistry for each in fact.inputs}
    return set(digests) <= known


def _read_all(files: Sequence[Path]) -> CyclerRecord:
    """Read files one after another into one record."""
    records = [read_cycler(path) for path in files]
    first = records[0]
    times: list[Column] = []
    for path, record in zip(files, records, strict=True):
        shift_s = 0.0
        if record.start_unix_s is not None and first.start_unix_s is not None:
            shift_s = record.start_unix_s - first.start_unix_s
        times.append(record.time_s + shift_s)
        if len(times) > 1 and times[-1][0] < times[-2][-1]:
            raise AttachError(
                f"{path}: its time begins at {times[-1][0]:g} s, the file before it ends at "
                f"{times[-2][-1]:g} s; give files in their order whose time runs on, or attach "
                "each with its own --clock-offset-s"
            )
    notes = dict.fromkeys(
        f"{path.name}: {note}"
        for path, record in zip(files, records, strict=True)
        for note in record.notes
    )
    return CyclerRecord(
        time_s=np.concatenate(times),
        potential_V=np.concatenate([record.potential_V for record in records]),
        current_mA=np.concatenate([record.current_mA for record in records]),
        start_unix_s=first.start_unix_s,
        notes=tuple(notes),
    )


def _later_than(record: CyclerRecord, stored_s: Column) -> CyclerRecord:
    if not stored_s.size:
        return record
    # Half a step: clocks that were compared by the current agree no better.
    steps_s = np.diff(record.time_s)
    margin_s = float(np.median(steps_s[steps_s > 0])) / 2 if (steps_s > 0).any() else 0.0
    return _part(record, record.time_s > stored_s[-1] + margin_s)


def _part(record: CyclerRecord, is_in: NDArray[np.bool_]) -> CyclerRecord:
    return replace(
        record,
        time_s=record.time_s[is_in],
        potential_V=record.potential_V[is_in],
        current_mA=record.current_mA[is_in],
    )


def _beginning_with_first_scan(
    record: CyclerRecord, history: History, stored_s: Column
) -> CyclerRecord:
    """Let a record that begins after the first scan begin with it, at rest."""
    first_s = min(place.time_s for place in scan_places(history))
    if stored_s.size or not record.time_s.size or record.time_s[0] <= first_s:
        return record
    begin_s = record.time_s[0]
    return CyclerRecord(
        time_s=np.concatenate([[first_s, begin_s], record.time_s]),
        potential_V=np.concatenate([record.potential_V[[0, 0]], record.potential_V]),
        current_mA=np.concatenate([[0.0, 0.0], record.current_mA]),
        start_unix_s=record.start_unix_s,
        notes=(
            *record.notes,
            f"no current is counted for the {begin_s - first_s:.0f} s from the first scan to the "
            "first reading",
        ),
    )


def _append(journal: JournalDatabase, facts: Sequence[ElectrochemistryAppended]) -> None:
    if not facts:
        return
    if journal.is_sealed:
        journal.amend(facts)
    else:
        journal.append(facts)


def _without_charge(history: History) -> tuple[int, ...]:
    if not history.electrochemistry:
        return tuple(sorted(history.scans))
    last_s = history.electrochemistry[-1].time_s
    return tuple(
        scan.scan
        for scan in history.in_order()
        if scan.started is not None
        and (
            history.charge_mAh_at(scan.started.phase.experiment_time_s) is None
            or scan.started.phase.experiment_time_s > last_s + _REACH_S
        )
    )


def _changed(paths: ExperimentPaths) -> list[str]:
    files = [path for path in paths.electrochemistry.rglob("*") if path.is_file()]
    return [paths.relative(path) for path in (paths.journal, *sorted(files))]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AttachError(f"{path}: cannot be read: {error.strerror}; check the path") from error
