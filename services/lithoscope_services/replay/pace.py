"""When what was recorded is due: speed, pause and fast forward."""

import math
import time
from collections.abc import Callable

import structlog

from lithoscope_messages import ReplayControlRequested

SLOWEST, FASTEST = 1e-3, 1e6
log = structlog.get_logger()


class Pace:
    """Maps recorded times to the clock.

    Parameters
    ----------
    speed
        Recorded seconds in a second; None for as fast as possible.
    clock
        Seconds that never fall.
    """

    def __init__(
        self, speed: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self.is_paused = False
        self._clock = clock
        self._position_ns: int | None = None
        self._anchor_s = 0.0
        self._forward_ns: int | None = None

    def due_in_s(self, time_ns: int) -> float:
        """Say in how many seconds something is due that was recorded at a time.

        0 if it is due now; infinite while the replay is paused.
        """
        if self._position_ns is None:
            self._anchor(time_ns)
        if self.is_paused:
            return math.inf
        if self._forward_ns is not None:
            if time_ns < self._forward_ns:
                return 0.0
            self._forward_ns = None
            self._anchor(time_ns)
        if self.speed is None or self._position_ns is None:
            return 0.0
        due_s = self._anchor_s + (time_ns - self._position_ns) / 1e9 / self.speed
        return max(0.0, due_s - self._clock())

    def forward_to(self, time_ns: int) -> None:
        """Let all that was recorded before a time come at once."""
        self._forward_ns = time_ns

    def control(
        self, request: ReplayControlRequested, now_ns: int, seek_ns: int | None = None
    ) -> None:
        """Do what a person asks for.

        Parameters
        ----------
        request
            What it is.
        now_ns
            Recorded time up to which all has come.
        seek_ns
            Recorded time that a ``seek`` means; None if there is none.
        """
        match request.action:
            case "pause":
                self.is_paused = True
            case "resume":
                self.is_paused = False
                self._anchor(now_ns)
            case "speed":
                # 0 and nothing mean as fast as possible, as "max" does on the command line.
                value = request.value or None
                self.speed = None if value is None else min(max(value, SLOWEST), FASTEST)
                self._anchor(now_ns)
            case "seek" if seek_ns is None or seek_ns <= now_ns:
                log.warning("seek_ignored", value=request.value, reason="a replay goes forward")
            case "seek":
                self.forward_to(seek_ns)

    def _anchor(self, time_ns: int) -> None:
        self._position_ns, self._anchor_s = time_ns, self._clock()
