"""Make the JSON schemas of all messages: ``python -m lithoscope_messages.schemas``."""

import json
from pathlib import Path
from typing import get_args

from lithoscope_messages import frames, journal, telemetry, union
from lithoscope_messages._base import Message

FOLDER = Path(__file__).parent / "schema"


def all_messages() -> tuple[type[Message], ...]:
    """Every message type there is, by name."""
    unions = (
        union.JournalMessage,
        frames.SourceMessage,
        frames.IngestReply,
        journal.JournalRequest,
        journal.JournalReply,
        journal.Feed,
    )
    found = {member for each in unions for member in get_args(each)}
    found |= {telemetry.Heartbeat, telemetry.ReconstructionPreview, telemetry.ScanProgress}
    return tuple(sorted(found, key=lambda member: member.__name__))


def render(message: type[Message]) -> str:
    """Write the schema of one message as it is committed."""
    return json.dumps(message.model_json_schema(), indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write all schemas, and remove those of messages that are gone."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {FOLDER / f"{message.__name__}.json": render(message) for message in all_messages()}
    for stale in set(FOLDER.glob("*.json")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
