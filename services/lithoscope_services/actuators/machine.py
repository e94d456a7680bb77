"""The executor of actions: a state machine without sockets, files and clocks.

What has to be done next follows from the journal and from what this process itself has begun:

1. *Intend*: the intent is written before anything is sent. Its fact has one key for each
   proposal, so that there is one intent for ever; the correlation id in it is new for each
   attempt, so that a process knows its own intent from that of one before it.
2. *Send*: only by the process whose correlation id stands in the intent, and only once.
3. *Observe*: looked for until it is seen, or until the time for it is over.

After a crash the second step is never done again: an intent of another process is only looked for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from lithoscope_messages import (
    ActionConfirmed,
    ActionExpired,
    ActionFailed,
    ActionSent,
    ActionUnknown,
    Armed,
    Entry,
    Fact,
    FactMessage,
)
from lithoscope_services.actuators.errors import NotAllowedError
from lithoscope_services.actuators.guards import SECOND_NS, Answer, Limits, may_send
from lithoscope_services.actuators.leases import PRODUCER, LeaseKeeper, Now
from lithoscope_services.actuators.protocol import Command, Json, Seen, Sent
from lithoscope_services.actuators.record import ProposalRecord, Record

#: An effect that is not there after so many looks over the whole time is not coming.
MIN_LOOKS = 3
FIRST_LOOK_S = 0.05
LAST_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Write:
    """Append this to the journal, then fold what the journal has."""

    fact: FactMessage


@dataclass(frozen=True, slots=True)
class Preflight:
    """Ask the actuator whether anything stands against sending."""

    command: Command


@dataclass(frozen=True, slots=True)
class Send:
    """Send it."""

    command: Command


@dataclass(frozen=True, slots=True)
class Look:
    """Look for its effect."""

    command: Command


Step = Write | Preflight | Send | Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an effect is looked for.

    Parameters
    ----------
    confirm_s
        Longer than a request can be under way and be done after all.
    give_up_s
        After this, what nobody could tell is unknown. Counted since this process looks; after
        twice this since the intent it ends in any case, also with a process that keeps dying.
    """

    confirm_s: float = 10.0
    give_up_s: float = 30.0


@dataclass(slots=True)
class _Watch:
    """The looking for one effect."""

    command: Command
    begun_s: float
    next_s: float
    wait_s: float = FIRST_LOOK_S
    n_absent: int = 0
    sent: Sent | None = None


class Machine:
    """Acts for one experiment, one action at a time.

    Parameters
    ----------
    experiment
        Its name.
    limits, patience
        Within what, and how long, is acted and looked.
    describe
        Of the actuator: what it would send.
    actuator
        Its name.
    new_id
        Makes correlation ids, each unlike all others.
    """

    def __init__(
        self,
        experiment: str,
        *,
        limits: Limits,
        patience: Patience,
        describe: Callable[[Command], Json],
        actuator: str,
        new_id: Callable[[], str],
    ) -> None:
        self.record = Record(experiment)
        self.leases = LeaseKeeper(self.record, limits)
        self._limits = limits
        self._patience = patience
        self._describe = describe
        self._actuator = actuator
        self._new_id = new_id
        self._command: Command | None = None
        self._is_clear = False
        self._own_id = ""
        self._watch: _Watch | None = None
        self._ending: FactMessage | None = None

    def fold(self, entries: Iterable[Entry]) -> None:
        """Take in what the journal has."""
        for entry in entries:
            self.record.extend([entry])
            if isinstance(entry.message, Armed):
                self.leases.written(entry.message, entry.number)

    @property
    def is_acting(self) -> bool:
        """Whether an action has begun and has no end."""
        return self._command is not None or self.record.open_intent is not None

    def next(self, now: Now, *, may_begin: bool = True) -> Step | None:
        """Give what has to be done next, or nothing.

        Parameters
        ----------
        now
            The clocks.
        may_begin
            Whether a new action may be begun.
        """
        if self.record.is_over:
            return None
        fact = self.leases.due(now)
        if fact is not None:
            return Write(_as_fact(fact))
        if self._ending is not None:
            return Write(self._ending)
        intent = self.record.open_intent
        if intent is not None and intent.sent is not None:
            return self._resolve(intent, intent.sent, now)
        self._watch = None
        step = None if self._command is None else self._go_on(self._command, now)
        return step or (self._begin(now) if may_begin else None)

    def urgent(self, now: Now) -> Write | None:
        """Give what may be written while another step is being done: the end of a lease."""
        fact = None if self.record.is_over else self.leases.due(now)
        return None if fact is None else Write(_as_fact(fact))

    def took(self, step: Step, result: str | Sent | Seen | None, now: Now) -> None:
        """Take the result of a step: of a look what was seen, of a preflight what stands against.

        What a ``Write`` has written is folded before.
        """
        match step, result:
            case Write(), _:
                if step.fact is self._ending:
                    self._ending = None
            case Preflight(), str():
                self._clear(step.command, result, now)
            case Send(), Sent():
                self._sent(step.command, result, now)
            case Look(), Seen():
                self._seen(step.command, result, now)
            case _:
                raise TypeError(f"{result!r} is no result of {step!r}")

    def _begin(self, now: Now) -> Step | None:
        for proposal in self.record.proposals.values():
            if proposal.is_closed or proposal.sent is not None:
                continue
            answer = self._ask(proposal, now)
            if answer.state == "expire":
                return Write(ActionExpired(**self._parts(proposal, now, proposal.made.proposal)))
            if answer.state == "wait":
                continue
            command = self._command_for(proposal)
            if answer.state == "decline":
                return self._decline(command, answer.reason, now)
            try:
                self._describe(command)
            except NotAllowedError as error:
                return self._decline(command, str(error), now)
            self._command, self._is_clear = command, False
            return Preflight(command)
        return None

    def _go_on(self, command: Command, now: Now) -> Step | None:
        """Ask once more after the preflight, then write the intent."""
        if not self._is_clear:
            return Preflight(command)
        proposal = self.record.proposals[command.proposal]
        is_taken = proposal.is_closed or proposal.sent is not None
        if is_taken or self._ask(proposal, now).state != "send":
            self._command = None
            return None
        self._own_id = command.correlation_id
        sent = ActionSent(
            **self._parts(proposal, now, command.proposal),
            actuator=self._actuator,
            correlation_id=command.correlation_id,
            request=dict(self._describe(command)),
        )
        return Write(sent)

    def _ask(self, proposal: ProposalRecord, now: Now) -> Answer:
        return may_send(
            self.record,
            proposal,
            self._limits,
            now_ns=now.unix_ns,
            lease_number=self.leases.number,
        )

    def _clear(self, command: Command, veto: str, now: Now) -> None:
        if self._command is None or self._command.correlation_id != command.correlation_id:
            return
        if veto:
            self._command = None
            self._ending = self._failed(command, f"not sent: {veto}", now)
        else:
            self._is_clear = True

    def _resolve(self, proposal: ProposalRecord, sent: ActionSent, now: Now) -> Step | None:
        self._command = None
        if self._watch is None or self._watch.command.correlation_id != sent.correlation_id:
            command = replace(
                self._command_for(proposal),
                correlation_id=sent.correlation_id,
                sent_ns=sent.time_ns,
            )
            if self._own_id == sent.correlation_id:
                return self._send_once(command, now)
            self._watch = _Watch(command, now.monotonic_s, now.monotonic_s)
        watch = self._watch
        return Look(watch.command) if now.monotonic_s >= watch.next_s else None

    def _send_once(self, command: Command, now: Now) -> Step:
        # Whatever happens from here on, this process never comes here again with this id.
        self._own_id = ""
        if command.is_automatic and not self.leases.number:
            self._ending = self._failed(command, "not sent: the lease has ended", now)
            return Write(self._ending)
        self._watch = _Watch(command, now.monotonic_s, float("inf"))
        return Send(command)

    def _sent(self, command: Command, sent: Sent, now: Now) -> None:
        watch = self._watch
        if watch is None or watch.command.correlation_id != command.correlation_id:
            return
        if sent.state == "refused":
            self._ending = self._failed(command, sent.text, now)
        watch.sent, watch.begun_s, watch.next_s = sent, now.monotonic_s, now.monotonic_s

    def _seen(self, command: Command, seen: Seen, now: Now) -> None:
        watch = self._watch
        if watch is None or watch.command.correlation_id != command.correlation_id:
            return
        watch.n_absent += seen.state == "absent"
        watched_s = now.monotonic_s - watch.begun_s
        was_taken = watch.sent is not None and watch.sent.state == "accepted"
        if seen.state == "done":
            self._ending = self._confirmed(command, seen.text, now)
        elif seen.state == "failed":
            self._ending = self._failed(command, seen.text, now)
        elif seen.state == "absent" and watched_s >= self._patience.confirm_s:
            if not was_taken and watch.n_absent >= MIN_LOOKS:
                text = f"not there after {watch.n_absent} looks in {watched_s:.0f} s"
                self._ending = self._failed(command, text, now)
            else:
                self._ending = self._unknown(command, "it was taken, and is not there", now)
        elif watched_s >= self._patience.give_up_s or self._is_overdue(command, now):
            text = f"{seen.state} after {watched_s:.0f} s: {seen.text}"
            self._ending = self._unknown(command, text, now)
        watch.next_s = now.monotonic_s + watch.wait_s
        watch.wait_s = min(2 * watch.wait_s, LAST_LOOK_S)

    def _is_overdue(self, command: Command, now: Now) -> bool:
        return now.unix_ns - command.sent_ns > 2 * self._patience.give_up_s * SECOND_NS

    def _decline(self, command: Command, reason: str, now: Now) -> Write:
        return Write(self._failed(command, f"not sent: {reason}", now))

    def _command_for(self, proposal: ProposalRecord) -> Command:
        made = proposal.made
        return Command(
            correlation_id=self._new_id(),
            experiment=made.experiment,
            scan=made.scan,
            proposal=made.proposal,
            rule=made.rule,
            action=made.action,
            parameters=dict(made.parameters),
            reason=made.reason,
            is_automatic=proposal.approved_ns is None,
        )

    def _parts(self, proposal: ProposalRecord, now: Now, key: str) -> dict[str, Any]:
        return {
            "experiment": proposal.made.experiment,
            "scan": proposal.made.scan,
            "key": key,
            "time_ns": now.unix_ns,
            "producer": PRODUCER,
            "proposal": proposal.made.proposal,
        }

    def _end_parts(self, command: Command, now: Now) -> dict[str, Any]:
        proposal = self.record.proposals[command.proposal]
        parts = self._parts(proposal, now, command.correlation_id)
        return {**parts, "correlation_id": command.correlation_id}

    def _confirmed(self, command: Command, text: str, now: Now) -> ActionConfirmed:
        return ActionConfirmed(**self._end_parts(command, now), observed=text)

    def _failed(self, command: Command, text: str, now: Now) -> ActionFailed:
        return ActionFailed(**self._end_parts(command, now), error=text)

    def _unknown(self, command: Command, text: str, now: Now) -> ActionUnknown:
        return ActionUnknown(**self._end_parts(command, now), error=text)


def _as_fact(fact: Fact) -> FactMessage:
    return fact  # type: ignore[return-value] # leases give Armed, ArmRefused and Disarmed only
