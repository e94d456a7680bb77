"""Which run a document belongs to, whatever the order in which documents come.

Only a RunStart and a RunStop name their run; the others name it directly, by a descriptor or by a
resource. What cannot be placed waits a while for what it names, and is then refused.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lithoscope_messages import reason_of
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky.decoder import Document
from lithoscope_services.sources.bluesky.run import (
    Reading,
    Run,
    number,
    read_datum,
    read_events,
    read_resource,
    read_stream,
)
from lithoscope_services.sources.bluesky.start import read_start

#: A document whose run is not known after this long came without its RunStart.
WAITS_S = 10.0
MAX_WAITING = 10_000
#: Uids of documents that are remembered to tell doubles.
MAX_SEEN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A document whose run is known; ``readings`` are the events in it."""

    document: Document
    run: Run
    readings: tuple[Reading, ...] = ()


@dataclass(slots=True, kw_only=True)
class Runs:
    """All runs that are under way.

    Parameters
    ----------
    experiment
        Runs of another one are refused.
    settings
        Of the source.
    under_way
        By uid, in the order in which they began.
    refused
        Documents that were not taken, by reason, since they were last looked at.
    """

    experiment: str
    settings: SourceSettings
    under_way: dict[str, Run] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    _waiting: list[tuple[Document, float]] = field(default_factory=list)
    _run_of: dict[str, str] = field(default_factory=dict)
    _foreign: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def take(self, document: Document, now_s: float) -> list[Placed]:
        """Take a document, and give those that could be placed by it: it, and what waited for it.

        Parameters
        ----------
        document
            As decoded.
        now_s
            On any clock that does not go back.

        Raises
        ------
        SourceError
            If it is refused; the text begins with the field.
        """
        key = f"{document.name}:{document.uid}"
        if key in self._seen:
            raise SourceError(f"doubled: {document.name} {document.uid[:40]} came twice")
        placed = self._place(document, now_s)
        _remember(self._seen, key)
        if placed is None:
            if len(self._waiting) >= MAX_WAITING:
                raise SourceError(f"{document.name}: {MAX_WAITING} others wait for their RunStart")
            self._waiting.append((document, now_s))
            return []
        return [placed, *self._place_waiting(now_s)]

    def expire(self, now_s: float) -> None:
        """Refuse what has waited too long for what it names."""
        while self._waiting and now_s - self._waiting[0][1] > WAITS_S:
            document, _ = self._waiting.pop(0)
            self.refuse(
                SourceError(
                    f"run_start: {document.name} {document.uid[:40]} is of a run whose RunStart "
                    "never came; subscribe before the run begins"
                )
            )

    def refuse(self, error: SourceError) -> None:
        """Count what was not taken."""
        self.refused[reason_of(error)] += 1
        self.errors.append(str(error))

    def forget(self, run: Run) -> None:
        """Drop a run that is over; what still comes of it is refused as late."""
        self.under_way.pop(run.uid, None)
        _remember(self._foreign, run.uid)
        for uid in [uid for uid, of in self._run_of.items() if of == run.uid]:
            del self._run_of[uid]
            _remember(self._foreign, uid)

    def _place_waiting(self, now_s: float) -> Iterator[Placed]:
        """Try those that wait again, until nothing more can be placed."""
        while True:
            waiting, self._waiting = self._waiting, []
            found = []
            for document, since_s in waiting:
                try:
                    placed = self._place(document, now_s)
                except SourceError as error:
                    self.refuse(error)
                    continue
                if placed is None:
                    self._waiting.append((document, since_s))
                else:
                    found.append(placed)
            yield from found
            if not found:
                return

    def _place(self, document: Document, now_s: float) -> Placed | None:
        """Give a document its run; None if that is not known yet."""
        if document.name == "start":
            return self._begin(document, now_s)
        run = self._run(document)
        if run is None:
            return None
        run.heard_s = now_s
        match document.name:
            case "stop":
                run.stop = document
            case "descriptor":
                # Remembered first: what belongs to one that is refused must not wait for another.
                self._run_of[document.uid] = run.uid
                run.streams[document.uid] = read_stream(document, self.settings)
            case "stream_resource":
                self._run_of[document.uid] = run.uid
                run.resources[document.uid] = read_resource(document)
            case "stream_datum":
                datum = read_datum(document)
                run.add(datum)
                # A descriptor that was lost is known by what refers to it.
                self._run_of.setdefault(datum.stream, run.uid)
            case _:
                readings = tuple(read_events(document))
                self._note_angles(run, str(document.body["descriptor"]), readings)
                return Placed(document=document, run=run, readings=readings)
        return Placed(document=document, run=run)

    def _begin(self, document: Document, now_s: float) -> Placed:
        start = read_start(document)
        if start.experiment not in (None, self.experiment):
            _remember(self._foreign, start.uid)
            raise SourceError(
                f"start.lithoscope_experiment: {str(start.experiment)[:80]!r} came, this is "
                f"{self.experiment!r}"
            )
        run = Run(start=start, heard_s=now_s)
        self.under_way[start.uid] = run
        return Placed(document=document, run=run)

    def _run(self, document: Document) -> Run | None:
        body = document.body
        match document.name:
            case "stop" | "descriptor":
                names = [body["run_start"]]
            case "stream_resource":
                names = [body.get("run_start", "")]
            case "stream_datum":
                names = [body["descriptor"], body["stream_resource"]]
            case _:
                names = [body["descriptor"]]
        for name in names:
            if name in self._foreign:
                _remember(self._foreign, document.uid)
                raise SourceError(
                    f"late: {document.name} {document.uid[:40]} is of a run that is over or not "
                    "taken"
                )
            run = self.under_way.get(self._run_of.get(name, name))
            if run is not None:
                return run
        return None

    def _note_angles(self, run: Run, stream: str, readings: tuple[Reading, ...]) -> None:
        known = run.streams.get(stream)
        for reading in readings:
            for key, value in reading.data.items():
                is_angle = (
                    key.endswith("theta_deg") or key == self.settings.theta_attribute
                    if known is None
                    else key == known.theta_event_key
                )
                theta_deg = number(value)
                if is_angle and theta_deg is not None:
                    run.thetas_deg[stream, reading.number] = theta_deg


def _remember(among: OrderedDict[str, None], key: str) -> None:
    among[key] = None
    if len(among) > MAX_SEEN:
        among.popitem(last=False)
