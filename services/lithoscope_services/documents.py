"""Bluesky documents as they came, one a line, each once."""

import json
import os
from pathlib import Path
from typing import Any

from lithoscope_messages import BlueskyDocument, MessageError
from lithoscope_store.durable import naming_full_disk, write_fully


class DocumentLog:
    """The documents of one experiment.

    Parameters
    ----------
    path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] | None = None

    def keep(self, message: BlueskyDocument) -> dict[str, Any]:
        """Write a document unless it is there; it is on the disk when this returns.

        Raises
        ------
        MessageError
            If it is no document.
        StoreFullError
            If there is no space left.
        """
        try:
            document = json.loads(message.document_json)
            key = f"{message.name}:{document['uid']}"
        except (ValueError, KeyError, TypeError) as error:
            raise MessageError(f"document_json: no document with a uid: {error}") from error
        if self._seen is None:
            self._seen = self._read()
        if key not in self._seen:
            self._write(json.dumps({"name": message.name, "doc": document}))
            self._seen.add(key)
        found: dict[str, Any] = document
        return found

    def _write(self, line: str) -> None:
        with naming_full_disk(self._path):
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(fd).st_size
                # A line cut short by a power cut or a full disk must not swallow this one.
                is_torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
                write_fully(fd, ("\n" * is_torn + line + "\n").encode())
                os.fsync(fd)
            finally:
                os.close(fd)

    def _read(self) -> set[str]:
        if not self._path.exists():
            return set()
        lines = self._path.read_text(errors="replace").splitlines()
        return {_key(line) for line in lines}


def _key(line: str) -> str:
    try:
        parts = json.loads(line)
        return f"{parts['name']}:{parts['doc']['uid']}"
    except (ValueError, KeyError, TypeError):
        return ""  # cut short; the document is sent again and gets a line of its own
