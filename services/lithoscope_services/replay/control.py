"""Ask the replay that runs on a store to pause, to go on, to change its speed or to seek."""

import getpass
import time
import uuid
from pathlib import Path
from typing import Literal

import zmq

from lithoscope_messages import SYSTEM_JOURNAL, ExperimentStarted, ReplayControlRequested
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.replay.recorded import ReplayError
from lithoscope_store import Store, find_instance

PATIENCE_S = 15.0
Action = Literal["pause", "resume", "seek", "speed"]


def control_replay(store_root: Path, action: Action, value: float | None) -> str:
    """Send a request to the replay that runs.

    Parameters
    ----------
    store_root
        Its store.
    action, value
        ``speed`` takes a factor, None for as fast as possible; ``seek`` the number of a scan.

    Returns
    -------
    str
        What was asked for, for a person.

    Raises
    ------
    ReplayError
        If no replay runs there.
    """
    store = Store(store_root)
    instance = find_instance(store)
    if instance is None:
        raise ReplayError(f"no replay runs on {store.root}; start one with `lithoscope replay`")
    with (
        zmq.Context() as context,
        JournalClient(
            context, instance.endpoints["journal"], "command_line", patience_s=PATIENCE_S
        ) as journal,
    ):
        name = _running_replay(journal, store)
        journal.append(
            [
                ReplayControlRequested(
                    experiment=name,
                    key=uuid.uuid4().hex,
                    time_ns=time.time_ns(),
                    producer="command_line",
                    person=getpass.getuser(),
                    action=action,
                    value=value,
                )
            ]
        )
    what = "" if value is None else f" {value:g}"
    return f"Asked {name} to {action}{what}"


def _running_replay(journal: JournalClient, store: Store) -> str:
    for head in journal.experiments():
        if head.experiment == SYSTEM_JOURNAL or head.sealed:
            continue
        entries = journal.read_since(head.experiment, 0, limit=1).entries
        started = entries[0].message if entries else None
        is_facts = store.experiment(head.experiment).manifest.exists()
        if is_facts or (
            isinstance(started, ExperimentStarted) and started.description.source == "replay"
        ):
            return head.experiment
    raise ReplayError(f"no replay runs on {store.root}; start one with `lithoscope replay`")
