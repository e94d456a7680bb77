"""Bluesky's queue server as an actuator: plans are queued, the cycler is held by a function.

A queued plan cannot run while one runs, and a deferred pause of a plan without checkpoints runs to
its end. So what protects the cell is a function of the manager's startup code that runs beside the
plan; what changes the scanning is a plan in the queue. Nothing here can start the queue, resume,
raise a current, open a shutter, or run a script.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lithoscope_services.actuators.errors import NotAllowedError
from lithoscope_services.actuators.protocol import ON_THE_CELL, Command, Json, Seen, Sent
from lithoscope_services.settings.actuator_table import ActuatorPlanSettings, ActuatorSettings

#: Where the correlation id stands in a plan's metadata, and so in the start of its run.
CORRELATION_ID = "lithoscope_correlation_id"
PARAMETERS = {"hold": (), "pause": (), "lower_current": ("current_share",)}
MAX_REASON = 200
#: Clocks of two machines may differ by this.
SKEW_NS = 5 * 10**9
#: How often the answer of the cycler's function is waited for within one look.
LOOKS_PER_RESULT = 20
#: A manager that is hard pressed loses results of its worker: then the function is asked again.
LOOKS_AT_TASK = 8
STATUS_TRIES = 3


class QueueSilentError(Exception):
    """The manager did not answer in time: what was asked may have been done or not."""


class QueueLink(Protocol):
    """Asks the manager. An answer is the one to this very request, or there is none."""

    def ask(self, method: str, parameters: Json) -> Mapping[str, Any]:
        """Ask once.

        Raises
        ------
        QueueSilentError
            If no answer came in time.
        """

    def pause(self) -> None:
        """Let a moment pass between two questions."""

    def close(self) -> None:
        """Close the connection."""


class QueueServerActuator:
    """Acts through an RE Manager.

    Parameters
    ----------
    link
        To the manager.
    settings
        Names, function and group.
    plans
        The allow-list.
    lock_key
        Passed along, for a manager that was locked for us; never written down.
    """

    name = "queueserver"

    def __init__(
        self,
        link: QueueLink,
        settings: ActuatorSettings,
        plans: Sequence[ActuatorPlanSettings] = (),
        *,
        lock_key: str | None = None,
    ) -> None:
        self._link = link
        self._settings = settings
        self._plans: dict[str, ActuatorPlanSettings] = {each.action: each for each in plans}
        self._lock_key = lock_key
        self._tasks: dict[str, str] = {}
        self._n_looks = 0

    def describe(self, command: Command) -> Json:
        """Give the request, without the lock key.

        Raises
        ------
        NotAllowedError
            If the action, its plan or a parameter is not allowed.
        """
        if command.action in ON_THE_CELL:
            _check_names(command, PARAMETERS[command.action])
            function = "lower_current" if command.action == "lower_current" else "hold"
            arguments = {
                "function": function,
                "correlation_id": command.correlation_id,
                "reason": f"{command.rule}: {command.reason}"[:MAX_REASON],
                **command.parameters,
            }
            _check_share(command)
            return {"method": "function_execute", "item": self._function(arguments)}
        return {"method": "queue_item_add", "pos": "back", "item": self._plan(command)}

    def preflight(self, command: Command) -> str:
        """Ask for the state of the manager, which changes nothing."""
        status = self._status()
        if status is None:
            return f"the queue server did not answer, {STATUS_TRIES} times"
        on_the_cell = command.action in ON_THE_CELL
        locked = status.get("lock") or {}
        part = "environment" if on_the_cell else "queue"
        if locked.get(part) and self._lock_key is None:
            return f"the {part} of the queue server is locked"
        if on_the_cell and not status.get("worker_environment_exists"):
            return "the queue server has no open environment, so no cycler can be reached"
        if not on_the_cell and command.is_automatic and _is_running(status):
            return "the queue runs, so the plan would start by itself; a person has to approve"
        return ""

    def send(self, command: Command) -> Sent:
        """Send the request once."""
        request = dict(self.describe(command))
        method = str(request.pop("method"))
        try:
            reply = self._ask_changing(method, request)
        except QueueSilentError as error:
            return Sent("unclear", str(error))
        if reply.get("success") is False:
            return Sent("refused", str(reply.get("msg") or "refused without a reason")[:1000])
        if reply.get("task_uid"):
            self._tasks[command.correlation_id] = str(reply["task_uid"])
            self._n_looks = 0
        return Sent("accepted")

    def look(self, command: Command) -> Seen:
        """Look for a plan in queue and history, for the cycler in what its function returns."""
        try:
            if command.action not in ON_THE_CELL:
                return self._look_for_plan(command)
            task = self._tasks.get(command.correlation_id)
            if task is None:
                return self._look_at_cycler(command)
            seen = self._look_at_task(task)
            self._n_looks += 1
            if seen.state in ("underway", "unreachable") and self._n_looks >= LOOKS_AT_TASK:
                del self._tasks[command.correlation_id]
            return seen
        except QueueSilentError as error:
            return Seen("unreachable", str(error))

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _status(self) -> Mapping[str, Any] | None:
        """Ask some times: it changes nothing, and a manager at work is silent now and then."""
        for _ in range(STATUS_TRIES):
            try:
                return self._link.ask("status", {})
            except QueueSilentError:
                continue
        return None

    def _function(self, arguments: Json) -> dict[str, Any]:
        name = self._settings.cycler_function
        if name is None:
            raise NotAllowedError(
                "[actuators] cycler_function is not given, so the cycler cannot be held"
            )
        return {"item_type": "function", "name": name, "kwargs": dict(arguments)}

    def _plan(self, command: Command) -> dict[str, Any]:
        allowed = self._plans.get(command.action)
        if allowed is None:
            raise NotAllowedError(
                f"no [[actuator_plans]] has action = {command.action!r}, so nothing is queued"
            )
        bounds = {name: (low, high) for name, low, high in allowed.bounds}
        _check_names(command, bounds)
        for name, value in command.parameters.items():
            low, high = bounds[name]
            if isinstance(value, bool) or not low <= value <= high:
                raise NotAllowedError(f"{name} = {value} lies outside {low:g}..{high:g}")
        meta = {
            CORRELATION_ID: command.correlation_id,
            "lithoscope_experiment": command.experiment,
            "lithoscope_proposal": command.proposal,
            "lithoscope_rule": command.rule,
        }
        return {
            "item_type": "plan",
            "name": allowed.plan,
            "kwargs": dict(command.parameters),
            "meta": meta,
        }

    def _ask_changing(self, method: str, request: Json) -> Mapping[str, Any]:
        extra: dict[str, Any] = {
            "user": self._settings.user,
            "user_group": self._settings.user_group,
        }
        if method == "function_execute":
            extra["run_in_background"] = True
        if self._lock_key is not None:
            extra["lock_key"] = self._lock_key
        return self._link.ask(method, {**request, **extra})

    def _look_for_plan(self, command: Command) -> Seen:
        """Look in the order in which an item moves: what moves meanwhile is found later on."""
        queue = self._link.ask("queue_get", {})
        running = queue.get("running_item") or {}
        for place, items in (("queue", queue.get("items") or ()), ("running", (running,))):
            uid = _find(items, command)
            if uid:
                return Seen("done", f"item {uid} is in the queue ({place})")
        history = self._link.ask("history_get", {})
        uid = _find(history.get("items") or (), command)
        if uid:
            return Seen("done", f"item {uid} is in the history of the queue")
        if queue.get("success") and history.get("success"):
            return Seen("absent", "neither in the queue nor in its history")
        return Seen("unreachable", str(queue.get("msg") or history.get("msg")))

    def _look_at_task(self, task: str) -> Seen:
        reply = self._link.ask("task_result", {"task_uid": task})
        result = reply.get("result") or {}
        if reply.get("status") == "running":
            return Seen("underway", f"task {task} runs")
        if reply.get("status") != "completed":
            return Seen("unreachable", f"the result of task {task} is gone")
        if not result.get("success"):
            # It may have failed before or after it had its effect: only a reading can tell.
            return Seen("unreachable", str(result.get("msg") or "the function failed")[:1000])
        return _judge(result.get("return_value") or {})

    def _look_at_cycler(self, command: Command) -> Seen:
        """Ask the function itself whether it has seen the correlation id."""
        arguments = {"function": "look", "correlation_id": command.correlation_id}
        request = {"item": self._function(arguments)}
        reply = self._ask_changing("function_execute", request)
        if not reply.get("success"):
            return Seen("unreachable", str(reply.get("msg"))[:1000])
        for _ in range(LOOKS_PER_RESULT):
            answer = self._link.ask("task_result", {"task_uid": reply["task_uid"]})
            if answer.get("status") != "running":
                break
            self._link.pause()
        found = ((answer.get("result") or {}).get("return_value")) or {}
        if not isinstance(found, Mapping) or "is_known" not in found:
            return Seen("unreachable", "the cycler function gave no answer that can be read")
        if found["is_known"]:
            return _judge(found)
        if float(found.get("since_ns", 0)) > command.sent_ns - SKEW_NS:
            return Seen("unreachable", "the environment is younger than the action")
        return Seen("absent", "the cycler function has never seen it")


def _judge(reading: Any) -> Seen:  # what a function of others has returned
    """Judge a reading of the cycler after an action."""
    if not isinstance(reading, Mapping) or "is_done" not in reading:
        return Seen("underway", "the cycler gave no reading")
    text = ", ".join(f"{name} {reading[name]}" for name in sorted(reading) if name in _SHOWN)
    error = reading.get("error")
    if error:
        return Seen("failed", str(error)[:1000])
    return Seen("done" if reading["is_done"] else "underway", text)


_SHOWN = frozenset({"state", "current_mA", "potential_V", "held_because"})


def _check_names(command: Command, known: Mapping[str, Any] | Sequence[str]) -> None:
    unknown = sorted(set(command.parameters) - set(known))
    if unknown:
        allowed = ", ".join(known) or "none"
        raise NotAllowedError(f"{command.action}: {unknown[0]} is no parameter of it ({allowed})")


def _check_share(command: Command) -> None:
    if command.action != "lower_current":
        return
    share = command.parameters.get("current_share")
    if share is None or isinstance(share, bool) or not 0 <= share < 1:
        raise NotAllowedError(
            f"current_share = {share}; a lower current has one from 0 to below 1"
        )


def _is_running(status: Mapping[str, Any]) -> bool:
    return bool(
        status.get("manager_state") != "idle"
        or status.get("queue_autostart_enabled")
        or status.get("re_state") not in ("idle", None)
    )


def _find(items: Any, command: Command) -> str | None:  # JSON of others
    for item in items:
        meta = item.get("meta") if isinstance(item, Mapping) else None
        if isinstance(meta, Mapping) and meta.get(CORRELATION_ID) == command.correlation_id:
            return str(item.get("item_uid") or "without a name")
    return None
