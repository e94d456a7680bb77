"""The Set-up page in a real Chromium: a stream is heard, a file is written, an error is said."""

import json
import threading
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from dashboard_instance import Instance, running_instance
from foreign import gigafrost, scan_of
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.system, pytest.mark.browser]
#: A command starts anew for each of them, on a machine that has other work.
PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running_instance(tmp_path_factory.mktemp("setup") / "store") as made:
        made.start(n_scans=2, source="simulated")
        yield made


def test_an_experiment_is_set_up_from_its_stream(
    instance: Instance, page: Page, tmp_path: Path
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context.socket(zmq.PUSH) as sender:
        sender.setsockopt(zmq.LINGER, 0)
        sender.setsockopt(zmq.SNDTIMEO, PATIENCE_MS)
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        page.goto(f"{instance.url}setup")
        expect(page.locator("#setup-fields[data-ready=yes]")).to_be_visible(timeout=PATIENCE_MS)

        page.fill("#setup-from", f"tcp://127.0.0.1:{port}")
        sending = threading.Thread(
            target=lambda: [sender.send_multipart(gigafrost(each)) for each in scan_of(0)]
        )
        sending.start()
        page.click("#setup-listen")
        expect(page.locator("#setup-heard")).to_contain_text("GigaFRoST", timeout=PATIENCE_MS)
        sending.join()
        page.fill("#setup-name", "from-page")
        page.click("#setup-write")
        answer = page.locator("#setup-answer")
        # Nothing in the stream says how large a pixel is.
        expect(answer).to_contain_text("scan.voxel_size_um is missing", timeout=PATIENCE_MS)
        page.fill("#setup-voxel-um", "1.33")
        page.click("#setup-write")
        expect(answer).to_contain_text("lithoscope up --config", timeout=PATIENCE_MS)
        page.screenshot(path=str(tmp_path / "setup.png"), full_page=True)
    context.term()

    folder = instance.store.root / ".lithoscope" / "setups"
    written = tomllib.loads((folder / "from-page.toml").read_text())
    assert written["scan"]["voxel_size_um"] == 1.33
    assert written["source"]["n_projections"] == 40
    assert written["source"]["address"] == f"tcp://127.0.0.1:{port}"


def test_nobody_writes_without_the_token_of_a_page(instance: Instance) -> None:
    body = json.dumps({"name": "evil", "answers": {}}).encode()
    request = urllib.request.Request(
        f"{instance.url}api/v1/setup", body, {"Content-Type": "application/json"}
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)

    assert refused.value.code == 403
    refused.value.close()
    assert not (instance.store.root / ".lithoscope" / "setups" / "evil.toml").exists()
