"""Which frame of a scan lies in which row of which file, as far as a run's documents say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lithoscope_messages import ExpectedCount
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.bluesky.run import Datum, Resource, Run, Stream
from lithoscope_services.sources.stream.places import Slot

#: Rows of a resource that are written; empty if it cannot be read or has no images.
Rows = Callable[[Resource], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a frame lies.

    Parameters
    ----------
    slot
        Kind, set and index.
    resource, row
        Of its pixels.
    stream
        Uid of the descriptor; empty if it is not known.
    number, part
        Of the event, from 0, and of the frame in it.
    is_fetched
        Its datum never came: it was found in the file.
    """

    slot: Slot
    resource: str
    row: int
    stream: str
    number: int
    part: int
    is_fetched: bool = False


@dataclass(slots=True, kw_only=True)
class Frames:
    """Frames of one run.

    Parameters
    ----------
    run
        Whose documents come.
    expected
        Frames that it will have, in the order in which they are taken.
    spots
        Those whose place is known.
    refused
        What datums said that cannot be; to be emptied by who counts it.
    """

    run: Run
    expected: tuple[ExpectedCount, ...]
    spots: dict[Slot, Spot] = field(default_factory=dict)
    refused: list[SourceError] = field(default_factory=list)
    _n_seen: int = 0
    _open: list[Datum] = field(default_factory=list)

    @property
    def n_expected(self) -> int:
        """How many frames there will be."""
        return sum(each.count for each in self.expected)

    @property
    def missing(self) -> list[Slot]:
        """Frames whose place is not known."""
        slots: list[Slot] = [
            (each.kind, each.set, index) for each in self.expected for index in range(each.count)
        ]
        return [slot for slot in slots if slot not in self.spots]

    def announced(self) -> list[Spot]:
        """Give the frames that new documents place."""
        waiting = [*self._open, *self.run.datums[self._n_seen :]]
        self._n_seen, self._open = len(self.run.datums), []
        found: list[Spot] = []
        for datum in waiting:
            stream = self.run.streams.get(datum.stream)
            resource = self.run.resources.get(datum.resource)
            if stream is None or resource is None:
                self._open.append(datum)
            elif resource.data_key == stream.image_key:
                found += self._place(datum, stream, resource)
        return found

    def fetched(self, rows: Rows) -> list[Spot]:
        """Find frames whose datum never came: beside those of their stream that did come."""
        found = []
        written: dict[str, frozenset[int]] = {}
        for slot in self.missing:
            stream = self._stream_of(slot)
            if stream is None:
                continue
            position = self._position(slot, stream)
            number, part = divmod(position, stream.frames_per_event)
            datums = self.run.datums_of(stream.uid, stream.image_key)
            near = min(datums, key=lambda each: abs(each.first_number - number), default=None)
            if near is None:
                continue
            first = near.first - near.first_number
            row = (first + number) * stream.frames_per_event + part
            resource = self.run.resources[near.resource]
            if resource.uid not in written:
                written[resource.uid] = frozenset(rows(resource))
            if row in written[resource.uid] and row not in resource.taken:
                spot = Spot(
                    slot=slot,
                    resource=resource.uid,
                    row=row,
                    stream=stream.uid,
                    number=number,
                    part=part,
                    is_fetched=True,
                )
                found.append(self._note(spot, resource))
        return found

    def left_over(self, rows: Rows) -> list[Spot]:
        """Find the frames of the one set of which nothing came, if as many rows are left over."""
        missing = self.missing
        sets = {slot[:2] for slot in missing}
        if len(sets) != 1 or any(slot[:2] in sets for slot in self.spots):
            return []
        left = [
            (resource, row)
            for resource in self.run.resources.values()
            for row in rows(resource)
            if row not in resource.taken
        ]
        if len(left) != len(missing):
            return []
        streams = {datum.resource: datum.stream for datum in self._open}
        known = self._stream_of(missing[0])
        per_event = known.frames_per_event if known is not None else 1
        found = []
        for slot, (resource, row) in zip(missing, left, strict=True):
            uid = known.uid if known is not None else streams.get(resource.uid, "")
            number, part = divmod(slot[2], per_event)
            spot = Spot(
                slot=slot,
                resource=resource.uid,
                row=row,
                stream=uid,
                number=number,
                part=part,
                is_fetched=True,
            )
            found.append(self._note(spot, resource))
        return found

    def unplaced(self) -> Iterator[SourceError]:
        """Say for each datum left why its frames were never found; only at the end."""
        image_keys = {stream.image_key for stream in self.run.image_streams}
        for datum in self._open:
            resource = self.run.resources.get(datum.resource)
            stream = self.run.streams.get(datum.stream)
            if resource is None and (stream is None or stream.image_key is not None):
                yield SourceError(f"stream_resource: {datum.resource[:40]} never came")
                continue
            is_image = resource is not None and resource.data_key in image_keys
            if resource is not None and is_image and datum.first not in resource.taken:
                yield SourceError(f"descriptor: {datum.stream[:40]} never came")

    def _place(self, datum: Datum, stream: Stream, resource: Resource) -> Iterator[Spot]:
        per_event = stream.frames_per_event
        count = datum.count * per_event
        if count > self.n_expected:
            self.refused.append(
                SourceError(f"indices: {count} frames at once, {self.n_expected} were announced")
            )
        for i in range(min(count, self.n_expected)):
            number, part = divmod(datum.first_number * per_event + i, per_event)
            row = datum.first * per_event + i
            try:
                slot = self._slot(stream, datum.first_number * per_event + i)
                known = self.spots.get(slot)
                if known is not None and (known.resource, known.row) == (resource.uid, row):
                    raise SourceError(f"doubled: {slot[0]} {slot[2]} was announced twice")
                if known is not None:
                    raise SourceError(f"conflict: {slot[0]} {slot[2]} is said to lie in two rows")
            except SourceError as error:
                self.refused.append(error)
                continue
            spot = Spot(
                slot=slot,
                resource=resource.uid,
                row=row,
                stream=stream.uid,
                number=number,
                part=part,
            )
            yield self._note(spot, resource)

    def _note(self, spot: Spot, resource: Resource) -> Spot:
        self.spots[spot.slot] = spot
        resource.taken.add(spot.row)
        return spot

    def _slot(self, stream: Stream, position: int) -> Slot:
        """Give the frame at a position of a stream: by the stream's name, else by the counts."""
        if stream.kind is not None:
            for each in self.expected:
                if (each.kind, each.set) == (stream.kind, stream.set) and position < each.count:
                    return stream.kind, stream.set, position
            raise SourceError(
                f"index: frame {position} of stream {stream.name!r} was not announced by "
                "lithoscope_expected or the counts in [source]"
            )
        self._check_unnamed(stream)
        left = position
        for each in self.expected:
            if left < each.count:
                return each.kind, each.set, left
            left -= each.count
        raise SourceError(f"index: frame {position} of {self.n_expected} that were announced")

    def _position(self, slot: Slot, stream: Stream) -> int:
        """Give the position of a frame in its stream: the inverse of the above."""
        if stream.kind is not None:
            return slot[2]
        first = 0
        for each in self.expected:
            if (each.kind, each.set) == slot[:2]:
                break
            first += each.count
        return first + slot[2]

    def _stream_of(self, slot: Slot) -> Stream | None:
        named = self.run.stream_of(slot[0], slot[1])
        if named is not None:
            return named
        unnamed = [each for each in self.run.image_streams if each.kind is None]
        return unnamed[0] if len(unnamed) == len(self.run.image_streams) == 1 else None

    def _check_unnamed(self, stream: Stream) -> None:
        if len(self.run.image_streams) > 1:
            raise SourceError(
                f"stream: {stream.name!r} names no set of frames beside others that do; name it "
                "darks, flats, projections, flats_1 or darks_1"
            )
