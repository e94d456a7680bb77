"""A tab with the live page, for Locust: it is told by the line, and asks for planes of new scans.

``locust -f benchmarks/page_viewers.py --headless --users 20 --host http://127.0.0.1:8050``
"""

import json
import time
from itertools import count
from typing import Any

from locust import FastHttpUser, events, task
from websockets.sync.client import ClientConnection, connect  # Locust patches sockets before

PLANES = "zyx"
#: A line that says nothing for so long is dead.
SILENT_S = 10.0
_NUMBERS = count()


class Viewer(FastHttpUser):
    """A person who has the page open.

    As in a browser: the page and its structure once, then an answer to each question of the
    server, and six pictures when a scan has come.
    """

    connection_timeout = network_timeout = 30.0

    def on_start(self) -> None:
        """Open the page and the line."""
        self.client.get("/", name="page")
        self.client.get("/_dash-layout", name="page")
        wired = self.client.get("/_dash-dependencies", name="page").json()
        output = next(each["output"] for each in wired if each.get("websocket"))
        self._name = f"viewer-{next(_NUMBERS)}"
        self._seen = ""
        self._line: ClientConnection = connect(
            self.host.replace("http", "ws", 1).rstrip("/") + "/_dash-ws-callback",
            origin=self.host.rstrip("/"),
            max_size=None,
        )
        empty: dict[str, list[Any]] = {"outputs": [], "inputs": [], "state": []}
        self._say("callback_request", "1", {"output": output, **empty, "changedPropIds": []})

    def on_stop(self) -> None:
        """Close the line."""
        self._line.close()

    @task
    def listen(self) -> None:
        """Take one message of the line, and do what a page does with it."""
        began_s = time.perf_counter()
        said = json.loads(self._line.recv(timeout=SILENT_S))
        for each in said if isinstance(said, list) else [said]:
            if each["type"] == "get_props_request":
                self._say("get_props_response", each["requestId"], {"href": f"{self.host}/"})
            elif each["type"] == "set_props":
                self._draw(each["payload"]["props"]["data"], began_s)

    def _draw(self, news: dict[str, Any], began_s: float) -> None:
        events.request.fire(
            request_type="line",
            name="news",
            response_time=1000 * (time.perf_counter() - began_s),
            response_length=len(str(news)),
            exception=None,
            context={},
        )
        part = news["parts"].get("live-source")
        if part is None:
            return
        source = json.loads(part["a"]["data-source"])
        scan = next((s for s in source["scans"] if s["scan"] == source["newest"]), None)
        if scan is None or not scan["token"] or scan["token"] == self._seen:
            return
        self._seen = scan["token"]
        place = f"/api/v1/slice/{source['experiment']}/{scan['scan']}"
        for axis, length in zip(PLANES, scan["shape"], strict=True):
            plane, query = f"{place}/{axis}/{length // 2}", f"px=512&v={self._seen}"
            self.client.get(f"{plane}.webp?{query}", name="plane")
            if scan["labels"]:
                self.client.get(f"{plane}.png?layer=labels&{query}", name="labels")

    def _say(self, kind: str, request: str, payload: dict[str, Any]) -> None:
        envelope = {"type": kind, "rendererId": self._name, "requestId": request}
        self._line.send(json.dumps({**envelope, "payload": payload}))
