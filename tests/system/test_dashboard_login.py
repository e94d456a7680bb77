"""Who may do what, where the page is reached from other machines: told by the server itself."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from dashboard_instance import DEADLINE_S, NAME, Instance, fetch, running_instance
from playwright.sync_api import Page, expect
from waiting import until

from lithoscope_messages import ApprovalRequested, DisarmRequested
from lithoscope_store.accounts import put_account

pytestmark = pytest.mark.system
PASSWORD = "correct horse"
WISH = {"experiment": NAME, "nonce": "0" * 32}
APPROVE = {**WISH, "ask": "approve", "proposal": "gap:0"}
PAINT = {
    **{**WISH, "ask": "paint", "scan": 0, "token": "0" * 16, "axis": "z", "index": 0, "round": 1},
    "runs": [[0, 1, 3]],
}
ARM = {**WISH, "ask": "arm", "reason": "night", "duration_s": 60}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance that is also reached by a name, so that people must sign in."""
    with running_instance(tmp_path_factory.mktemp("login") / "store", "--name", "lab") as made:
        for role in ("viewer", "operator", "admin"):
            put_account(made.store.accounts, f"the-{role}", role, PASSWORD)
        made.start(sample="cell")
        made.propose(0)
        viewer = Person(made.url, "the-viewer")
        shown = f"{made.url}api/v1/view?at=/decisions"
        until(
            lambda: b"proposal-0" in fetch(shown, Cookie=viewer.cookie)[2],
            timeout_s=DEADLINE_S,
            what="the proposal there",
        )
        yield made


class Person:
    """A browser that has signed in, without the browser."""

    def __init__(self, url: str, name: str, password: str = PASSWORD) -> None:
        self.url = url
        body = urlencode({"name": name, "password": password}).encode()
        self.status, headers, self.page = post(url, "login", body, {})
        self.cookie = (headers["Set-Cookie"] or "").partition(";")[0]
        self.cookie_header = headers["Set-Cookie"] or ""
        self.csrf = ""
        if self.cookie:
            about = fetch(f"{url}api/v1/session", Cookie=self.cookie)[2]
            self.csrf = json.loads(about)["csrf"]

    def ask(self, wish: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        own = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, **headers}
        status, _, data = post(self.url, "api/v1/requests", json.dumps(wish).encode(), own)
        return status, json.loads(data) if data.startswith(b"{") else {}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def sent_to(url: str, after: str) -> str:
    """Where who has signed in is sent, for what the form asks for."""
    fields = {"name": "the-viewer", "password": PASSWORD, "next": after}
    return str(post(url, "login", urlencode(fields).encode(), {})[1]["Location"])


def post(url: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, bytes]:
    origin = {"Origin": url.rstrip("/"), **headers}
    request = urllib.request.Request(url + path, data=body, headers=origin)
    try:
        with urllib.request.build_opener(NoRedirects).open(request) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_nothing_is_shown_to_who_has_not_signed_in(instance: Instance) -> None:
    status, _, page = fetch(instance.url, Accept="text/html")

    assert status == 200
    assert b"Sign in" in page
    for path in ("api/v1/view?at=/", "api/v1/health", "api/v1/session", "_dash-layout"):
        assert fetch(f"{instance.url}{path}")[0] == 401, path


def test_a_viewer_may_look_and_disarm_and_nothing_else(instance: Instance) -> None:
    viewer = Person(instance.url, "the-viewer")

    approved, armed = viewer.ask(APPROVE), viewer.ask(ARM)
    painted = viewer.ask(PAINT)
    # Also from the page of a stored experiment.
    disarmed = viewer.ask({**WISH, "ask": "disarm", "experiment": "another"})

    assert approved == (
        403,
        {"error": "a viewer may not approve; it needs operator", "code": "role"},
    )
    assert armed[0] == 403
    assert painted == (
        403,
        {"error": "a viewer may not paint; it needs operator", "code": "role"},
    )
    assert disarmed[0] == 200
    asked = [m for m in instance.messages() if isinstance(m, DisarmRequested)]
    assert [each.person for each in asked] == ["the-viewer"]


def test_an_operator_approves_under_the_login_and_may_not_arm(instance: Instance) -> None:
    operator = Person(instance.url, "the-operator")

    armed = operator.ask(ARM)
    approved = operator.ask({**APPROVE, "name": "somebody else"})

    assert armed[0] == 403
    assert approved[0] == 200
    asked = [m for m in instance.messages() if isinstance(m, ApprovalRequested)]
    assert [each.person for each in asked] == ["the-operator"]


def test_a_cookie_is_kept_from_scripts_and_other_sites(instance: Instance) -> None:
    header = Person(instance.url, "the-viewer").cookie_header

    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        assert part in header


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ],
    ids=str,
)
def test_a_wish_that_another_page_sends_is_refused(
    instance: Instance, headers: dict[str, str]
) -> None:
    admin = Person(instance.url, "the-admin")

    assert admin.ask({**WISH, "ask": "disarm"}, **headers)[0] == 403


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({**WISH, "ask": "shell"}, 422),
        ({**WISH, "ask": "disarm", "person": "ada"}, 422),
        ({**WISH, "ask": "disarm", "nonce": "x"}, 422),
        ({**WISH, "ask": "disarm", "experiment": "../etc"}, 422),
        ({**ARM, "experiment": "another"}, 409),
        ({**WISH, "ask": "acknowledge", "alarm": "none"}, 409),
        ({**WISH, "ask": "replay", "action": "pause"}, 409),
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_cannot_be_asked_is_refused_with_why(
    instance: Instance, wish: dict[str, Any], status: int
) -> None:
    found, answer = Person(instance.url, "the-admin").ask(wish)

    assert found == status
    assert answer["error"]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/metrics?experiment=old&scan=3", "/metrics?experiment=old&scan=3"),
        ("/maps?map=remaining_gap_um", "/maps?map=remaining_gap_um"),
        ("//evil.example/metrics", "/metrics"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/metrics\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/api/v1/session", "/"),
        ("/logout", "/"),
        ("/" + "a" * 9000, "/"),
    ],
)
def test_who_signs_in_goes_on_to_a_page_of_ours_alone(
    instance: Instance, asked: str, sent: str
) -> None:
    assert sent_to(instance.url, asked) == sent


def test_wrong_passwords_make_a_name_wait(instance: Instance) -> None:
    wrong = [Person(instance.url, "nobody", "wrong").status for _ in range(6)]

    assert wrong == [401] * 5 + [429]
    assert Person(instance.url, "the-viewer").status == 303


@pytest.mark.browser
def test_a_person_signs_in_sees_what_the_role_may_and_signs_out(
    instance: Instance, page: Page
) -> None:
    # Browsers send a cookie that is marked as secure to this name without TLS, and to no other.
    url = instance.url.replace("127.0.0.1", "localhost")
    page.goto(f"{url}metrics?experiment={NAME}")
    page.get_by_label("Login").fill("the-viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.locator("#who")).to_have_text("the-viewer (viewer)")
    assert page.url == f"{url}metrics?experiment={NAME}"
    page.keyboard.press("5")
    expect(page.locator("#proposal-0")).to_be_visible()
    expect(page.locator("#approve-0")).to_be_hidden()
    expect(page.locator("#arm")).to_be_hidden()
    page.locator("#disarm").click()
    expect(page.locator("#answer-note")).to_contain_text("it is in the journal")

    page.locator("#sign-out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
