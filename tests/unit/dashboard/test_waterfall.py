"""Where the time of a scan went, and what is left on the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lithoscope_dashboard.machine import look
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.trees import tree_of
from lithoscope_dashboard.waterfall import waterfall

MakeState = Callable[..., ExperimentState]
S = 10**9


def hops(start_s: float, end_s: float) -> dict[str, Any]:
    return {
        "received_ns": int(start_s * S),
        "started_ns": int(start_s * S),
        "finished_ns": int(end_s * S),
        "duration_s": end_s - start_s,
    }


def test_bars_lie_where_the_work_was_done_after_the_last_frame(make_state: MakeState) -> None:
    account = {"sets": [], "missing": 0, "completeness": 1.0}
    state = make_state(
        ("ScanCompleted", {"scan": 3, "account": account, "time_ns": 100 * S}),
        ("VolumeReady", {"scan": 3, "hops": hops(95, 105)}),
        ("LabelsReady", {"scan": 3, "hops": hops(105, 110)}),
        ("ScanDecided", {"scan": 3, "time_ns": 115 * S, "hops": hops(114, 115)}),
    )

    _, row, _ = (tree_of(each) for each in waterfall(state))

    # From 5 s before the last frame to 15 s after it: 20 s are the whole line.
    bars = {
        bar["a"]["title"].partition(":")[0]: (
            bar["a"]["style"]["left"],
            bar["a"]["style"]["width"],
        )
        for bar in row["c"][1]["c"]
        if "title" in bar["a"]
    }
    assert bars == {
        "reconstruct": ("0.00%", "50.00%"),
        "segment": ("50.00%", "25.00%"),
        "decide": ("95.00%", "5.00%"),
    }
    assert row["c"][2]["c"] == ["15.0 s"]


def test_the_disk_that_is_looked_at_is_that_of_the_store(tmp_path: Path) -> None:
    machine = look(tmp_path)

    assert 0 < machine.disk_free <= machine.disk_total
    assert 0 < machine.memory_free <= machine.memory_total
