"""Keys of actuators: one TOML file that nobody else can read."""

import os
import stat
import tomllib
from pathlib import Path

from pydantic import ValidationError

from lithoscope_services.actuators.errors import KeysFileError
from lithoscope_services.settings.table import Table

MAX_BYTES = 65_536


class ActuatorKeys(Table):
    """What must not stand in the settings, in the journal or in a log."""

    queue_public_key: str | None = None
    lock_key: str | None = None
    webhook_secret: str | None = None

    def __repr__(self) -> str:
        return "ActuatorKeys(...)"

    __str__ = __repr__


def read_keys(path: Path | None) -> ActuatorKeys:
    """Read the file with keys; none is an empty one.

    Parameters
    ----------
    path
        TOML; a plain file of this user that nobody else can read.

    Raises
    ------
    KeysFileError
        If it is not; the text never holds a key.
    """
    if path is None:
        return ActuatorKeys()
    try:
        # Opened first and looked at then: what is read is what was checked, and no link.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise KeysFileError(
            f"{path}: cannot be read ({error.strerror}); give a plain file of your own"
        ) from error
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_mode & 0o077 or about.st_uid != os.getuid():
            raise KeysFileError(
                f"{path}: must be a plain file that only you can read; chmod 600 {path}"
            )
        content = file.read(MAX_BYTES)
    try:
        return ActuatorKeys(**tomllib.loads(content.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise KeysFileError(f"{path}: no TOML; write lines such as lock_key = '...'") from None
    except ValidationError as error:
        names = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        known = ", ".join(ActuatorKeys.model_fields)
        raise KeysFileError(f"{path}: {names}: unknown or no text; known: {known}") from None
