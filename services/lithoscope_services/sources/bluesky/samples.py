"""Samples of the cycler, out of the events of its stream."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lithoscope_services.frame_link import FrameLink
from lithoscope_services.sources.bluesky.run import Reading, Run, Stream, number

#: Samples of a live cycler are gathered so long, for each message makes an entry of the journal.
GATHER_S = 10.0
MAX_A_MESSAGE = 20_000


@dataclass(slots=True, kw_only=True)
class Samples:
    """Gathers samples, brings them in the order of time and sends them.

    Parameters
    ----------
    link
        To ingest.
    n_sent
        Samples of the experiment that are sent: the number of the next one.
    last_s
        Time of the last of these, s; those up to it are no news.
    zero_unix_s
        When the experiment began, since 1970; None until its first run is known.
    refused
        What was left out, by reason.
    clock_offset_s
        Added to the times that the cycler writes itself, s.
    """

    link: FrameLink
    n_sent: int = 0
    last_s: float = float("-inf")
    zero_unix_s: float | None = None
    refused: Counter[str] = field(default_factory=Counter)
    clock_offset_s: float = 0.0
    _pending: list[tuple[float, float, float]] = field(default_factory=list)
    _since_s: float | None = None

    def time_s(self, run: Run, unix_s: float) -> float:
        """Give the time of the experiment at a time of the clock."""
        if run.start.time_s is not None:
            return run.start.time_s + unix_s - run.start.unix_s
        return unix_s - (self.zero_unix_s if self.zero_unix_s is not None else unix_s)

    def take(
        self,
        run: Run,
        stream: Stream,
        readings: Sequence[Reading],
        now_s: float,
        *,
        is_new: bool = True,
    ) -> None:
        """Take the events of a stream of the cycler; old ones may have been sent already."""
        time_key, potential_key, current_key = stream.sample_keys
        for reading in readings:
            time_s = number(reading.data.get(time_key))
            if time_s is not None:
                time_s += self.clock_offset_s
            elif reading.unix_s is not None:
                time_s = self.time_s(run, reading.unix_s)
            potential_V = number(reading.data.get(potential_key))  # noqa: N806 - the unit is V
            current_mA = number(reading.data.get(current_key))  # noqa: N806 - the unit is mA
            if time_s is None or potential_V is None or current_mA is None:
                self.refused["sample"] += is_new
            elif is_new or time_s > self.last_s:
                self._pending.append((time_s, potential_V, current_mA))
        if self._pending and self._since_s is None:
            self._since_s = now_s

    def send_if_due(self, now_s: float) -> None:
        """Send what has been gathered for long enough."""
        if self._since_s is not None and now_s - self._since_s > GATHER_S:
            self.send()

    def send(self) -> None:
        """Send what was gathered; a sample that is older than one already sent is left out."""
        gathered, self._pending, self._since_s = sorted(self._pending), [], None
        new = []
        for sample in gathered:
            if sample[0] > self.last_s:
                new.append(sample)
                self.last_s = sample[0]
            else:
                self.refused["sample late"] += 1
        for begin in range(0, len(new), MAX_A_MESSAGE):
            part = new[begin : begin + MAX_A_MESSAGE]
            times_s, potentials, currents = zip(*part, strict=True)
            self.link.send_electrochemistry(self.n_sent, times_s, potentials, currents)
            self.n_sent += len(part)
