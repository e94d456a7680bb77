"""Read the journal of an experiment, whether an instance runs or not."""

import zmq

from lithoscope_messages import Entry
from lithoscope_services.errors import ServiceError
from lithoscope_services.journal_client import JournalClient
from lithoscope_store.discovery import InstanceFile, find_instance
from lithoscope_store.journal_reading import read_journal
from lithoscope_store.layout import Store

PATIENCE_S = 5.0


class ReportError(ServiceError, ValueError):
    """There is no such experiment, or nothing is known of it yet."""


def read_entries(store: Store, experiment: str) -> list[Entry]:
    """Read all entries of an experiment: from the running instance, else from its file.

    Parameters
    ----------
    store
        Where the experiment lies.
    experiment
        Its name.

    Raises
    ------
    ReportError
        If the store has no such experiment.
    StoreError
        If its journal is damaged or of a newer version.
    """
    paths = store.experiment(experiment)
    if experiment not in store.experiments():
        known = ", ".join(store.experiments()[:10]) or "none"
        raise ReportError(
            f"no experiment {experiment!r} in {store.root} (there: {known}); check the name and "
            "--store"
        )
    paths.check_format()
    instance = find_instance(store)
    entries = [] if instance is None else _read_live(instance, experiment)
    if entries or not paths.journal.is_file():
        return entries
    return read_journal(paths.journal)


def _read_live(instance: InstanceFile, experiment: str) -> list[Entry]:
    address = instance.endpoints.get("journal")
    if address is None:
        return []
    with (
        zmq.Context() as context,
        JournalClient(context, address, "command_line", patience_s=PATIENCE_S) as client,
    ):
        try:
            return client.read_all(experiment)
        except ServiceError:
            # The journal is being restarted, or keeps silent on purpose: its file tells as much.
            return []
