"""Say something in the journal of a stored experiment: whoever serves it, sealed or not."""

import getpass
from collections.abc import Sequence
from contextlib import ExitStack

import zmq

from lithoscope_messages import ExperimentEnded, FactMessage
from lithoscope_services.errors import ServiceError
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.reading import read_entries
from lithoscope_store import (
    ExperimentPaths,
    JournalDatabase,
    Store,
    experiment_lock,
    find_instance,
)

PRODUCER = "command_line"
PATIENCE_S = 10.0
#: As many as one append may have.
_AT_ONCE = 1000


def say(
    store: Store, paths: ExperimentPaths, facts: Sequence[FactMessage], stack: ExitStack
) -> None:
    """Append facts as the command line.

    Parameters
    ----------
    store, paths
        The experiment.
    facts
        What is said.
    stack
        Holds the lock of the experiment, unless an instance serves it.

    Raises
    ------
    KeepError
        If the experiment has ended and is not sealed yet.
    LockedError
        If another process writes the experiment and does not serve its journal.
    """
    entries = read_entries(store, paths.name)
    if any(isinstance(entry.message, ExperimentEnded) for entry in entries):
        stack.enter_context(experiment_lock(paths))
        _amend(paths, facts)
    elif facts:
        _append(store, paths, facts, stack)


def person_of_account() -> str:
    """Give who works at this terminal.

    Raises
    ------
    ServiceError
        If the account has no name.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise ServiceError(
            "this account has no name, and who does this is written down; log in by name"
        ) from error


def _amend(paths: ExperimentPaths, facts: Sequence[FactMessage]) -> None:
    with JournalDatabase(paths.journal, paths.name) as journal:
        if not journal.is_sealed:
            raise KeepError(
                f"{paths.name} has ended and is not sealed yet; start an instance on the store, "
                "which seals it, and try again"
            )
        journal.amend(facts)


def _append(
    store: Store, paths: ExperimentPaths, facts: Sequence[FactMessage], stack: ExitStack
) -> None:
    """Say it to the journal of an experiment that goes on: its service, or else its file."""
    instance = find_instance(store)
    if instance is None:
        stack.enter_context(experiment_lock(paths))
        with JournalDatabase(paths.journal, paths.name) as journal:
            journal.append(facts)
        return
    with (
        zmq.Context() as context,
        JournalClient(
            context, instance.endpoints["journal"], "command_line", patience_s=PATIENCE_S
        ) as client,
    ):
        for first in range(0, len(facts), _AT_ONCE):
            client.append(facts[first : first + _AT_ONCE])
