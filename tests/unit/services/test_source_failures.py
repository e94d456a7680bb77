"""A source that keeps failing in one way is given up; one that fails now and then is not."""

import json
import time
from pathlib import Path

from lithoscope_services import process


def test_the_third_equal_failure_in_a_row_is_final(tmp_path: Path) -> None:
    verdicts = [process._keeps_failing(tmp_path, "the same") for _ in range(3)]
    assert verdicts == [False, False, True]


def test_failures_that_differ_are_no_row(tmp_path: Path) -> None:
    texts = ["one", "one", "other", "one", "one"]
    assert not any(process._keeps_failing(tmp_path, text) for text in texts)


def test_failures_far_apart_are_no_row(tmp_path: Path) -> None:
    long_ago = [time.time() - 10 * process.FAILURE_WINDOW_S] * 5
    (tmp_path / process.SOURCE_FAILURES).write_text(
        json.dumps({"text": "the same", "times_s": long_ago})
    )
    assert not process._keeps_failing(tmp_path, "the same")
