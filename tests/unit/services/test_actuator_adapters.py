"""What adapters send, refuse, and make of answers; over real sockets where there are any."""

import hashlib
import hmac
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zmq
from queue_model import Faults, QueueModel

from lithoscope_services.actuators.choose import choose_actuator
from lithoscope_services.actuators.dry_run import DryRunActuator
from lithoscope_services.actuators.errors import KeysFileError, NotAllowedError
from lithoscope_services.actuators.keys import read_keys
from lithoscope_services.actuators.protocol import Command
from lithoscope_services.actuators.queue_server import QueueServerActuator, QueueSilentError
from lithoscope_services.actuators.webhook import WebhookActuator
from lithoscope_services.settings import (
    ActuatorPlanSettings,
    ActuatorSettings,
    Settings,
    SettingsError,
    parse_settings,
    render_settings,
)

SECRET = "of at least sixteen letters"
QUEUE = ActuatorSettings(
    kind="queueserver", address="tcp://127.0.0.1:60615", cycler_function="lithoscope_cycler"
)
FINER = ActuatorPlanSettings(
    action="finer_scan",
    plan="lithoscope_finer_scan",
    bounds=(("projections_factor", 1.25, 4.0),),
)


def command(action: Any = "hold", **parameters: float) -> Command:
    return Command(
        correlation_id="c" * 32,
        experiment="cell",
        scan=3,
        proposal="p",
        rule="remaining_gap",
        action=action,
        parameters=parameters,
        reason="small",
        sent_ns=time.time_ns(),
    )


def queue(model: QueueModel | None = None, **more: Any) -> QueueServerActuator:
    return QueueServerActuator(
        model or QueueModel(random.Random(1), Faults()), QUEUE, (FINER,), **more
    )


def test_a_plan_carries_the_correlation_id_in_its_metadata() -> None:
    described = queue().describe(command("finer_scan", projections_factor=2.0))

    assert described["method"] == "queue_item_add"
    assert described["item"]["meta"]["lithoscope_correlation_id"] == "c" * 32
    assert described["item"]["kwargs"] == {"projections_factor": 2.0}


@pytest.mark.parametrize(
    ("action", "parameters", "says"),
    [
        ("finer_scan", {"projections_factor": 4.5}, "outside 1.25..4"),
        ("finer_scan", {"exposure_s": 1.0}, "no parameter"),
        ("finer_scan", {"projections_factor": float("nan")}, "outside"),
        ("repeat_flats", {}, "actuator_plans"),
        ("scan_more", {}, "actuator_plans"),
        ("hold", {"seconds": 1.0}, "no parameter"),
        ("lower_current", {"current_share": 1.0}, "below 1"),
        ("lower_current", {"current_share": -0.5}, "below 1"),
        ("lower_current", {}, "below 1"),
        ("lower_current", {"current_mA": 0.1}, "no parameter"),
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_is_sent(
    action: str, parameters: dict[str, float], says: str
) -> None:
    model = QueueModel(random.Random(1), Faults())

    with pytest.raises(NotAllowedError, match=says):
        queue(model).send(command(action, **parameters))

    assert model.requests.total() == 0


def test_without_a_function_the_cycler_cannot_be_held() -> None:
    settings = QUEUE.model_copy(update={"cycler_function": None})

    with pytest.raises(NotAllowedError, match="cycler_function"):
        QueueServerActuator(QueueModel(random.Random(1), Faults()), settings).describe(command())


def test_the_lock_key_is_sent_along_and_never_described() -> None:
    heard: list[dict[str, Any]] = []

    class Hearing(QueueModel):
        def ask(self, method: str, parameters: Any) -> Any:
            heard.append(dict(parameters))
            return {"success": True, "item": {}}

    actuator = queue(Hearing(random.Random(1), Faults()), lock_key="secret")
    wanted = command("finer_scan", projections_factor=2.0)

    actuator.send(wanted)

    assert heard[0]["lock_key"] == "secret"
    assert "secret" not in json.dumps(actuator.describe(wanted))


class _Late(threading.Thread):
    """A manager that answers its first request when the second has come, and that one thrice.

    The last time when the third has come: just before it answers that.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.port = 0
        self._ready = threading.Event()

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
            router.linger = 0
            self.port = router.bind_to_random_port("tcp://127.0.0.1")
            self._ready.set()
            first = router.recv_multipart()
            second = router.recv_multipart()
            for parts, method in ((first, "first"), (second, "second"), (second, "again")):
                router.send_multipart([*parts[:-1], json.dumps({"method": method}).encode()])
            third = router.recv_multipart()
            for parts, method in ((second, "again"), (third, "third")):
                router.send_multipart([*parts[:-1], json.dumps({"method": method}).encode()])

    def wait(self) -> int:
        assert self._ready.wait(10)
        return self.port


def test_a_late_or_repeated_answer_is_never_taken_for_that_of_another_request() -> None:
    pytest.importorskip("bluesky_queueserver", reason="pip install '.[beamline]'")
    from lithoscope_services.actuators.queue_link import ManagerLink

    manager = _Late()
    manager.start()
    link = ManagerLink(f"tcp://127.0.0.1:{manager.wait()}", timeout_s=0.5, public_key=None)

    with pytest.raises(QueueSilentError):
        link.ask("first", {})
    second = link.ask("second", {})
    third = link.ask("third", {})
    link.close()
    manager.join(10)

    assert (second["method"], third["method"]) == ("second", "third")


Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@contextmanager
def receiver(answer: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Receive posts on this machine; those with a wrong signature are recorded as such."""
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = self.headers["X-Lithoscope-Time"].encode() + b"." + body
            right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            question = json.loads(body)
            question["signed"] = self.headers["X-Lithoscope-Signature"] == right
            heard.append(question)
            status, found = answer(question)
            data = json.dumps(found).encode()
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", found["to"])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/act", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_webhook_is_signed_sent_once_and_looked_for() -> None:
    states = {"check": "ready", "act": "accepted", "look": "done"}

    def answer(question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        state = states[question["kind"]]
        return 200, {"state": state, "correlation_id": question["correlation_id"]}

    with receiver(answer) as (address, heard):
        actuator = WebhookActuator(address, SECRET, timeout_s=2.0)
        vetoed = actuator.preflight(command())
        sent = actuator.send(command())
        seen = actuator.look(command())

    assert (vetoed, sent.state, seen.state) == ("", "accepted", "done")
    assert [(each["kind"], each["signed"]) for each in heard] == [
        ("check", True),
        ("act", True),
        ("look", True),
    ]


def test_a_webhook_follows_no_redirect() -> None:
    with (
        receiver(lambda _: (200, {})) as (elsewhere, wrong),
        receiver(lambda _: (307, {"to": elsewhere})) as (address, _),
    ):
        sent = WebhookActuator(address, SECRET, timeout_s=2.0).send(command())

    assert sent.state == "unclear"
    assert wrong == []


def test_a_webhook_that_keeps_silent_is_unclear_after_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        actuator = WebhookActuator(address, SECRET, timeout_s=0.2)

        assert actuator.send(command()).state == "unclear"
        assert actuator.look(command()).state == "unreachable"
        assert "does not answer" in actuator.preflight(command())


def test_an_answer_of_a_webhook_to_another_action_is_none() -> None:
    def answer(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"state": "done", "correlation_id": "of another"}

    with receiver(answer) as (address, _):
        actuator = WebhookActuator(address, SECRET, timeout_s=2.0)

        assert actuator.look(command()).state == "unreachable"


def test_a_dry_run_says_what_it_would_have_sent() -> None:
    actuator = DryRunActuator(queue())

    seen = actuator.look(command())

    assert "nothing left this machine" in seen.text
    assert "function_execute" in seen.text


def test_keys_are_read_from_a_file_of_mine_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('lock_key = "of the operators"\n')
    path.chmod(0o600)

    assert read_keys(path).lock_key == "of the operators"
    assert "operators" not in repr(read_keys(path))

    path.chmod(0o640)
    with pytest.raises(KeysFileError, match="chmod 600"):
        read_keys(path)


def test_a_link_to_a_file_with_keys_is_refused(tmp_path: Path) -> None:
    path, link = tmp_path / "keys.toml", tmp_path / "link.toml"
    path.write_text("")
    path.chmod(0o600)
    os.symlink(path, link)

    with pytest.raises(KeysFileError, match="plain file"):
        read_keys(link)


def test_an_unknown_key_is_named_and_no_value_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('lok_key = "do not tell"\n')
    path.chmod(0o600)

    with pytest.raises(KeysFileError, match="lok_key") as raised:
        read_keys(path)

    assert "do not tell" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('kind = "queueserver"', "address is missing"),
        ('kind = "queueserver"\naddress = "tcp://beamline:60615"', "keys_file is missing"),
        ('kind = "queueserver"\naddress = "tcp://127.0.0.1"', "no tcp://HOST:PORT"),
        ('kind = "webhook"\naddress = "http://evil.example/"\nkeys_file = "k"', "use https"),
        ('kind = "webhook"\naddress = "http://x:y@127.0.0.1/"\nkeys_file = "k"', "password"),
        ('kind = "webhook"\naddress = "tcp://127.0.0.1:1"\nkeys_file = "k"', "begins with http"),
        ('kind = "queueserver"\naddress = "https://x/"\nkeys_file = "k"', "begins with tcp"),
    ],
)
def test_settings_that_cannot_be_safe_are_refused(lines: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_settings(f"[actuators]\n{lines}\n", where="test")


def test_settings_with_plans_are_written_and_read_back() -> None:
    text = """
[actuators]
kind = "queueserver"
address = "tcp://127.0.0.1:60615"

[[actuator_plans]]
action = "finer_scan"
bounds = [["projections_factor", 1.25, 4]]
"""
    settings = parse_settings(text, where="test")

    again = parse_settings(render_settings(settings), where="test")

    assert again == settings
    assert again.actuator_plans[0].bounds == (("projections_factor", 1.25, 4.0),)


def test_by_default_nothing_is_sent() -> None:
    actuator = choose_actuator(Settings())

    assert actuator.name == "dry_run"
