"""Closing the account of a scan from what is on disk and from what was counted meanwhile."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import (
    ExpectedCount,
    FrameKind,
    ScanAccount,
    ScanEnd,
    SetAccount,
    bounded,
)
from lithoscope_pipeline.view_angles import (
    HALF_TURN_RAD,
    WHOLE_TURN_RAD,
    edge_on_counts,
    goes_all_around,
    largest_gap_rad,
)
from lithoscope_store import FrameRecord
from lithoscope_store.durable import write_atomic

SetKey = tuple[int, FrameKind, int]
#: What a source calls frames that it left out because they came twice.
DOUBLED = "doubled"


@dataclass(slots=True)
class Tally:
    """What became of the frames that were not stored; kept in a file while the scan runs.

    Parameters
    ----------
    path
        The file.
    doubled
        By set.
    rejected
        By reason.
    abandoned
        Messages that their source gave up.
    """

    path: Path
    doubled: Counter[SetKey] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    abandoned: int = 0
    _saved: str = ""

    @classmethod
    def load(cls, path: Path) -> "Tally":
        """Go on with what the process before has counted; a damaged file counts for nothing."""
        tally = cls(path)
        try:
            found = json.loads(path.read_bytes())
            tally.rejected.update(found["rejected"])
            tally.doubled.update({(t, k, s): count for t, k, s, count in found["doubled"]})
            tally.abandoned = found["abandoned"]
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(path)
        tally._saved = tally._text()
        return tally

    def save(self) -> None:
        """Write it if it has changed."""
        text = self._text()
        if text != self._saved:
            write_atomic(self.path, text.encode())
            self._saved = text

    def remove(self) -> None:
        """Remove the file: the account is in the journal."""
        self.path.unlink(missing_ok=True)

    def reject(self, reason: str) -> None:
        """Count a frame that was not taken."""
        self.rejected[reason] += 1
        self.rejected = Counter(bounded(self.rejected))

    def _text(self) -> str:
        if not self.doubled and not self.rejected and not self.abandoned:
            return ""
        doubled = [[*key, count] for key, count in self.doubled.items()]
        return json.dumps(
            {"doubled": doubled, "rejected": self.rejected, "abandoned": self.abandoned}
        )


def close_account(
    expected: Sequence[ExpectedCount],
    records: Iterable[FrameRecord],
    tally: Tally,
    *,
    said: ScanEnd | None,
    edge_on_deg: float | None,
) -> ScanAccount:
    """Close the account of a scan.

    Parameters
    ----------
    expected
        What was announced.
    records
        Of the frames that are on disk, in the order in which they came to be.
    tally
        What became of others.
    said
        What the source said at the end, if it did.
    edge_on_deg
        Angle at which the beam runs along the electrode planes, if known.
    """
    by_set: dict[SetKey, list[FrameRecord]] = defaultdict(list)
    for record in records:
        by_set[record.key.tile, record.key.kind, record.key.set].append(record)
    views: dict[SetKey, _Views] = {
        (each.tile, each.kind, each.set): _Views.of(
            by_set[each.tile, each.kind, each.set], each.count, edge_on_deg
        )
        for each in expected
        if each.kind == "projection"
    }
    every = np.concatenate([each.thetas_rad for each in views.values()] or [np.empty(0)])
    turn_rad = WHOLE_TURN_RAD if goes_all_around(every) else HALF_TURN_RAD
    sets = tuple(_set_account(each, by_set, tally, views, turn_rad) for each in expected)
    tiles = [
        _Views.joined([views[key] for key in views if key[0] == tile])
        for tile in sorted({key[0] for key in views})
    ]
    known = [each.edge_on_coverage for each in tiles if each.edge_on_coverage is not None]
    rejected = tally.rejected + Counter({} if said is None else said.rejected)
    doubled = tally.doubled.total() + rejected.pop(DOUBLED, 0)
    n_expected = sum(each.count for each in expected if each.kind == "projection")
    n_stored = sum(len(each.thetas_rad) for each in views.values())
    return ScanAccount(
        sets=sets,
        missing=sum(max(0, (each.expected or 0) - each.stored) for each in sets),
        doubled=doubled,
        late=sum(each.late or 0 for each in sets),
        rejected=bounded(rejected),
        fetched=0 if said is None else said.fetched,
        abandoned=tally.abandoned,
        turn_deg=_turn_deg(turn_rad) if len(every) >= 2 else None,
        largest_gap_deg=_largest_gap_deg(tiles, turn_rad),
        completeness=min(1.0, n_stored / n_expected) if n_expected else 0.0,
        edge_on_coverage=min(known, default=None),
    )


@dataclass(frozen=True, slots=True)
class _Views:
    """The projections of a set or of a tile, by angle; counts near edge-on."""

    thetas_rad: NDArray[np.float64]
    n_edge_on: int
    n_edge_on_expected: float | None

    @classmethod
    def of(
        cls, records: Sequence[FrameRecord], n_expected: int, edge_on_deg: float | None
    ) -> "_Views":
        order = sorted(records, key=lambda record: record.key.index)
        indices = np.array([record.key.index for record in order], np.int64)
        thetas_rad = np.deg2rad([record.theta_deg or 0.0 for record in order])
        if edge_on_deg is None or n_expected == 0:
            return cls(thetas_rad, 0, None)
        edge_on_rad = float(np.deg2rad(edge_on_deg))
        return cls(thetas_rad, *edge_on_counts(indices, thetas_rad, n_expected, edge_on_rad))

    @classmethod
    def joined(cls, parts: Sequence["_Views"]) -> "_Views":
        known = [part.n_edge_on_expected for part in parts if part.n_edge_on_expected is not None]
        return cls(
            np.concatenate([part.thetas_rad for part in parts]),
            sum(part.n_edge_on for part in parts),
            sum(known) if known else None,
        )

    @property
    def edge_on_coverage(self) -> float | None:
        if self.n_edge_on_expected is None:
            return None
        # A scan that never came near edge-on has nothing of it.
        return self.n_edge_on / self.n_edge_on_expected if self.n_edge_on_expected else 0.0

    def gap_deg(self, turn_rad: float) -> float | None:
        gap_rad = largest_gap_rad(self.thetas_rad, turn_rad)
        return None if gap_rad is None else float(np.rad2deg(gap_rad))


def _set_account(
    expected: ExpectedCount,
    by_set: Mapping[SetKey, Sequence[FrameRecord]],
    tally: Tally,
    views: Mapping[SetKey, _Views],
    turn_rad: float,
) -> SetAccount:
    key = (expected.tile, expected.kind, expected.set)
    seen = views.get(key)
    return SetAccount(
        tile=expected.tile,
        kind=expected.kind,
        set=expected.set,
        expected=expected.count,
        stored=len(by_set[key]),
        doubled=tally.doubled[key],
        late=count_late(by_set[key]),
        largest_gap_deg=None if seen is None else seen.gap_deg(turn_rad),
        edge_on_coverage=None if seen is None else seen.edge_on_coverage,
    )


def count_late(records: Sequence[FrameRecord]) -> int:
    """Count the frames of a set that their source sent after one with a higher index.

    The order of sending counts, not that of storing: after a restart of ingest a source sends
    again what was under way, and nothing of that is late.
    """
    sessions: dict[str, list[FrameRecord]] = {}
    for record in records:
        sessions.setdefault(record.session, []).append(record)
    n_late, newest = 0, -1
    for sent in sessions.values():
        for record in sorted(sent, key=lambda record: record.sequence):
            n_late += record.key.index < newest
            newest = max(newest, record.key.index)
    return n_late


def _largest_gap_deg(tiles: Sequence[_Views], turn_rad: float) -> float | None:
    gaps_deg = [each.gap_deg(turn_rad) for each in tiles]
    if all(gap_deg is None for gap_deg in gaps_deg):
        return None
    # Beside tiles that have views one without any is a gap of the whole turn.
    whole_deg = float(_turn_deg(turn_rad))
    return max(whole_deg if gap_deg is None else gap_deg for gap_deg in gaps_deg)


def _turn_deg(turn_rad: float) -> Literal[180, 360]:
    return 360 if turn_rad > HALF_TURN_RAD else 180
