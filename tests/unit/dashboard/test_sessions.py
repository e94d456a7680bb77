"""Who is known by a cookie, and who no longer."""

from pathlib import Path

import pytest

from lithoscope_dashboard.sessions import (
    TRIES_BY_NAME,
    WINDOW_S,
    Sessions,
    Throttle,
    page_secret,
)
from lithoscope_store.accounts import put_account, read_accounts, remove_account
from lithoscope_store.errors import AccountError

PASSWORD = "correct horse"
SECRET = b"s" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "accounts.json"
    put_account(made, "ada", "operator", PASSWORD)
    return made


def cookie_of(sessions: Sessions, value: str) -> str:
    return f"other=1; {sessions.cookie}={value}"


def test_a_right_password_opens_a_session_with_the_role_of_the_account(path: Path) -> None:
    sessions = Sessions(SECRET, path)

    value = sessions.sign_in("ada", PASSWORD)

    assert value is not None
    session = sessions.read(cookie_of(sessions, value))
    assert session is not None
    assert (session.person, session.role, session.has_login) == ("ada", "operator", True)
    assert (session.may("operator"), session.may("admin")) == (True, False)


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong horse"), ("bob", PASSWORD)])
def test_a_wrong_name_or_password_opens_none(path: Path, name: str, password: str) -> None:
    assert Sessions(SECRET, path).sign_in(name, password) is None


def test_who_is_taken_out_is_out_at_once(path: Path) -> None:
    sessions = Sessions(SECRET, path)
    value = sessions.sign_in("ada", PASSWORD)
    assert value is not None

    remove_account(path, "ada")

    assert sessions.read(cookie_of(sessions, value)) is None


def test_a_cookie_signed_with_another_secret_opens_nothing(path: Path) -> None:
    forged = Sessions(b"x" * 32, path).begin("ada")

    sessions = Sessions(SECRET, path)

    assert sessions.read(cookie_of(sessions, forged)) is None
    assert sessions.read(cookie_of(sessions, "nonsense")) is None


def test_a_cookie_from_before_there_was_a_login_opens_nothing(path: Path) -> None:
    free, strict = Sessions(SECRET, None), Sessions(SECRET, path)
    value = free.begin("")

    assert free.read(cookie_of(free, value)) is not None
    assert strict.read(cookie_of(strict, value)) is None


def test_each_session_has_a_token_of_its_own(path: Path) -> None:
    sessions = Sessions(SECRET, path)
    found = [sessions.read(cookie_of(sessions, sessions.begin("ada"))) for _ in range(2)]

    assert len({session.token for session in found if session is not None}) == 2


def test_five_wrong_passwords_make_a_name_wait_and_no_other() -> None:
    now_s = [0.0]
    throttle = Throttle(clock=lambda: now_s[0])

    for _ in range(TRIES_BY_NAME):
        assert throttle.wait_s("ada", "10.0.0.1") == 0.0
        throttle.count("ada", "10.0.0.1")

    assert throttle.wait_s("ada", "10.0.0.2") == WINDOW_S
    assert throttle.wait_s("bob", "10.0.0.1") == 0.0
    now_s[0] = WINDOW_S
    assert throttle.wait_s("ada", "10.0.0.1") == 0.0


def test_a_secret_outlives_a_restart_and_is_not_for_others(tmp_path: Path) -> None:
    path = tmp_path / ".lithoscope" / "page.secret"

    first, second = page_secret(path), page_secret(path)

    assert first == second
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_of_accounts_that_others_can_read_is_refused(path: Path) -> None:
    path.chmod(0o644)

    with pytest.raises(AccountError, match="chmod 600"):
        read_accounts(path)


@pytest.mark.parametrize(("name", "password"), [("a/b", PASSWORD), ("bob", "short")])
def test_a_bad_login_or_a_short_password_is_refused(path: Path, name: str, password: str) -> None:
    with pytest.raises(AccountError):
        put_account(path, name, "viewer", password)


def test_no_password_stands_in_the_file(path: Path) -> None:
    text = path.read_text()

    assert PASSWORD not in text
    assert "$argon2id$" in text
