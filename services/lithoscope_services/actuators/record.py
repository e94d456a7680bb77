"""What the journal says of one experiment, folded for acting."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lithoscope_messages import (
    ActionApproved,
    ActionConfirmed,
    ActionExpired,
    ActionFailed,
    ActionRejected,
    ActionSent,
    ActionUnknown,
    AlarmAcknowledged,
    Armed,
    ArmRefused,
    ArmRequested,
    Disarmed,
    DisarmRequested,
    Entry,
    ExperimentEnded,
    ExperimentStarted,
    LabelsReady,
    MetricsReady,
    ProposalMade,
    ScanCompleted,
    ScanDecided,
    ScanStarted,
)


@dataclass(slots=True)
class ProposalRecord:
    """A proposal and what became of it.

    Parameters
    ----------
    made, number, made_ns
        The fact, its number in the journal, and when it was appended (Unix time, ns).
    approved_ns
        When a person's yes was appended; None without.
    sent
        The durable intent.
    is_closed
        Whether nothing more can come of it.
    is_confirmed
        Whether its effect was seen.
    is_declined
        Whether it was tried, not sent, and left to a person.
    """

    made: ProposalMade
    number: int
    made_ns: int
    approved_ns: int | None = None
    sent: ActionSent | None = None
    is_closed: bool = False
    is_confirmed: bool = False
    is_declined: bool = False

    @property
    def is_open_intent(self) -> bool:
        """Whether it was sent, or was about to be, and nobody knows yet what came of it."""
        return self.sent is not None and not self.is_closed


@dataclass(slots=True)
class Record:
    """The facts of one experiment that acting depends on, folded one by one."""

    experiment: str
    number: int = 0
    source: str = ""
    is_over: bool = False
    proposals: dict[str, ProposalRecord] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    armed: Armed | None = None
    armed_number: int = 0
    arm_requests: dict[str, tuple[int, ArmRequested]] = field(default_factory=dict)
    disarm_request: tuple[int, DisarmRequested] | None = None
    experiment_time_s: float = float("-inf")
    newest_scan: int = -1
    completed_ns: dict[int, int] = field(default_factory=dict)
    rules_sha256: str | None = None
    model: str = ""
    sent_ns: list[int] = field(default_factory=list)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Fold entries in their order."""
        for entry in entries:
            self._fold(entry)
            self.number = entry.number

    @property
    def open_intent(self) -> ProposalRecord | None:
        """The intent that has no end, if there is one."""
        return next((each for each in self.proposals.values() if each.is_open_intent), None)

    def _fold(self, entry: Entry) -> None:
        message = entry.message
        match message:
            case ExperimentStarted():
                self.source = message.description.source
            case ExperimentEnded():
                self.is_over = True
            case ScanStarted():
                self._at(message.phase.experiment_time_s)
            case ScanCompleted():
                self.completed_ns[message.scan] = entry.appended_ns
            case LabelsReady():
                self.model = message.model
            case MetricsReady():
                self._at(message.experiment_time_s)
                self.newest_scan = max(self.newest_scan, message.scan)
            case ScanDecided():
                self.rules_sha256 = message.rules_sha256 or self.rules_sha256
                self.newest_scan = max(self.newest_scan, message.scan)
            case ProposalMade():
                self.newest_scan = max(self.newest_scan, message.scan)
                self.proposals[message.proposal] = ProposalRecord(
                    message, entry.number, entry.appended_ns
                )
            case _:
                self._fold_lease(entry)
                self._fold_action(entry)

    def _at(self, time_s: float) -> None:
        self.experiment_time_s = max(self.experiment_time_s, time_s)

    def _fold_lease(self, entry: Entry) -> None:
        message = entry.message
        match message:
            case ArmRequested():
                self.arm_requests[message.key] = (entry.number, message)
            case DisarmRequested():
                self.disarm_request = (entry.number, message)
            case Armed():
                self.armed, self.armed_number = message, entry.number
                self.arm_requests.pop(message.request, None)
            case ArmRefused():
                self.arm_requests.pop(message.request, None)
            case Disarmed():
                self.armed = None
            case AlarmAcknowledged():
                self.alarms.pop(message.alarm, None)

    def _fold_action(self, entry: Entry) -> None:
        message = entry.message
        if not isinstance(
            message,
            ActionApproved
            | ActionRejected
            | ActionExpired
            | ActionSent
            | ActionConfirmed
            | ActionFailed
            | ActionUnknown,
        ):
            return
        known = self.proposals.get(message.proposal)
        is_answer = isinstance(message, ActionApproved | ActionRejected | ActionExpired)
        if known is None or (is_answer and known.sent is not None):
            return  # what was sent cannot be taken back by an answer
        match message:
            case ActionApproved():
                known.approved_ns = entry.appended_ns
            case ActionSent():
                known.sent = message
                self.sent_ns.append(entry.appended_ns)
            case ActionFailed() if known.sent is None:
                # Nothing was sent, so a person may still say yes, once more if need be.
                known.is_declined, known.approved_ns = True, None
            case ActionUnknown():
                known.is_closed = True
                self.alarms[message.key] = message.error
            case _:
                known.is_closed = True
                known.is_confirmed = isinstance(message, ActionConfirmed)
