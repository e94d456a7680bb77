"""What the register stage plans: in order, scan by scan, and now and then the first one."""

from collections.abc import Sequence
from typing import Literal

import pytest
from scan_parts import parts

from lithoscope_messages import (
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    FaceFinding,
    JournalMessage,
    RoiVoxels,
    ScanStarted,
    StageFailed,
    TransformReady,
    VolumeReady,
)
from lithoscope_services.history import History
from lithoscope_services.stage import Task
from lithoscope_services.stages.register import RegisterStage

ZEROS = "0" * 64
Verdict = Literal["reference", "resolved", "unregistered"]
ROI = RoiVoxels(z0=1, z1=23, y0=20, y1=160, x0=30, x1=160)
PLANES = (40.0, 54.0, 79.0, 130.0, 154.0, 168.0)


def started(scan: int) -> ScanStarted:
    return ScanStarted(
        **parts("started", scan),
        expected=(),
        frame_shape=(24, 192),
        dtype="uint16",
        voxel_size_um=4.5,
    )


def volume(scan: int) -> VolumeReady:
    return VolumeReady(
        **parts("volume", scan),
        stage="reconstruct",
        work_key=f"{scan:x}" * 64,
        path=f"reconstructions/{scan:04d}-00000000.zarr",
        shape=(24, 192, 192),
        voxel_um=4.5,
        sha256=ZEROS,
    )


def transform(
    scan: int, verdict: Verdict = "resolved", *, is_anchored: bool = False
) -> TransformReady:
    return TransformReady(
        **parts("transform", scan),
        work_key=f"{scan + 8:x}" * 64,
        fixed_scan=0,
        rotation_deg=(0.1 * scan, 0.0, 0.0),
        shift_px=(0.0, 1.0 * scan, 0.0),
        centre_px=(11.5, 95.5, 95.5),
        residual_px=0.1,
        verdict=verdict,
        roi=ROI,
        y_outer_px=54.0,
        planes_px=PLANES,
        maps_path="maps/0000-00000000.zarr",
        faces=(FaceFinding(side="plating", verdict="resolved", mean_px=2.0 * scan),),
        is_anchored=is_anchored or verdict == "reference",
    )


def plan(*messages: JournalMessage, anchor_every: int = 4) -> Sequence[Task]:
    history = History("cell")
    begun = ExperimentStarted(
        experiment="cell",
        key="cell",
        time_ns=1,
        producer="test",
        description=ExperimentDescription(),
        settings={"register": {"anchor_every": anchor_every}},
        format_version=1,
    )
    history.extend(
        Entry(number=number, appended_ns=0, previous_hash=ZEROS, hash=ZEROS, message=message)
        for number, message in enumerate((begun, *messages), start=1)
    )
    return RegisterStage().plan(history)


FIRST = (started(0), volume(0), transform(0, "reference"))


def test_the_first_scan_sets_the_frame() -> None:
    (task,) = plan(started(0), volume(0), started(1), volume(1))

    assert task.scan == 0
    assert "first" not in task.arguments


def test_a_scan_follows_the_one_before_it() -> None:
    (task,) = plan(*FIRST, started(1), volume(1), transform(1), started(2), volume(2))

    assert task.scan == 2
    assert (task.arguments["first"]["scan"], task.arguments["previous"]["scan"]) == (0, 1)
    assert task.arguments["previous"]["lift_px"] == 2.0
    assert task.parameters["frame"]["planes_px"] == list(PLANES)
    assert not task.parameters["is_anchor_due"]


def test_a_scan_waits_for_the_one_before_it() -> None:
    assert plan(*FIRST, started(1), started(2), volume(2)) == []
    (task,) = plan(*FIRST, started(1), volume(1), started(2), volume(2))
    assert task.scan == 1


def test_a_scan_that_was_given_up_or_not_registered_is_passed_over() -> None:
    failed = StageFailed(**parts("failed", 1), stage="reconstruct", attempts=3, error="no axis")
    (after_failed,) = plan(*FIRST, started(1), failed, started(2), volume(2))
    (after_lost,) = plan(
        *FIRST, started(1), volume(1), transform(1, "unregistered"), started(2), volume(2)
    )

    assert after_failed.arguments["previous"]["scan"] == 0
    assert after_lost.arguments["previous"]["scan"] == 0


@pytest.mark.parametrize(("is_anchored", "is_due"), [(False, True), (True, False)])
def test_the_first_scan_is_asked_again_after_some_steps(is_anchored: bool, is_due: bool) -> None:
    (task,) = plan(
        *FIRST,
        started(1),
        volume(1),
        transform(1, is_anchored=is_anchored),
        started(2),
        volume(2),
        anchor_every=2,
    )

    assert task.parameters["is_anchor_due"] is is_due


def test_without_a_frame_nothing_is_planned() -> None:
    failed = StageFailed(**parts("failed", 0), stage="register", attempts=3, error="no layers")

    assert plan(started(0), volume(0), failed, started(1), volume(1)) == []


def test_the_key_changes_with_what_the_scan_is_laid_over() -> None:
    (one,) = plan(*FIRST, started(1), volume(1), transform(1), started(2), volume(2))
    (other,) = plan(
        *FIRST, started(1), volume(1), transform(1, "unregistered"), started(2), volume(2)
    )

    assert one.key != other.key
