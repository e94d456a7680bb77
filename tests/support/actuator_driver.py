"""Drive the executor of actions step by step against a model, and kill it between any two."""

import random
from dataclasses import dataclass, field
from typing import Any

from queue_model import QueueModel

from lithoscope_messages import (
    ActionApproved,
    ActionConfirmed,
    ActionFailed,
    ActionSent,
    ActionUnknown,
    AlarmAcknowledged,
    ArmRequested,
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    JournalMessage,
    ProposalMade,
)
from lithoscope_services.actuators.guards import Limits
from lithoscope_services.actuators.leases import Now
from lithoscope_services.actuators.machine import Look, Machine, Patience, Preflight, Send, Write
from lithoscope_services.actuators.protocol import Actuator, Seen, Sent

NAME = "cell"
End = ActionConfirmed | ActionFailed | ActionUnknown


def parts(key: str, time_ns: int = 0) -> dict[str, Any]:
    return {"experiment": NAME, "key": key, "time_ns": time_ns, "producer": "test"}


def proposal(
    key: str, action: str = "pause", *, scan: int = 0, mode: str = "auto", **changes: Any
) -> ProposalMade:
    made: dict[str, Any] = {
        **parts(key),
        "scan": scan,
        "proposal": key,
        "rule": "remaining_gap",
        "rule_sha256": "1" * 64,
        "action": action,
        "parameters": {"current_share": 0.5} if action == "lower_current" else {},
        "rule_class": "raises_risk" if action in ("finer_scan", "scan_more") else "reduces_risk",
        "mode": mode,
        "evidence": (),
        "reason": "the gap is small",
        "experiment_time_s": 100.0 + scan,
        "expires_s": 1e9,
        **changes,
    }
    return ProposalMade(**made)


@dataclass(slots=True)
class Log:
    """A journal in memory: one entry for each type and key, as the real one."""

    entries: list[Entry] = field(default_factory=list)
    _known: set[tuple[str, str]] = field(default_factory=set)

    def append(self, message: JournalMessage, now_ns: int) -> None:
        name = (message.type, message.key)
        if name in self._known:
            return
        self._known.add(name)
        # The chain is the journal's affair; here only the order counts.
        self.entries.append(
            Entry.model_construct(
                number=len(self.entries) + 1,
                appended_ns=now_ns,
                previous_hash="0" * 64,
                hash="0" * 64,
                message=message,
            )
        )

    def of(self, *types: type[JournalMessage]) -> list[Any]:
        return [each.message for each in self.entries if isinstance(each.message, types)]


class Driver:
    """One experiment, its journal, its executor; the executor may be killed at any boundary."""

    def __init__(
        self,
        actuator: Actuator,
        model: QueueModel,
        *,
        source: str = "live",
        crash: float = 0.0,
        limits: Limits | None = None,
    ) -> None:
        self.actuator, self.model = actuator, model
        self.log = Log()
        self.n_crashes = 0
        self.limits = limits or Limits(max_data_age_s=1e9, max_wait_s=1e9, max_per_hour=1000)
        self._crash = crash
        self._rng = random.Random(model.rng.getrandbits(64))
        description = ExperimentDescription.model_validate({"source": source})
        self.append(
            ExperimentStarted(
                **parts("start"), description=description, settings={}, format_version=1
            )
        )
        self.machine = self._fresh()

    def append(self, message: JournalMessage) -> None:
        self.log.append(message, self.model.now_ns)

    @property
    def now(self) -> Now:
        return Now(self.model.now_s, self.model.now_ns)

    def arm(self, key: str, duration_s: float = 3600.0) -> None:
        self.append(
            ArmRequested(
                **parts(key, self.model.now_ns),
                person="Ada",
                reason="night shift",
                duration_s=duration_s,
            )
        )

    def approve(self, key: str, *, again: bool = False) -> None:
        name = f"yes:{key}:{again}"
        self.append(ActionApproved(**parts(name), scan=0, proposal=key, person="Ada"))

    def acknowledge(self) -> None:
        for unknown in self.log.of(ActionUnknown):
            self.append(
                AlarmAcknowledged(**parts(f"seen:{unknown.key}"), alarm=unknown.key, person="Ada")
            )

    def step(self) -> bool:
        """Do one step, or a part of it and die; whether there was one."""
        self._fold()
        step = self.machine.next(self.now)
        if step is None:
            return False
        if self._dies():
            return True
        result: str | Sent | Seen | None = None
        match step:
            case Write():
                self.append(step.fact)
            case Preflight():
                result = self.actuator.preflight(step.command)
            case Send():
                result = self.actuator.send(step.command)
            case Look():
                result = self.actuator.look(step.command)
        if self._dies():
            return True
        self._fold()
        self.machine.took(step, result, self.now)
        return True

    def run(self, *, seconds: float) -> None:
        """Go on for a while; what waits for time gets it."""
        end_s = self.model.now_s + seconds
        while self.model.now_s < end_s:
            if not self.step():
                self.model.advance(0.5)

    def ends_of(self, key: str) -> list[End]:
        ends: list[End] = self.log.of(ActionConfirmed, ActionFailed, ActionUnknown)
        return [end for end in ends if end.proposal == key]

    def sent_of(self, key: str) -> list[ActionSent]:
        return [each for each in self.log.of(ActionSent) if each.proposal == key]

    def _fold(self) -> None:
        self.machine.fold(self.log.entries[self.machine.record.number :])

    def restart(self) -> None:
        """Lose the executor and all that it remembers."""
        self.n_crashes += 1
        self.model.advance(self._rng.uniform(0.1, 3.0))
        self.machine = self._fresh()

    def _dies(self) -> bool:
        if self._rng.random() >= self._crash:
            return False
        self.restart()
        return True

    def _fresh(self) -> Machine:
        machine = Machine(
            NAME,
            limits=self.limits,
            patience=Patience(confirm_s=10.0, give_up_s=30.0),
            describe=self.actuator.describe,
            actuator=self.actuator.name,
            new_id=lambda: f"{self._rng.getrandbits(128):032x}",
        )
        machine.fold(self.log.entries)
        machine.leases.started()
        return machine
