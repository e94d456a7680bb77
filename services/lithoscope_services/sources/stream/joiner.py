"""Join foreign frames into scans: each gets its scan, kind, set, index and angle, or a reason.

No clock and no socket: frames go in, what is to be told to ingest comes out. When a new scan
begins, in this order:

1. no scan is open;
2. the sender's counter runs on and says so;
3. a dark or flat comes after projections whose place is taken by another image;
4. a dark or flat comes after at least half of the projections, and this scan has come in order;
5. a projection comes again with another image, after at least half of them or, without darks and
   flats, an early one.

A scan is closed when all of it is there, when its last frame has come and all came in order, when
the next begins, or from outside after a silence.
"""

from collections import Counter as Tally
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import google_crc32c

from lithoscope_messages import ExpectedCount, FrameKey, FrameKind
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.stream.events import (
    Counters,
    Event,
    Resumed,
    ScanBegun,
    ScanEnded,
    ScanFrame,
)
from lithoscope_services.sources.stream.frame import SeriesEnd, StreamFrame
from lithoscope_services.sources.stream.places import (
    Angles,
    Counter,
    Layout,
    Place,
    Slot,
    kind_of,
)

#: A double comes soon after its first; an equal dark much later may be one of the next scan.
RECENT = 64


@dataclass(slots=True, kw_only=True)
class _Open:
    scan: int
    frame_shape: tuple[int, int]
    dtype: str
    series: int | None = None
    seen: dict[Slot, int] = field(default_factory=dict)
    n_projections: int = 0
    newest: int = -1
    is_ordered: bool = True

    def note(self, slot: Slot, crc32c: int, rank: int) -> None:
        """Remember a frame."""
        self.seen[slot] = crc32c
        self.n_projections += slot[0] == "projection"
        self.is_ordered = self.is_ordered and rank > self.newest
        self.newest = max(self.newest, rank)


class Joiner:
    """Makes scans of a stream of frames.

    Parameters
    ----------
    settings
        How the stream is read.
    next_scan
        Number of the next scan that begins.
    table_deg
        Angles, for ``theta_from = "table"``.
    resumed, counters
        What was open when the last process ended, and where the counter stood.
    """

    def __init__(
        self,
        settings: SourceSettings,
        *,
        next_scan: int = 0,
        table_deg: Sequence[float] = (),
        resumed: Resumed | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._settings = settings
        self._layout = Layout(settings)
        self._angles = Angles(settings, table_deg)
        self._next_scan = next_scan
        self._open: _Open | None = None
        self._last: _Open | None = None
        self._recent: deque[tuple[Slot, int]] = deque(maxlen=RECENT)
        self.refused: Tally[str] = Tally()
        self._counter = Counter(settings.wraps_after)
        if counters is not None:
            self._counter = Counter(settings.wraps_after, turns=counters.turns, last=counters.last)
        if resumed is not None:
            self._resume(resumed, counters)

    @property
    def expected(self) -> tuple[ExpectedCount, ...]:
        """Frames of each set."""
        return self._layout.expected

    @property
    def open_scan(self) -> int | None:
        """Number of the scan that is open."""
        return None if self._open is None else self._open.scan

    @property
    def next_scan(self) -> int:
        """Number of the next scan that begins."""
        return self._next_scan

    @property
    def counters(self) -> Counters | None:
        """Where the counter stands in the open scan."""
        if self._open is None:
            return None
        return Counters(
            scan=self._open.scan,
            series=self._open.series,
            turns=self._counter.turns,
            last=self._counter.last,
        )

    def offer(self, frame: StreamFrame) -> list[Event]:
        """Take a frame and give what follows from it.

        Raises
        ------
        SourceError
            If it belongs nowhere; the text begins with the reason. Pass it to :meth:`refuse`.
        """
        if not frame.is_complete:
            raise SourceError(f"image_is_complete: frame {frame.number} has parts missing")
        place = self._place(frame)
        theta_deg = None
        if place.kind == "projection":
            theta_deg = self._angles.of(place.index, frame)
        crc32c = google_crc32c.value(frame.pixels.tobytes())
        if (place.slot, crc32c) in self._recent:
            raise SourceError(f"doubled: frame {frame.number} came twice")
        events: list[Event] = []
        if self._begins_scan(place, crc32c):
            events += self.close()
            events.append(self._begin(frame))
            place = self._place(frame)
        opened = self._opened()
        self._check(opened, place, frame, crc32c)
        opened.note(place.slot, crc32c, self._layout.rank(place.slot))
        if opened.series is None:
            opened.series = place.series
        self._recent.append((place.slot, crc32c))
        events.append(
            ScanFrame(
                key=FrameKey(scan=opened.scan, kind=place.kind, set=place.set, index=place.index),
                pixels=frame.pixels,
                theta_deg=theta_deg,
                theta_source=self._angles.source_of(frame),
                time_ns=frame.time_ns,
            )
        )
        if self._is_over(opened):
            events += self.close()
        return events

    def end(self, mark: SeriesEnd) -> list[Event]:
        """Close the open scan if it is the series that has ended."""
        if self._open is None or self._open.series not in (None, mark.series):
            return []
        return self.close()

    def refuse(self, error: SourceError) -> str:
        """Count what was not taken, and give its reason in a word."""
        reason = str(error).partition(":")[0][:40]
        self.refused[reason] += 1
        return reason

    def close(self, *, is_silent: bool = False) -> list[Event]:
        """Close the open scan, if there is one.

        Parameters
        ----------
        is_silent
            Nothing came for long: whatever comes next is no late frame of this scan.
        """
        if is_silent:
            self._last = None
        if self._open is None:
            return []
        done, self._open = self._open, None
        self._last = None if is_silent else done
        refused, self.refused = dict(self.refused), Tally()
        return [
            ScanEnded(
                scan=done.scan,
                frame_shape=done.frame_shape,
                dtype=done.dtype,
                absent=tuple(slot for slot in self._layout.slots if slot not in done.seen),
                seen=done.seen,
                refused=refused,
            )
        ]

    def _resume(self, resumed: Resumed, counters: Counters | None) -> None:
        is_known = counters is not None and counters.scan == resumed.scan
        self._open = _Open(
            scan=resumed.scan,
            frame_shape=resumed.frame_shape,
            dtype=resumed.dtype,
            series=counters.series if counters is not None and is_known else None,
        )
        for slot in sorted(resumed.seen, key=self._layout.rank):
            self._open.note(slot, resumed.seen[slot], self._layout.rank(slot))
        self._next_scan = max(self._next_scan, resumed.scan + 1)

    def _place(self, frame: StreamFrame) -> Place:
        place = self._place_by_number(frame)
        if frame.series is not None:
            return replace(place, series=frame.series, is_told=True)
        return place

    def _place_by_number(self, frame: StreamFrame) -> Place:
        kind = kind_of(frame, self._settings)
        if self._settings.numbers == "per_kind" and kind is not None:
            return self._place_in_kind(frame, kind)
        number = frame.number
        if self._settings.numbers == "running":
            number = self._counter.unwrap(number)
        number -= self._settings.first_frame
        if number < 0:
            raise SourceError(f"frame: {frame.number} came, the first is 1 by first_frame")
        series = None
        if self._settings.numbers == "running":
            series, number = divmod(number, self._layout.n_frames)
        place = self._layout.at(number, series=series)
        if kind is not None and kind != place.kind:
            raise SourceError(
                f"kind: frame {frame.number} says {kind}, by its number it is {place.kind} "
                f"{place.index}; mend the counts or first_frame in [source]"
            )
        return place

    def _place_in_kind(self, frame: StreamFrame, kind: FrameKind) -> Place:
        number = frame.number - self._settings.first_frame
        if number < 0:
            raise SourceError(f"frame: {frame.number} came, the first is 1 by first_frame")
        if kind == "projection":
            number = self._counter.unwrap(frame.number) - self._settings.first_frame
            series, index = divmod(number, self._settings.n_projections)
            return Place(kind="projection", index=index, series=series)
        before = self._layout.count(kind, 0)
        after = self._layout.count(kind, 1)
        if number >= before + after:
            raise SourceError(f"frame: {kind} {frame.number}, but {before + after} were announced")
        if number >= before:
            return Place(kind=kind, set=1, index=number - before)
        if number < after and self._is_after(Place(kind=kind, index=number)):
            return Place(kind=kind, set=1, index=number)
        return Place(kind=kind, index=number)

    def _is_after(self, place: Place) -> bool:
        """Whether a dark or flat whose numbers start anew is one after the projections."""
        opened = self._open
        if opened is None or (place.kind, 1, place.index) in opened.seen:
            return False
        return self._is_late(opened) or (opened.n_projections > 0 and place.slot in opened.seen)

    def _is_late(self, opened: _Open) -> bool:
        return opened.is_ordered and 2 * opened.n_projections >= self._settings.n_projections

    def _begins_scan(self, place: Place, crc32c: int) -> bool:
        opened = self._open
        if opened is None:
            self._check_not_late(place)
            return True
        if place.series is not None and opened.series is not None:
            if place.series < opened.series:
                raise SourceError(f"late: {place.kind} {place.index} of an earlier scan")
            if place.series > opened.series:
                return True
        if place.is_told:
            return False
        known = opened.seen.get(place.slot)
        is_other = known is not None and known != crc32c
        if place.kind != "projection" and place.set == 0:
            if opened.n_projections == 0:
                return False
            return is_other if known is not None else self._is_late(opened)
        is_half = 2 * opened.n_projections >= self._settings.n_projections
        is_early = 2 * self._layout.rank(place.slot) < opened.newest
        return is_other and (is_half or (is_early and not self._layout.has_references))

    def _check_not_late(self, place: Place) -> None:
        """Refuse what the scan before was closed without."""
        last = self._last
        if last is None:
            return
        if place.series is not None and last.series is not None:
            is_late = place.series < last.series or (place.series == last.series and place.is_told)
        else:
            is_late = False
        is_reference = place.kind != "projection" and place.set == 0
        if not is_reference and self._layout.has_references and place.slot not in last.seen:
            is_late = is_late or place.series is None or place.series == last.series
        if is_late:
            raise SourceError(
                f"late: {place.kind} {place.index} came after scan {last.scan} was closed"
            )

    def _begin(self, frame: StreamFrame) -> ScanBegun:
        rows, columns = frame.pixels.shape
        self._open = _Open(
            scan=self._next_scan, frame_shape=(rows, columns), dtype=frame.pixels.dtype.name
        )
        self._next_scan += 1
        return ScanBegun(
            scan=self._open.scan, frame_shape=self._open.frame_shape, dtype=self._open.dtype
        )

    def _opened(self) -> _Open:
        if self._open is None:
            raise SourceError("scan: none is open")
        return self._open

    @staticmethod
    def _check(opened: _Open, place: Place, frame: StreamFrame, crc32c: int) -> None:
        dtype, shape = frame.pixels.dtype.name, frame.pixels.shape
        if shape != opened.frame_shape or dtype != opened.dtype:
            raise SourceError(
                f"shape: {dtype} {shape}, but scan {opened.scan} has {opened.dtype} "
                f"{opened.frame_shape}"
            )
        known = opened.seen.get(place.slot)
        if known == crc32c:
            raise SourceError(f"doubled: frame {frame.number} came twice")
        if known is not None:
            raise SourceError(
                f"conflict: {place.kind} {place.index} came again with another image"
            )

    def _is_over(self, opened: _Open) -> bool:
        if len(opened.seen) == self._layout.n_frames:
            return True
        return self._is_late(opened) and opened.newest == self._layout.n_frames - 1
