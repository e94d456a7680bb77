"""What a queue server may be asked of a cycler: one function for its startup code.

It runs beside whatever plan runs, so it is a lock and a table: each correlation id is done once,
and may be asked for again. It can hold the cycler and lower its current; it can neither release it
nor pass more.
"""

import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bluesky.run_engine import call_in_bluesky_event_loop

from lithoscope_services.beamline.cycler import Cycler, CyclerState
from lithoscope_services.beamline.cycler_requests import request_by_name
from lithoscope_services.beamline.errors import CyclerError

#: A potentiostat at rest may still read this share of its largest current.
REST_SHARE = 0.01
WAIT_S = 5.0
Answer = dict[str, Any]  # JSON


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done under a correlation id."""

    function: str
    target_mA: float = 0.0  # noqa: N815 - the unit is mA
    error: str = ""


def in_engine_loop(work: Coroutine[Any, Any, Any]) -> Any:  # what the work gives back
    """Run work of a device where devices live, and wait for it."""
    return call_in_bluesky_event_loop(work, timeout=WAIT_S)


class CyclerFunction:
    """Does what is asked of a cycler by name, once for each correlation id.

    Parameters
    ----------
    cycler
        The channel.
    run
        Runs a coroutine in the loop of the RunEngine.

    Examples
    --------
    In the startup code of the RE Manager, with the one function that its permissions allow::

        _ask_cycler = CyclerFunction(cycler)

        def lithoscope_cycler(function, correlation_id, reason="", current_share=None):
            return _ask_cycler(function, correlation_id, reason, current_share)
    """

    def __init__(
        self, cycler: Cycler, run: Callable[[Coroutine[Any, Any, Any]], Any] = in_engine_loop
    ) -> None:
        self._cycler = cycler
        self._run = run
        self._lock = threading.Lock()
        self._done: dict[str, _Done] = {}
        self._since_ns = time.time_ns()

    def __call__(
        self,
        function: str,
        correlation_id: str,
        reason: str = "",
        current_share: float | None = None,
    ) -> Answer:
        """Do it, or tell what became of it.

        Parameters
        ----------
        function
            ``hold``, ``lower_current``, or ``look``, which does nothing.
        correlation_id
            Names the action.
        reason
            Why it is held.
        current_share
            Of the present current that is left.

        Returns
        -------
        dict
            ``is_known``, ``since_ns`` (since when it remembers); of what it knows ``is_done``,
            ``error`` if it was refused, and a reading.
        """
        with self._lock:
            if function != "look" and correlation_id not in self._done:
                self._done[correlation_id] = self._do(
                    function, f"{reason} [{correlation_id}]", current_share
                )
            known = self._done.get(correlation_id)
            answer: Answer = {"is_known": known is not None, "since_ns": self._since_ns}
            if known is None:
                return answer
            if known.error:
                return {**answer, "is_done": False, "error": known.error}
            return {**answer, **self._read(known)}

    def _do(self, function: str, reason: str, current_share: float | None) -> _Done:
        cycler = self._cycler
        try:
            if function == "hold":
                self._run(request_by_name(cycler, "hold", reason=reason))
                return _Done(function)
            if function != "lower_current":
                raise CyclerError(f"{function!r} may not be asked for")
            if current_share is None or not 0 <= current_share < 1:
                raise CyclerError(f"current_share {current_share} is not from 0 to below 1")
            present_mA = self._run(cycler.locate())["setpoint"]  # noqa: N806 - the unit is mA
            target_mA = present_mA * current_share  # noqa: N806
            self._run(request_by_name(cycler, "lower_current", current_mA=target_mA))
            return _Done(function, target_mA)
        except CyclerError as error:
            # These are raised before anything is changed.
            return _Done(function, error=str(error))

    def _read(self, known: _Done) -> Answer:
        cycler = self._cycler
        reading = self._run(cycler.read())
        values = {
            name: reading[f"{cycler.name}-{name}"]["value"]
            for name in ("state", "current_mA", "potential_V", "held_because")
        }
        rest_mA = REST_SHARE * cycler.limits.max_current_mA  # noqa: N806 - the unit is mA
        is_low = abs(values["current_mA"]) <= abs(known.target_mA) + rest_mA
        is_held = values["state"] == CyclerState.HELD
        values["state"] = str(CyclerState(values["state"]).value)
        return {"is_done": is_low and (is_held or known.function != "hold"), **values}
