"""Which frame of a scan a foreign frame is: from its number, its kind and what was announced."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lithoscope_messages import ExpectedCount, FrameKind, ThetaSource
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.stream.frame import StreamFrame

Slot = tuple[FrameKind, int, int]
_BY_INDEX: tuple[FrameKind, ...] = ("dark", "flat", "projection")
#: As the attributes of areaDetector, tomoscan and DXchange spell them.
_BY_NAME: dict[str, FrameKind] = {
    "dark": "dark",
    "darkfield": "dark",
    "data_dark": "dark",
    "flat": "flat",
    "flatfield": "flat",
    "white": "flat",
    "data_white": "flat",
    "projection": "projection",
    "proj": "projection",
    "data": "projection",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a frame belongs.

    Parameters
    ----------
    kind, set, index
        Of the frame in its scan.
    series
        Number of the scan by the sender's counter, where that runs on.
    is_told
        Whether the series alone tells one scan from another.
    """

    kind: FrameKind
    index: int
    set: int = 0
    series: int | None = None
    is_told: bool = False

    @property
    def slot(self) -> Slot:
        """What is unique in a scan."""
        return self.kind, self.set, self.index


class Layout:
    """The sets of a scan in the order in which they are taken.

    Parameters
    ----------
    settings
        With the counts.
    """

    def __init__(self, settings: SourceSettings) -> None:
        sets: tuple[tuple[FrameKind, int, int], ...] = (
            ("dark", 0, settings.n_darks),
            ("flat", 0, settings.n_flats),
            ("projection", 0, settings.n_projections),
            ("flat", 1, settings.n_flats_after),
            ("dark", 1, settings.n_darks_after),
        )
        self._sets = tuple(each for each in sets if each[2])
        self.n_frames = sum(count for _, _, count in self._sets)

    @property
    def expected(self) -> tuple[ExpectedCount, ...]:
        """What ScanBegin announces."""
        return tuple(ExpectedCount(kind=k, set=s, count=count) for k, s, count in self._sets)

    @property
    def has_references(self) -> bool:
        """Whether a scan begins with darks or flats."""
        return self._sets[0][0] != "projection"

    @property
    def slots(self) -> Iterator[Slot]:
        """Give all frames of a scan in their order."""
        for kind, set_, count in self._sets:
            for index in range(count):
                yield kind, set_, index

    def count(self, kind: FrameKind, set_: int) -> int:
        """Give the number of frames of a set."""
        return next((count for k, s, count in self._sets if (k, s) == (kind, set_)), 0)

    def at(self, position: int, *, series: int | None) -> Place:
        """Give the frame at a position of the scan."""
        left = position
        for kind, set_, count in self._sets:
            if left < count:
                return Place(
                    kind=kind, set=set_, index=left, series=series, is_told=series is not None
                )
            left -= count
        raise SourceError(f"frame: number {position} of a scan, {self.n_frames} were announced")

    def rank(self, slot: Slot) -> int:
        """Give the position of a frame: the inverse of :meth:`at`."""
        first = 0
        for kind, set_, count in self._sets:
            if (kind, set_) == slot[:2]:
                return first + slot[2]
            first += count
        raise SourceError(f"kind: {slot[0]} frames of set {slot[1]} were not announced")


class Counter:
    """A sender's counter that may wrap, made one that does not.

    Parameters
    ----------
    wraps_after
        Last number before 0 comes again; None if it never does.
    turns, last
        Where it stood.
    """

    def __init__(self, wraps_after: int | None, *, turns: int = 0, last: int = 0) -> None:
        self._wraps_after = wraps_after
        self.turns = turns
        self.last = last

    def unwrap(self, number: int) -> int:
        """Give the number as if it had never wrapped; small steps back are late frames."""
        if self._wraps_after is None:
            return number
        if number > self._wraps_after:
            raise SourceError(f"frame: {number} came, the counter wraps after {self._wraps_after}")
        half, turns = self._wraps_after // 2, self.turns
        if number - self.last < -half:
            turns += 1
        elif number - self.last > half and turns:
            turns -= 1
        if turns >= self.turns:
            self.turns, self.last = turns, number
        return turns * (self._wraps_after + 1) + number


def kind_of(frame: StreamFrame, settings: SourceSettings) -> FrameKind | None:
    """Tell the kind of a frame by what comes with it; None where the order tells.

    Raises
    ------
    SourceError
        If the frame does not say it.
    """
    if settings.kind_from == "order":
        return None
    if settings.kind_from == "frame":
        if frame.kind is None:
            raise SourceError(
                f"kind: frame {frame.number} does not say it; choose another kind_from in [source]"
            )
        return frame.kind
    value = frame.attributes.get(settings.kind_attribute)
    if isinstance(value, int | float) and value in (0, 1, 2):
        return _BY_INDEX[int(value)]
    kind = kind_named(str(value))
    if kind is None:
        raise SourceError(
            f"ndattr: {settings.kind_attribute} is {str(value)[:40]!r}, dark, flat or projection "
            "was expected"
        )
    return kind


def kind_named(name: str) -> FrameKind | None:
    """Read a kind as areaDetector, tomoscan and DXchange spell it; None if it is none."""
    word = name.strip().lower().rpartition("/")[2]
    return _BY_NAME.get(word.replace(" ", "").replace("-", ""))


class Angles:
    """Where the angle of a projection is known from.

    Parameters
    ----------
    settings
        Of the source.
    table_deg
        One a projection, for ``theta_from = "table"``.
    """

    def __init__(self, settings: SourceSettings, table_deg: Sequence[float] = ()) -> None:
        self._settings = settings
        self._table_deg = table_deg
        named: dict[str, ThetaSource] = {"formula": "formula", "table": "table"}
        self.planned_source: ThetaSource = named.get(settings.theta_from, "frame")
        if settings.theta_from == "table" and len(table_deg) != settings.n_projections:
            raise SourceError(
                f"{settings.theta_file}: {len(table_deg)} angles, n_projections is "
                f"{settings.n_projections}; write one a line"
            )

    def of(self, index: int, frame: StreamFrame) -> float:
        """Give the angle of a projection, degrees."""
        source = self._settings
        planned_deg = self.planned(index)
        if planned_deg is not None:
            return planned_deg
        if source.theta_from == "frame":
            if frame.thetas_deg is not None:
                return self._listed(index, frame.thetas_deg)
            if frame.theta_deg is None:
                raise SourceError(
                    f"theta: frame {frame.number} does not say its angle; choose another "
                    "theta_from in [source]"
                )
            return frame.theta_deg
        value = frame.attributes.get(source.theta_attribute)
        if not isinstance(value, int | float) or not -1e6 < value < 1e6 or math.isnan(value):
            raise SourceError(
                f"ndattr: {source.theta_attribute} is {str(value)[:40]!r}, an angle in degrees "
                "was expected"
            )
        return float(value)

    def planned(self, index: int) -> float | None:
        """Give the angle of a projection by the settings, degrees; None if the sender tells it."""
        source = self._settings
        if source.theta_from == "table":
            return float(self._table_deg[index])
        if source.theta_from == "formula":
            step_deg = source.theta_step_deg
            step_deg = 180.0 / source.n_projections if step_deg is None else step_deg
            return source.theta_start_deg + index * step_deg
        return None

    def source_of(self, frame: StreamFrame) -> ThetaSource:
        """Say where the angle of a frame is known from."""
        if self._settings.theta_from == "frame" and frame.thetas_deg is not None:
            return "table"
        return self.planned_source

    def _listed(self, index: int, thetas_deg: Sequence[float]) -> float:
        if index >= len(thetas_deg):
            raise SourceError(
                f"theta: {len(thetas_deg)} angles were sent, projection {index} came; mend "
                "n_projections in [source] or the list of angles"
            )
        return float(thetas_deg[index])
