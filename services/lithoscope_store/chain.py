"""The chain of hashes: a fact that was changed, removed or put in later shows."""

import hashlib
from collections.abc import Iterable

from lithoscope_messages import Entry, JournalMessage, MessageError, adapter_of, decode

_MESSAGES = adapter_of(JournalMessage)
#: ``previous_hash`` of the first entry.
FIRST_PREVIOUS_HASH = "0" * 64


def entry_hash(previous_hash: str, message_json: str) -> str:
    """Hash of an entry: SHA-256 of the previous hash, a newline and the message's text."""
    return hashlib.sha256(f"{previous_hash}\n{message_json}".encode()).hexdigest()


def verify_chain(
    entries: Iterable[Entry], *, after: int = 0, previous_hash: str = FIRST_PREVIOUS_HASH
) -> list[str]:
    """List what is wrong with a run of entries.

    Parameters
    ----------
    entries
        In order, without gaps; by default from the first of an experiment.
    after, previous_hash
        Number and hash of the entry before the first of ``entries``.

    Returns
    -------
    list[str]
        One line a problem; empty if the chain holds.
    """
    problems = []
    for number, entry in enumerate(entries, start=after + 1):
        if entry.number != number:
            problems.append(f"entry {number} is missing, {entry.number} stands in its place")
            break
        if entry.previous_hash != previous_hash:
            problems.append(f"entry {number} does not follow the one before it")
        if entry.hash != entry_hash(entry.previous_hash, _text(entry)):
            problems.append(f"entry {number} is not what was written: its hash does not fit")
        previous_hash = entry.hash
    return problems


def _text(entry: Entry) -> str:
    """Give the message as it was written; what does not lift to the message counts for nothing."""
    if entry.written_json is not None:
        try:
            if decode(entry.written_json.encode(), _MESSAGES) == entry.message:
                return entry.written_json
        except MessageError:
            pass  # the hash of the message itself does not fit then, which is what is said
    return entry.message.model_dump_json()
