import io
import json
from collections.abc import Iterator

import pytest
import structlog

from lithoscope_services.logs import configure_logs, log_context, logger


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_an_event_is_one_line_of_json_with_what_is_bound() -> None:
    stream = io.StringIO()
    configure_logs("reconstruct", stream=stream)

    with log_context(experiment="cell-7", scan=3):
        logger().info("slab_reconstructed", duration_ms=12)

    event = json.loads(stream.getvalue())
    assert event["event"] == "slab_reconstructed"
    assert event["service"] == "reconstruct"
    assert event["experiment"] == "cell-7"
    assert event["scan"] == 3
    assert event["duration_ms"] == 12
    assert event["level"] == "info"


def test_what_was_bound_ends_with_its_block() -> None:
    stream = io.StringIO()
    configure_logs("reconstruct", stream=stream)

    with log_context(experiment="cell-7"):
        pass
    logger().info("idle")

    assert "experiment" not in json.loads(stream.getvalue())


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logs("reconstruct", stream=stream, level="warning")

    logger().info("slab_reconstructed")

    assert stream.getvalue() == ""


def test_a_traceback_shows_no_local_variables() -> None:
    stream = io.StringIO()
    configure_logs("reconstruct", stream=stream)
    password = "swordfish"

    try:
        int("no number")
    except ValueError:
        logger().exception("task_failed")

    assert json.loads(stream.getvalue())["exception"][0]["exc_type"] == "ValueError"
    assert password not in stream.getvalue()
