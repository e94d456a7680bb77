"""Who may sign in to the page, and as what: one file of names, roles and hashes of passwords."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import AccountError

RoleName = Literal["viewer", "operator", "admin"]
ROLES: tuple[RoleName, ...] = ("viewer", "operator", "admin")
SHORTEST = 10
LONGEST = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# 46 MiB and a twentieth of a second each: the first choice of the OWASP password cheat sheet.
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
#: Verified against when there is no such name, so that both take as long.
_NOBODY = _HASHER.hash("nobody has this password")


class Account(BaseModel):
    """One person who may sign in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: RoleName
    password_hash: Annotated[str, Field(max_length=512)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    accounts: dict[str, Account] = {}


def read_accounts(path: Path) -> Mapping[str, Account]:
    """Read the accounts; none if there is no file.

    Raises
    ------
    AccountError
        If the file can be read by others, or is none of ours.
    """
    try:
        about = path.stat()
        data = path.read_bytes()
    except FileNotFoundError:
        return MappingProxyType({})
    if about.st_mode & 0o077 or about.st_uid != os.getuid() or path.is_symlink():
        raise AccountError(f"{path} must be a plain file that only you can read: chmod 600")
    try:
        return MappingProxyType(_File.model_validate_json(data).accounts)
    except ValidationError as error:
        raise AccountError(f"{path} is no file of accounts; restore it from a copy") from error


def put_account(path: Path, name: str, role: RoleName, password: str) -> None:
    """Add a person, or give one another role or password.

    Raises
    ------
    AccountError
        If the name or the password will not do.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"{name!r} cannot be a login; take 1 to 64 letters, digits, '.', '_', '@' or '-'"
        )
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"a password has {SHORTEST} to {LONGEST} characters")
    accounts = dict(read_accounts(path))
    accounts[name] = Account(role=role, password_hash=_HASHER.hash(password))
    _write(path, accounts)


def remove_account(path: Path, name: str) -> None:
    """Take the right to sign in from a person; who is signed in is so no more.

    Raises
    ------
    AccountError
        If there is no such account.
    """
    accounts = dict(read_accounts(path))
    if accounts.pop(name, None) is None:
        raise AccountError(f"there is no account {name!r} in {path}")
    _write(path, accounts)


def find_account(accounts: Mapping[str, Account], name: str, password: str) -> Account | None:
    """Give the account that a name and a password open; None if they do not."""
    account = accounts.get(name)
    stored = _NOBODY if account is None else account.password_hash
    try:
        _HASHER.verify(stored, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return None
    return account


def _write(path: Path, accounts: Mapping[str, Account]) -> None:
    make_directory(path.parent)
    text = json.dumps(_File(accounts=dict(accounts)).model_dump(), indent=1, sort_keys=True)
    write_atomic(path, f"{text}\n".encode(), mode=0o600)
