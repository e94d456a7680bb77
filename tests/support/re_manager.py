"""A real RE Manager with the startup code of deploy/, and a proxy that counts what goes to it."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from bluesky_queueserver import CommTimeoutError, ZMQCommSendThreads
from fakeredis import TcpFakeServer
from waiting import until

STARTUP = Path(__file__).parents[2] / "deploy" / "queueserver" / "startup"
#: Questions that change nothing.
READ_ONLY = frozenset(
    {"ping", "status", "queue_get", "history_get", "task_result", "task_status", "lock_info"}
)
PATIENCE_S = 10.0
#: What an operator does at the beamline, and a test must do between two cases.
OPERATOR = """
import asyncio
from bluesky.run_engine import call_in_bluesky_event_loop

def operator_release(person):
    call_in_bluesky_event_loop(cycler.release(person), timeout=5)

def operator_current(current_mA):
    call_in_bluesky_event_loop(operator_set(current_mA), timeout=5)

async def operator_set(current_mA):
    await cycler.set(current_mA)

def operator_read():
    reading = call_in_bluesky_event_loop(cycler.read(), timeout=5)
    return {name: value["value"] for name, value in reading.items()}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Manager:
    """A running manager, asked as an operator does."""

    address: str
    client: ZMQCommSendThreads

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self.client.send_message(method=method, params=parameters)
        return reply

    def call(self, name: str, **arguments: Any) -> Any:  # what the function returns
        """Run a function until its result is there: a busy manager may lose it."""
        found: list[dict[str, Any]] = []

        def is_over() -> bool:
            found.extend(self._try(name, arguments))
            return bool(found)

        until(is_over, timeout_s=120, what=f"the end of {name}")
        assert found[0]["success"], found[0]["msg"]
        return found[0]["return_value"]

    def _try(self, name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        item = {"item_type": "function", "name": name, "kwargs": arguments}
        user = {"user": "operator", "user_group": "primary"}
        asked = self.ask("function_execute", item=item, **user, run_in_background=True)
        deadline_s = time.monotonic() + PATIENCE_S
        while asked["success"] and time.monotonic() < deadline_s:
            answer = self.ask("task_result", task_uid=asked["task_uid"])
            if answer["status"] == "completed":
                return [answer["result"]]
            time.sleep(0.02)
        return []

    def cycler(self) -> dict[str, Any]:
        reading = self.call("operator_read")
        return {name.removeprefix("cycler-"): value for name, value in reading.items()}

    def reset(self) -> None:
        """Put everything back to where a case begins."""
        self.ask("unlock", lock_key="operators")
        self.ask("queue_clear")
        self.ask("history_clear")
        self.call("operator_release", person="Ada")
        self.call("operator_current", current_mA=0.5)

    def plans(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.ask("queue_get")["items"]
        return items


@contextmanager
def running_manager(folder: Path) -> Iterator[Manager]:
    """Start Redis and a manager on free ports, and open its environment."""
    startup = folder / "startup"
    shutil.copytree(STARTUP, startup, ignore=shutil.ignore_patterns("__pycache__"))
    (startup / "20-operator.py").write_text(OPERATOR)
    redis = TcpFakeServer(("127.0.0.1", free_port()))
    redis.daemon_threads = True
    serving = threading.Thread(target=redis.serve_forever, daemon=True)
    serving.start()
    host, port = redis.server_address[:2]
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [
        *(
            str(Path(sys.executable).parent / "start-re-manager"),
            "--startup-dir",
            str(startup),
            "--keep-re",
        ),
        *("--redis-addr", f"{host!s}:{port}", "--zmq-control-addr", address),
        *("--zmq-info-addr", f"tcp://127.0.0.1:{free_port()}"),
    ]
    with (folder / "manager.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    client = ZMQCommSendThreads(zmq_server_address=address, timeout_recv=30_000)
    manager = Manager(address, client)
    try:
        _open(manager)
        yield manager
    finally:
        client.close()
        client._ctx.destroy(linger=0)
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        redis.shutdown()
        redis.server_close()


def _open(manager: Manager) -> None:
    def answers() -> bool:
        try:
            return bool(manager.ask("status"))
        except CommTimeoutError:
            return False

    until(answers, timeout_s=120, what="the manager")
    opened = manager.ask("environment_open")
    assert opened["success"], opened["msg"]
    until(
        lambda: manager.ask("status")["worker_environment_exists"],
        timeout_s=240,
        what="the environment",
    )


@dataclass(slots=True)
class Proxy:
    """Passes requests on, and keeps a record of each; may swallow the answers of a method."""

    target: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    swallowed: str = ""
    address: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def changing(self) -> list[dict[str, Any]]:
        """Requests that change something."""
        return [each for each in self.requests if each["method"] not in READ_ONLY]

    def __enter__(self) -> "Proxy":
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(10)

    def _serve(self, ready: threading.Event) -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as front:
            port = front.bind_to_random_port("tcp://127.0.0.1")
            front.linger = 0
            self.address = f"tcp://127.0.0.1:{port}"
            with context.socket(zmq.DEALER) as back:
                back.linger = 0
                back.connect(self.target)
                ready.set()
                while not self._stop.is_set():
                    self._pass_on(front, back)

    def _pass_on(self, front: "zmq.Socket[bytes]", back: "zmq.Socket[bytes]") -> None:
        if front.poll(20):
            parts = front.recv_multipart()
            self.requests.append(json.loads(parts[-1]))
            back.send_multipart(parts)
        while back.poll(0):
            parts = back.recv_multipart()
            if not (self.swallowed and self.requests[-1]["method"] == self.swallowed):
                front.send_multipart(parts)
