"""The scan that is open, and how far each of its runs has come."""

from dataclasses import dataclass, field

from lithoscope_messages import ExpectedCount
from lithoscope_services.sources.bluesky.run_frames import RunFrames

#: A run that has stopped: no document and no frame for this long, and what came late is taken.
LEFT_OVER_S = 0.5
#: And after this long what has not come is lost. Files on a shared disk show with some delay.
PATIENCE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Part:
    """One run of a scan, one vertical tile.

    Parameters
    ----------
    frames
        Of the run.
    progress_s
        When a frame of it was sent last.
    is_last
        Nothing more comes: what can be sent now is sent, the rest is lost.
    is_over
        All is sent or lost.
    """

    frames: RunFrames
    progress_s: float
    is_last: bool = False
    is_over: bool = False

    def advance(self, now_s: float, *, n_sent: int, silence_s: float) -> bool:
        """Look for what was lost when the run has stopped, and give up in the end.

        Parameters
        ----------
        now_s
            On the clock of ``progress_s``.
        n_sent
            Frames that were just sent.
        silence_s
            After which a run without a RunStop counts as stopped.

        Returns
        -------
        bool
            Whether it is over.
        """
        self.is_over = self.frames.is_complete or (self.is_last and not n_sent)
        if self.is_over:
            self.frames.give_up()
            return True
        quiet_s = now_s - max(self.frames.run.heard_s, self.progress_s)
        if self.frames.run.stop is None and quiet_s <= silence_s:
            return False
        if self.frames.fetch() or (quiet_s > LEFT_OVER_S and self.frames.fetch_left_over()):
            self.progress_s = now_s
        elif quiet_s > PATIENCE_S:
            self.is_last = True
        return False


@dataclass(slots=True, kw_only=True)
class OpenScan:
    """The scan that ingest has open.

    Parameters
    ----------
    scan
        Its number.
    expected
        Frames of all its tiles.
    parts
        By tile.
    is_begun
        Whether ingest was told, for which shape and type of its frames must be known.
    frame_shape, dtype
        Of its frames.
    n_fetched
        Frames that no datum announced.
    """

    scan: int
    expected: tuple[ExpectedCount, ...]
    parts: dict[int, Part] = field(default_factory=dict)
    is_begun: bool = False
    frame_shape: tuple[int, int] = (1, 1)
    dtype: str = "uint16"
    n_fetched: int = 0

    @property
    def open_tiles(self) -> set[int]:
        """Tiles whose run has not come."""
        return {each.tile for each in self.expected} - set(self.parts)

    def is_over(self, has_next: bool) -> bool:
        """Tell whether it can be closed.

        Parameters
        ----------
        has_next
            Whether a run of another scan waits: then no further tile of this one will come.
        """
        return all(part.is_over for part in self.parts.values()) and (
            has_next or not self.open_tiles
        )
