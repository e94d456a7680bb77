"""Leases to act: given to a name for a reason until an end, ended by any of several things."""

from dataclasses import dataclass

from lithoscope_messages import Armed, ArmRefused, ArmRequested, Disarmed, Fact
from lithoscope_services.actuators.guards import SECOND_NS, Limits, forbids_acting
from lithoscope_services.actuators.record import Record

MAX_LEASE_S = 43_200.0
MIN_REASON = 3
#: A request is about now; one that lay in the journal while nobody read it is asked again.
MAX_REQUEST_AGE_S = 60.0
PRODUCER = "act"


@dataclass(slots=True)
class Lease:
    """A lease in the memory of this process: a restart ends it.

    Parameters
    ----------
    armed
        The fact that gives it.
    ends_s
        On the monotonic clock.
    asked_number
        Number of the request in the journal.
    rules_sha256, model
        What it is given for: what was known then, or the first that came after.
    number
        Of its fact in the journal; 0 until it is there.
    """

    armed: Armed
    ends_s: float
    asked_number: int
    rules_sha256: str | None
    model: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Now:
    """The two clocks: the monotonic one measures, the other is written down."""

    monotonic_s: float
    unix_ns: int


class LeaseKeeper:
    """Gives and ends the lease of one experiment; no sockets, no clock of its own.

    Parameters
    ----------
    record
        Of the experiment; folded by the owner.
    limits
        Within what is acted.
    """

    def __init__(self, record: Record, limits: Limits) -> None:
        self._record = record
        self._limits = limits
        self._lease: Lease | None = None
        self._first_number = record.number
        self._end_reason = ""
        self.trouble = ""

    def started(self) -> None:
        """Take what stands in the journal by now as what was before this process."""
        self._first_number = self._record.number

    @property
    def number(self) -> int:
        """Number of the lease that is in force in the journal; 0 without one."""
        return 0 if self._lease is None or self._why_over(None) else self._lease.number

    def lose(self, reason: str) -> None:
        """End the lease at once; the fact follows when the journal takes it."""
        if self._lease is not None:
            self._lease = None
            self._end_reason = reason

    def due(self, now: Now) -> Fact | None:
        """Give the fact about leases that has to be written now, if there is one."""
        if self._lease is not None:
            reason = self._why_over(now)
            if reason:
                self.lose(reason)
        if self._record.armed is not None and self._lease is None:
            return self._disarmed(self._record.armed, now)
        for number, request in list(self._record.arm_requests.values()):
            return self._answer(number, request, now)
        return None

    def written(self, armed: Armed, number: int) -> None:
        """Begin a lease whose fact is in the journal."""
        if self._lease is not None and self._lease.armed.key == armed.key:
            self._lease.number = number

    def _answer(self, number: int, request: ArmRequested, now: Now) -> Fact:
        refusal = self._why_not(number, request, now)
        if refusal:
            return ArmRefused(
                experiment=request.experiment,
                key=request.key,
                time_ns=now.unix_ns,
                producer=PRODUCER,
                person=request.person,
                request=request.key,
                reason=refusal,
            )
        duration_s = min(request.duration_s, MAX_LEASE_S)
        armed = Armed(
            experiment=request.experiment,
            key=request.key,
            time_ns=now.unix_ns,
            producer=PRODUCER,
            person=request.person,
            reason=request.reason,
            request=request.key,
            ends_ns=now.unix_ns + int(duration_s * SECOND_NS),
            rules_sha256=self._record.rules_sha256,
            model=self._record.model,
        )
        self._lease = Lease(
            armed, now.monotonic_s + duration_s, number, armed.rules_sha256, armed.model
        )
        self._end_reason = ""
        return armed

    def _why_not(self, number: int, request: ArmRequested, now: Now) -> str:
        record = self._record
        age_s = (now.unix_ns - request.time_ns) / SECOND_NS
        if number <= self._first_number or age_s > MAX_REQUEST_AGE_S:
            return "it was asked for while nobody could answer; ask again"
        if record.disarm_request is not None and record.disarm_request[0] > number:
            return f"{record.disarm_request[1].person} has disarmed meanwhile; ask again"
        if record.is_over:
            return "the experiment is over"
        if len(request.reason.strip()) < MIN_REASON:
            return "a lease needs a reason; say why"
        if record.alarms:
            text = next(iter(record.alarms.values()))
            return f"an action has an unknown end ({text}); look, and acknowledge its alarm first"
        if record.open_intent is not None:
            return "an action is still being resolved; ask again when it has an end"
        return self.trouble or forbids_acting(record, self._limits)

    def _why_over(self, now: Now | None) -> str:
        lease, record = self._lease, self._record
        if lease is None:
            return ""
        if record.disarm_request is not None and lease.asked_number < record.disarm_request[0]:
            request = record.disarm_request[1]
            return f"disarmed by {request.person}: {request.reason or 'no reason given'}"
        if now is not None and (
            now.monotonic_s >= lease.ends_s or now.unix_ns >= lease.armed.ends_ns
        ):
            return "its time is over"
        if record.is_over:
            return "the experiment is over"
        if record.alarms:
            return "an action has an unknown end"
        lease.rules_sha256 = lease.rules_sha256 or record.rules_sha256
        lease.model = lease.model or record.model
        if lease.rules_sha256 != record.rules_sha256:
            return "the rules have changed"
        if lease.model != record.model:
            return "the model has changed"
        return self.trouble

    def _disarmed(self, armed: Armed, now: Now) -> Disarmed:
        request = self._record.disarm_request
        is_asked = request is not None and request[0] > self._record.armed_number
        reason = self._end_reason or (
            "the service that acts was restarted" if not is_asked else "asked for"
        )
        return Disarmed(
            experiment=armed.experiment,
            key=f"{armed.key}:end",
            time_ns=now.unix_ns,
            producer=PRODUCER,
            person=request[1].person if is_asked and request is not None else PRODUCER,
            reason=reason,
        )
