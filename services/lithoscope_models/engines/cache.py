"""Engines that were built here, kept for the next start.

An engine is a program that no library checks before it runs it. Only what this user built on this
machine is loaded: the folder is private, and each file is sealed with a secret that never leaves
it.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path

from lithoscope_models.errors import EngineUnavailableError

Loaded = TypeVar("Loaded")
_SECRET_FILE = "secret"
_SEAL_BYTES = hashlib.sha256().digest_size


class EngineCache:
    """A private folder of built engines.

    Parameters
    ----------
    folder
        Made with mode 0700 if it is not there; None takes that of the user.

    Raises
    ------
    EngineUnavailableError
        If the folder belongs to somebody else, or is none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_cache_path("lithoscope") / "engines"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EngineUnavailableError(
                f"{self.folder}: no folder of this user; remove it, engines are built anew"
            )
        self.folder.chmod(0o700)

    def path(self, key: Mapping[str, object]) -> Path:
        """Say where the engine of a key lies."""
        text = json.dumps(key, sort_keys=True, separators=(",", ":"), default=list)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.engine"

    def load_or_build(
        self,
        key: Mapping[str, object],
        *,
        build: Callable[[], bytes],
        load: Callable[[bytes], Loaded | None],
    ) -> Loaded:
        """Load the engine of a key; build it if there is none or if it does not load.

        Parameters
        ----------
        key
            All that the engine depends on, as JSON has it.
        build
            Gives the engine's bytes.
        load
            Gives what they stand for, or None if they are no engine for this machine.

        Raises
        ------
        EngineUnavailableError
            If an engine that was just built does not load either.
        """
        path = self.path(key)
        with self._locked(path):
            data = self._read(path)
            if data is not None:
                loaded = load(data)
                if loaded is not None:
                    return loaded
                path.unlink()
            data = build()
            self._write(path, self._seal(data) + data)
            loaded = load(data)
        if loaded is None:
            raise EngineUnavailableError(f"{path}: was built here and cannot be loaded here")
        return loaded

    def _read(self, path: Path) -> bytes | None:
        """Read what was sealed here; anything else is as if it were not there."""
        if path.is_symlink() or not path.is_file():
            path.unlink(missing_ok=True)
            return None
        sealed = path.read_bytes()
        seal, data = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        return data if hmac.compare_digest(seal, self._seal(data)) else None

    def _seal(self, data: bytes) -> bytes:
        return hmac.new(self._secret(), data, hashlib.sha256).digest()

    def _secret(self) -> bytes:
        path = self.folder / _SECRET_FILE
        if not path.is_file():
            self._write(path, secrets.token_bytes(32))
        return path.read_bytes()

    def _write(self, path: Path, data: bytes) -> None:
        # mkstemp gives mode 0600.
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".partial-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Let one process build while others wait for what it builds."""
        with (self.folder / ".lock").open("w") as lock, path.with_suffix(".lock").open("w") as own:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._secret()
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(own, fcntl.LOCK_EX)
            yield
