"""Who asks: a signed cookie, the account behind it, and a token that other sites cannot know."""

import hashlib
import hmac
import os
import pwd
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from lithoscope_store.accounts import ROLES, Account, RoleName, find_account, read_accounts
from lithoscope_store.durable import make_directory, write_atomic

#: A shift; screens that only show (viewers) may stay for a month.
SESSION_S = 12 * 3600
VIEWER_SESSION_S = 31 * 24 * 3600
#: So many wrong passwords in so long, for one name and from one address.
WINDOW_S = 300.0
TRIES_BY_NAME = 5
TRIES_BY_ADDRESS = 20
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A person at a browser; ``token`` must come with whatever is asked for."""

    person: str
    role: RoleName
    token: str
    has_login: bool

    def may(self, needs: RoleName) -> bool:
        """Whether the role is enough."""
        return ROLES.index(self.role) >= ROLES.index(needs)


class Sessions:
    """Signs cookies and reads them again.

    Parameters
    ----------
    secret
        What they are signed with.
    accounts_path
        File of the accounts; None where no login is needed, for only this machine can ask.
    port
        Of the page: browsers send one host's cookies to all its ports.
    is_secure
        Whether the page is reached over TLS: then the cookie is sent over nothing else.
    """

    def __init__(
        self, secret: bytes, accounts_path: Path | None, *, port: int = 0, is_secure: bool = False
    ) -> None:
        self.cookie = f"lithoscope_session_{port}"
        self._is_secure = is_secure
        self._secret = secret
        self._path = accounts_path
        self._serializer = URLSafeTimedSerializer(secret, salt="lithoscope-session")
        self._account = _account_name()

    @property
    def has_login(self) -> bool:
        """Whether people must sign in."""
        return self._path is not None

    def begin(self, person: str) -> str:
        """Make a cookie for a person; empty for whoever has the machine."""
        return str(self._serializer.dumps({"p": person, "s": secrets.token_hex(16)}))

    def header(self, value: str) -> str:
        """Write the header that gives a browser its cookie; an empty value takes it away."""
        age_s = VIEWER_SESSION_S if value else 0
        secure = "; Secure" if self._is_secure else ""
        return f"{self.cookie}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"

    def sign_in(self, name: str, password: str) -> str | None:
        """Make a cookie for a name and a password; None if they do not fit.

        Raises
        ------
        AccountError
            If the file of accounts will not do.
        """
        if self._path is None:
            return None
        account = find_account(read_accounts(self._path), name, password)
        return None if account is None else self.begin(name)

    def read(self, cookie_header: str) -> Session | None:
        """Give the session that a Cookie header carries; None if there is no good one.

        Raises
        ------
        AccountError
            If the file of accounts will not do.
        """
        value = cookie_value(cookie_header, self.cookie)
        if value is None:
            return None
        try:
            data, signed = self._serializer.loads(
                value, max_age=VIEWER_SESSION_S, return_timestamp=True
            )
            person, number = str(data["p"]), str(data["s"])
        except (BadData, KeyError, TypeError):
            return None
        role: RoleName = "admin"
        if self._path is not None:
            # Read anew each time: who is taken out is out at once.
            account = _accounts(self._path).get(person)
            if account is None:
                return None
            role = account.role
            if role != "viewer" and time.time() - signed.timestamp() > SESSION_S:
                return None
        elif person:
            return None  # signed while there was a login
        return Session(
            person=person or self._account,
            role=role,
            token=self._token(number),
            has_login=self.has_login,
        )

    def _token(self, number: str) -> str:
        return hmac.new(self._secret, f"csrf {number}".encode(), hashlib.sha256).hexdigest()


class Throttle:
    """Counts wrong passwords, so that nobody can try many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, name: str, address: str) -> float:
        """How long to wait before the next try; 0 if it may be now."""
        now_s = self._clock()
        with self._lock:
            waits = [
                self._wait(f"name {name}", TRIES_BY_NAME, now_s),
                self._wait(f"address {address}", TRIES_BY_ADDRESS, now_s),
            ]
        return max(waits)

    def count(self, name: str, address: str) -> None:
        """Remember a wrong password."""
        with self._lock:
            for key in (f"name {name}", f"address {address}"):
                self._wrong.setdefault(key, deque(maxlen=TRIES_BY_ADDRESS)).append(self._clock())
                self._wrong.move_to_end(key)
            while len(self._wrong) > _REMEMBERED:
                self._wrong.popitem(last=False)

    def _wait(self, key: str, tries: int, now_s: float) -> float:
        wrong = self._wrong.get(key)
        if wrong is None or len(wrong) < tries:
            return 0.0
        return max(0.0, wrong[-tries] + WINDOW_S - now_s)


def page_secret(path: Path) -> bytes:
    """Read what cookies are signed with, or make it: so sessions outlive a restart."""
    try:
        secret = path.read_bytes()
        if len(secret) >= 32 and not path.stat().st_mode & 0o077:
            return secret
    except FileNotFoundError:
        pass  # the first start on this store
    secret = secrets.token_bytes(32)
    make_directory(path.parent)
    write_atomic(path, secret, mode=0o600)
    return secret


def cookie_value(header: str, name: str) -> str | None:
    """Find a cookie in a Cookie header."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


_KNOWN: dict[Path, tuple[tuple[int, int], Mapping[str, Account]]] = {}


def _accounts(path: Path) -> Mapping[str, Account]:
    """Read the accounts if their file has changed."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return {}
    stamp = (about.st_mtime_ns, about.st_ino)
    known = _KNOWN.get(path)
    if known is None or known[0] != stamp:
        known = _KNOWN[path] = (stamp, read_accounts(path))
    return known[1]


def _account_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
