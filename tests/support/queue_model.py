"""A queue server with its cycler, in this process, on a clock of its own, with faults from a seed.

It loses and delays requests, loses, delays and repeats answers, crashes before, in and after what
it does. An answer that comes too late is lost, as it is with the real client, which opens a new
socket after each time-out.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lithoscope_services.actuators.queue_server import QueueSilentError

BEGUN_NS = 1_800_000_000 * 10**9
TIMEOUT_S = 1.0
READING = {"state": "held", "current_mA": 0.0}


@dataclass(slots=True, kw_only=True)
class Faults:
    """How often what goes wrong, in 0..1; a delayed request is done within ``max_delay_s``."""

    lost_request: float = 0.1
    delayed_request: float = 0.1
    lost_answer: float = 0.15
    crash: float = 0.05
    refusal: float = 0.05
    failing_function: float = 0.05
    max_delay_s: float = 8.0


class _CrashError(Exception):
    """The server has died in the middle."""


@dataclass(slots=True)
class QueueModel:
    """The other side; ``ask`` is what a client sees of it."""

    rng: random.Random
    faults: Faults
    now_s: float = 0.0
    items: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    manager_state: str = "idle"
    locked: dict[str, bool] = field(default_factory=dict)
    mute_after: str = ""
    _tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    _late: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    _up_s: float = 0.0
    _since_s: float = 0.0

    @property
    def now_ns(self) -> int:
        return BEGUN_NS + int(self.now_s * 1e9)

    def advance(self, duration_s: float) -> None:
        """Let time pass; what was delayed arrives."""
        end_s = self.now_s + duration_s
        self._late.sort(key=lambda each: each[0])
        while self._late and self._late[0][0] <= end_s:
            due_s, method, parameters = self._late.pop(0)
            self.now_s = max(self.now_s, due_s)
            if self._is_up:
                self._try(method, parameters)
        self.now_s = end_s

    def pause(self) -> None:
        self.advance(0.02)

    def close(self) -> None:
        """Nothing is open."""

    def ask(self, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        faults, draw = self.faults, self.rng.random
        self.requests[method] += 1
        is_mute = bool(self.mute_after) and self.requests[self.mute_after] > 0
        if draw() < faults.lost_request or not self._is_up:
            self._time_out("the request was lost")
        if draw() < faults.delayed_request:
            due_s = self.now_s + self.rng.uniform(0, faults.max_delay_s)
            self._late.append((due_s, method, dict(parameters)))
            self._time_out("the request is under way")
        self.advance(0.001)
        answer = self._try(method, dict(parameters))
        if answer is None or is_mute or (draw() < faults.lost_answer and not self.mute_after):
            self._time_out("the answer was lost")
        return answer or {}

    @property
    def _is_up(self) -> bool:
        return self.now_s >= self._up_s

    def _time_out(self, text: str) -> None:
        self.advance(TIMEOUT_S)
        raise QueueSilentError(text)

    def _try(self, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        try:
            self._maybe_crash()
            answer: dict[str, Any] = getattr(self, f"_on_{method}")(parameters)
            self._maybe_crash()
        except _CrashError:
            # What lies in Redis stays; the worker with its tasks, and what it remembers, is gone.
            self._tasks.clear()
            self._seen.clear()
            self._up_s = self.now_s + self.rng.uniform(0.5, 5.0)
            self._since_s = self._up_s
            return None
        return answer

    def _maybe_crash(self) -> None:
        if self.rng.random() < self.faults.crash:
            raise _CrashError

    def _on_status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "manager_state": self.manager_state,
            "worker_environment_exists": True,
            "re_state": "idle",
            "lock": self.locked,
        }

    def _on_queue_get(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "items": list(self.items), "running_item": {}}

    def _on_history_get(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "items": list(self.history)}

    def _on_queue_item_add(self, parameters: dict[str, Any]) -> dict[str, Any]:
        item = {**parameters["item"], "item_uid": f"item-{len(self.items)}-{len(self.history)}"}
        if self.rng.random() < self.faults.refusal:
            return {"success": False, "msg": "refused", "item": item}
        self.items.append(item)
        self.done[item["meta"]["lithoscope_correlation_id"]] += 1
        if self.rng.random() < 0.3:  # somebody runs the queue
            self.history.append(self.items.pop(0))
        return {"success": True, "msg": "", "item": item}

    def _on_function_execute(self, parameters: dict[str, Any]) -> dict[str, Any]:
        arguments = parameters["item"]["kwargs"]
        if arguments["function"] != "look" and self.rng.random() < self.faults.refusal:
            return {"success": False, "msg": "refused", "task_uid": None}
        task = f"task-{self.rng.getrandbits(64):016x}"
        self._tasks[task] = self._run(arguments)
        return {"success": True, "msg": "", "task_uid": task, "item": parameters["item"]}

    def _run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do what the example in deploy/ does."""
        known = arguments["correlation_id"]
        if arguments["function"] == "look":
            found = self._seen.get(known)
            since_ns = BEGUN_NS + int(self._since_s * 1e9)
            value = {"is_known": found is not None, "since_ns": since_ns, **(found or {})}
        elif known in self._seen:
            value = self._seen[known]
        elif self.rng.random() < self.faults.failing_function:
            value = self._seen[known] = {"is_done": False, "error": "the potentiostat is silent"}
        else:
            self.done[known] += 1
            self._maybe_crash()
            value = self._seen[known] = {"is_done": True, **READING}
        return {"status": "completed", "result": {"success": True, "return_value": value}}

    def _on_task_result(self, parameters: dict[str, Any]) -> dict[str, Any]:
        missing = {"status": "not_found", "result": {}}
        return {"success": True, **self._tasks.get(parameters["task_uid"], missing)}
