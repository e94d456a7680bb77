"""Requests of a person at the command line, and the facts that answer them."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import zmq

from lithoscope_messages import (
    Armed,
    ArmRefused,
    ArmRequested,
    Disarmed,
    DisarmRequested,
    HoldReleased,
    HoldReleaseRequested,
    JournalMessage,
)
from lithoscope_services.actuators.errors import ActuatorError
from lithoscope_services.errors import InstanceError
from lithoscope_services.journal_client import JournalClient
from lithoscope_store import Store, find_instance

ANSWER_S = 6.0
LOOK_S = 0.05


class ArmRefusedError(ActuatorError):
    """A lease was asked for and not given; the text says why."""


def ask_to_arm(store: Path, experiment: str, person: str, reason: str, duration_s: float) -> str:
    """Ask for a lease, and wait for the answer.

    Returns
    -------
    str
        A line for a person.

    Raises
    ------
    ArmRefusedError
        If it is not given.
    InstanceError
        If no instance runs, or none that acts.
    """
    request = ArmRequested(**_parts(experiment, person, reason), duration_s=duration_s)
    answer = _ask(
        store,
        request,
        lambda each: isinstance(each, Armed | ArmRefused) and each.request == request.key,
    )
    if isinstance(answer, ArmRefused):
        raise ArmRefusedError(f"{experiment} is not armed: {answer.reason}")
    if not isinstance(answer, Armed):
        raise InstanceError(
            f"no answer in {ANSWER_S:.0f} s: nothing that acts runs for {experiment}; start it "
            "with lithoscope up, and look at lithoscope status"
        )
    ends = datetime.fromtimestamp(answer.ends_ns / 1e9).astimezone()
    return f"{experiment} is armed by {person} until {ends:%Y-%m-%d %H:%M:%S %Z}"


def ask_to_disarm(store: Path, experiment: str, person: str, reason: str) -> str:
    """End the lease, and wait for the fact; without one nothing has to end."""
    request = DisarmRequested(**_parts(experiment, person, reason))
    was_armed: list[bool] = []
    answer = _ask(
        store, request, lambda each: isinstance(each, Disarmed), say_armed=was_armed.append
    )
    if answer is not None:
        return f"{experiment} is disarmed"
    if any(was_armed):
        return f"nothing that acts answers for {experiment}: its lease has ended with it"
    return f"{experiment} is not armed"


def ask_to_release(store: Path, experiment: str, person: str, reason: str) -> str:
    """Let the plan go on, and wait for the fact."""
    request = HoldReleaseRequested(**_parts(experiment, person, reason))
    answer = _ask(store, request, lambda each: isinstance(each, HoldReleased))
    if answer is None:
        return f"nothing holds the plan of {experiment}"
    return f"the plan of {experiment} may go on; release the cycler itself at the beamline"


def _parts(experiment: str, person: str, reason: str) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "key": f"command-line:{uuid.uuid4().hex}",
        "time_ns": time.time_ns(),
        "producer": "command line",
        "person": person,
        "reason": reason,
    }


def _ask(
    store: Path,
    request: JournalMessage,
    is_answer: Callable[[JournalMessage], bool],
    *,
    say_armed: Callable[[bool], None] | None = None,
) -> JournalMessage | None:
    """Write a request and wait for the first fact after it that answers it; None if none comes."""
    instance = find_instance(Store(store))
    if instance is None:
        raise InstanceError(
            f"no instance runs on {store}, so nothing can be sent; start one with lithoscope up, "
            "or give its --store"
        )
    with (
        zmq.Context() as context,
        JournalClient(
            context, instance.endpoints["journal"], "command_line", patience_s=ANSWER_S
        ) as journal,
    ):
        before = journal.read_all(request.experiment)
        if not before:
            raise InstanceError(
                f"{request.experiment} is no experiment of the running instance; see "
                "lithoscope status"
            )
        (number,) = journal.append([request])
        if say_armed is not None:
            is_armed = _is_armed([entry.message for entry in before])
            say_armed(is_armed)
            if not is_armed:
                return None
        deadline_s = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline_s:
            for entry in journal.read_since(request.experiment, number).entries:
                if is_answer(entry.message):
                    return entry.message
            time.sleep(LOOK_S)
    return None


def _is_armed(messages: list[JournalMessage]) -> bool:
    is_armed = False
    for message in messages:
        if isinstance(message, Armed | ArmRequested):
            is_armed = True
        elif isinstance(message, Disarmed | ArmRefused):
            is_armed = False
    return is_armed
