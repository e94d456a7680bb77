"""Whether a proposal may be sent: one pure function for each question, each with its reason."""

from dataclasses import dataclass
from typing import Literal

from lithoscope_messages import ActionName
from lithoscope_services.actuators.protocol import ON_THE_CELL
from lithoscope_services.actuators.record import ProposalRecord, Record

#: Sent by themselves while a lease is in force. A finer scan is more dose: it is put into the
#: queue beside an action of these, and a person starts the queue.
AUTOMATIC: frozenset[ActionName] = frozenset({"hold", "pause", "lower_current", "repeat_flats"})
COMPANIONS: frozenset[ActionName] = frozenset({"finer_scan"})
HOUR_NS = 3600 * 10**9
SECOND_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Within what is acted.

    Parameters
    ----------
    is_off
        Whether nothing is ever sent.
    is_dry_run
        Whether the actuator only says what it would send.
    max_data_age_s
        From the end of a scan to an automatic action that rests on it.
    max_wait_s
        From a person's yes to the sending: a yes is about now.
    max_per_hour
        Automatic actions in any hour that do not protect the cell.
    """

    is_off: bool = False
    is_dry_run: bool = False
    max_data_age_s: float = 1800.0
    max_wait_s: float = 60.0
    max_per_hour: int = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What may be done with a proposal now.

    ``send``: it may be sent. ``wait``: a person has to answer, or something else to come first.
    ``expire``: it is too late for it. ``decline``: it must not be sent, on this yes at least.
    """

    state: Literal["send", "wait", "expire", "decline"]
    reason: str = ""


def forbids_acting(record: Record, limits: Limits) -> str:
    """Say why nothing is sent for this experiment at all, or nothing."""
    if limits.is_off:
        return 'actuators are switched off; give [actuators] kind another value than "off"'
    if record.source == "simulated" and limits.is_dry_run:
        return ""
    if record.source != "live":
        return (
            f"the frames of this experiment are {record.source or 'of no known source'}; only a "
            "live experiment acts"
        )
    return ""


def may_send(
    record: Record, proposal: ProposalRecord, limits: Limits, *, now_ns: int, lease_number: int
) -> Answer:
    """Say what may be done with a proposal now.

    Parameters
    ----------
    record
        Of the experiment.
    proposal
        One of its proposals that is neither closed nor sent.
    limits
        Within what is acted.
    now_ns
        Unix time, ns.
    lease_number
        Number in the journal of the lease that is in force; 0 without one.
    """
    made = proposal.made
    if made.action == "note":
        return Answer("wait", "a note asks for nothing")
    if proposal.approved_ns is not None:
        return _after_yes(record, proposal, proposal.approved_ns, limits, now_ns)
    reason = (
        forbids_acting(record, limits)
        or _not_by_itself(record, proposal, lease_number)
        or _too_old(record, proposal, limits, now_ns)
        or _too_many(record, proposal, limits, now_ns)
    )
    return Answer("wait", reason) if reason else Answer("send")


def is_expired(record: Record, proposal: ProposalRecord, now_ns: int) -> bool:
    """Whether a proposal has outlived its time, by the experiment's clock or by the wall's."""
    made = proposal.made
    if made.expires_s is None:
        return False
    lives_ns = (made.expires_s - made.experiment_time_s) * SECOND_NS
    return record.experiment_time_s > made.expires_s or now_ns - proposal.made_ns > lives_ns


def _after_yes(
    record: Record, proposal: ProposalRecord, approved_ns: int, limits: Limits, now_ns: int
) -> Answer:
    forbidden = forbids_acting(record, limits)
    if forbidden:
        return Answer("decline", forbidden)
    if proposal.made.mode not in ("propose", "auto"):
        return Answer("decline", f"its rule is in mode {proposal.made.mode}")
    if is_expired(record, proposal, now_ns):
        return Answer("expire")
    waited_s = (now_ns - approved_ns) / SECOND_NS
    if waited_s > limits.max_wait_s:
        return Answer("decline", f"it was approved {waited_s:.0f} s ago; approve it again")
    return Answer("send")


def _not_by_itself(record: Record, proposal: ProposalRecord, lease_number: int) -> str:
    """Say why a person has to be asked."""
    made = proposal.made
    if made.mode != "auto":
        return f"mode {made.mode}"
    if not lease_number:
        return "nobody has armed the experiment"
    if proposal.number < lease_number:
        return "it was proposed before the experiment was armed"
    if proposal.is_declined:
        return "it was tried once and declined"
    if record.alarms:
        return "an action has an unknown end; acknowledge its alarm first"
    if made.action in AUTOMATIC and made.rule_class != "raises_risk":
        return ""
    if made.action not in COMPANIONS or made.follows is None:
        return f"{made.action} is never automatic"
    first = record.proposals.get(made.follows)
    if first is None or first.made.action not in AUTOMATIC or not first.is_confirmed:
        return "what it follows has not been done"
    return ""


def _too_old(record: Record, proposal: ProposalRecord, limits: Limits, now_ns: int) -> str:
    if is_expired(record, proposal, now_ns):
        return "its time is over"
    if proposal.made.scan < record.newest_scan:
        return f"scan {record.newest_scan} is newer"
    measured_ns = record.completed_ns.get(proposal.made.scan, proposal.made_ns)
    age_s = (now_ns - measured_ns) / SECOND_NS
    if age_s > limits.max_data_age_s:
        return f"its scan ended {age_s:.0f} s ago, at most {limits.max_data_age_s:.0f} are allowed"
    return ""


def _too_many(record: Record, proposal: ProposalRecord, limits: Limits, now_ns: int) -> str:
    if proposal.made.action in ON_THE_CELL:
        return ""  # a limit never mutes what protects the cell
    n_lately = sum(1 for each in record.sent_ns if now_ns - each < HOUR_NS)
    if n_lately >= limits.max_per_hour:
        return f"{n_lately} actions were sent within an hour; no more are allowed"
    return ""
