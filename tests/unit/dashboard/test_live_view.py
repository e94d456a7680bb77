"""What the viewer and the timeline are told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.live_view import live_source, preview_pictures
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.pages import live, maps, metrics, three_d
from lithoscope_dashboard.trees import drawn, is_drawn
from lithoscope_dashboard.view import View
from lithoscope_messages import GreySlice, ReconstructionPreview

MakeState = Callable[..., ExperimentState]
_SMALL = GreySlice.of(bytes(4), (2, 2))


def test_the_viewer_stays_on_labels_while_the_next_scan_has_none(make_state: MakeState) -> None:
    state = make_state(("LabelsReady", {"scan": 0}), ("VolumeReady", {"scan": 1}))

    source = live_source(state)

    assert source["newest"] == 0
    assert [scan["labels"] for scan in source["scans"]] == [True, False]


@pytest.mark.parametrize(
    ("fact", "state", "words"),
    [
        (("FramesStored", {"scan": 0, "count": 1}), "running", "being taken"),
        (
            (
                "ScanCompleted",
                {"scan": 0, "account": {"sets": [], "missing": 7, "completeness": 1}},
            ),
            "incomplete",
            "7 frames missing",
        ),
        (("ScanCompleted", {"scan": 0}), "waiting", "being worked on"),
        (
            ("StageFailed", {"scan": 0, "stage": "segment", "error": "x"}),
            "failed",
            "segment failed",
        ),
        (("MetricsReady", {"scan": 0, "metrics": {}}), "running", "being taken"),
    ],
)
def test_the_timeline_marks_how_a_scan_went(
    fact: tuple[str, dict[str, Any]], state: str, words: str, make_state: MakeState
) -> None:
    found = live_source(make_state(("ScanStarted", {"scan": 0}), fact))["scans"][0]

    assert found["state"] == state
    assert words in found["note"]


def _preview(scan: int) -> ReconstructionPreview:
    return ReconstructionPreview(
        experiment="first",
        scan=scan,
        time_ns=5,
        views_used=30,
        views_expected=90,
        binning=4,
        voxel_um=8.0,
        axis_px=40.0,
        axis_source="given",
        low_per_cm=0.0,
        high_per_cm=1.0,
        z_slice=_SMALL,
        y_slice=_SMALL,
        x_slice=_SMALL,
    )


def test_a_preview_is_shown_until_its_volume_is_there(make_state: MakeState) -> None:
    running = Snapshot(experiment=make_state(("ScanStarted", {"scan": 1})), preview=_preview(1))
    volume = make_state(("ScanStarted", {"scan": 1}), ("VolumeReady", {"scan": 1}))

    pictures, words = drawn({"children": preview_pictures(running)})["c"]

    addresses = [each["a"]["src"] for each in pictures["c"]]
    assert addresses == [f"/api/v1/preview/first/1/{axis}.png?t=5" for axis in "zyx"]
    assert "30 of 90 views" in words["c"][0]
    assert preview_pictures(replace(running, experiment=volume)) == []
    assert preview_pictures(replace(running, preview=_preview(0))) == []


@pytest.mark.parametrize("page", [live, metrics, maps, three_d])
def test_every_part_of_a_page_can_be_sent_with_and_without_an_experiment(
    page: Any, make_state: MakeState
) -> None:
    measured = make_state(
        ("LabelsReady", {"scan": 0}), ("MetricsReady", {"scan": 0, "metrics": {}})
    )

    for state in (None, measured):
        parts = page.sections(Snapshot(experiment=state), View(page="/"), 0.0)
        for props in parts.values():
            assert not is_drawn(props) or drawn(props)
