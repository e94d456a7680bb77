"""Faults of a simulated scan: what arrives is what the truth says."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import SIZES, FaultParameters, FaultRecord, ScanFrames
from lithoscope_pipeline.phantom.faults import arrivals
from lithoscope_pipeline.phantom.frames import make_frames

N_ANGLES = 60
DETECTOR = replace(SIZES["tiny"], n_rows=4, n_columns=16, n_angles=N_ANGLES)
THETAS_DEG = np.arange(N_ANGLES) * 3.0


def frames_with(scan: int = 0, seed: int = 1, **faults: float) -> ScanFrames:
    detector = replace(DETECTOR, faults=FaultParameters(**faults))  # type: ignore[arg-type]
    plate = np.full((N_ANGLES, 4, 16), 0.2, np.float32)
    return make_frames(detector, plate, THETAS_DEG, seed=seed, scan=scan)


def arrived(frames: ScanFrames) -> list[int]:
    return [index for kind, index, _ in frames if kind == "projection"]


def test_by_default_nothing_goes_wrong() -> None:
    frames = frames_with()

    assert frames.faults == FaultRecord()
    assert frames.faults.by_name == {}
    assert arrived(frames) == list(range(N_ANGLES))


def test_lost_frames_do_not_arrive_and_the_truth_names_them() -> None:
    frames = frames_with(lost_share=0.1)

    assert len(frames.faults.lost) == 6
    assert sorted({*range(N_ANGLES)} - {*arrived(frames)}) == list(frames.faults.lost)


def test_a_lost_block_leaves_a_gap_around_edge_on() -> None:
    frames = frames_with(lost_edge_on_deg=31.0)

    lost_deg = THETAS_DEG[list(frames.faults.lost)]

    np.testing.assert_array_equal(lost_deg, np.arange(75.0, 106.0, 3.0))


def test_repeated_frames_arrive_twice_with_the_same_bytes() -> None:
    frames = frames_with(repeated_share=0.1)

    pictures: dict[int, set[bytes]] = {}
    for kind, index, pixels in frames:
        if kind == "projection":
            pictures.setdefault(index, set()).add(pixels.tobytes())
    twice = sorted(index for index, count in Counter(arrived(frames)).items() if count == 2)

    assert twice == list(frames.faults.repeated)
    assert len(twice) == 6
    assert {len(each) for each in pictures.values()} == {1}


def test_late_frames_are_overtaken_by_the_stated_number() -> None:
    frames = frames_with(late_share=0.02, late_by_frames=7)
    (late,) = frames.faults.late

    order = arrived(frames)

    assert sorted(order) == list(range(N_ANGLES))
    assert order.index(late) == min(late + 7, N_ANGLES - 1)


def test_late_and_repeated_frames_keep_their_angles() -> None:
    frames = frames_with(late_share=0.2, repeated_share=0.2)

    for taken in frames.taken():
        if taken.kind == "projection":
            assert taken.theta_deg == THETAS_DEG[taken.index]


def test_behind_a_closed_shutter_projections_are_dark() -> None:
    frames = frames_with(shutter_closed_share=0.1)
    closed = frames.faults.shutter_closed

    dark = [index for index in range(N_ANGLES) if frames.frame("projection", index).mean() < 200]

    assert dark == list(closed)
    assert len(closed) == 6
    assert 12 <= closed[0] < closed[-1] < 48


@pytest.mark.parametrize("depth", [0.25, 0.5])
def test_a_weak_beam_lacks_the_stated_share_for_a_part_of_the_scan(depth: float) -> None:
    frames = frames_with(beam_down_share=0.2, beam_down_depth=depth)
    usual = frames_with()

    ratios = np.array(
        [
            (frames.frame("projection", index).mean() - 100)
            / (usual.frame("projection", index).mean() - 100)
            for index in range(N_ANGLES)
        ]
    )

    is_down = np.isin(np.arange(N_ANGLES), frames.faults.beam_down)
    assert is_down.sum() == 12
    np.testing.assert_allclose(ratios[is_down], 1 - depth, rtol=1e-3)
    np.testing.assert_allclose(ratios[~is_down], 1, rtol=1e-3)


def test_only_the_named_scans_are_hit() -> None:
    faults = FaultParameters(lost_share=0.1, scans=(2,))
    detector = replace(DETECTOR, faults=faults)
    plate = np.zeros((N_ANGLES, 4, 16), np.float32)

    hit = [
        bool(make_frames(detector, plate, THETAS_DEG, seed=1, scan=scan).faults.lost)
        for scan in range(4)
    ]

    assert hit == [False, False, True, False]


def test_the_choice_changes_with_seed_scan_and_fault_seed_and_else_is_the_same() -> None:
    def lost(**choice: int) -> tuple[int, ...]:
        return frames_with(lost_share=0.1, **choice).faults.lost

    drawn = [lost(), lost(scan=1), lost(seed=2), lost(**{"seed": 1})]
    other = replace(DETECTOR, faults=FaultParameters(lost_share=0.1, seed=9))
    plate = np.zeros((N_ANGLES, 4, 16), np.float32)
    drawn.append(make_frames(other, plate, THETAS_DEG, seed=1, scan=0).faults.lost)

    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 4


def test_one_fault_does_not_move_another() -> None:
    alone = frames_with(shutter_closed_share=0.1).faults
    together = frames_with(shutter_closed_share=0.1, beam_down_share=0.3, late_share=0.1).faults

    assert together.shutter_closed == alone.shutter_closed


def test_arrivals_by_hand() -> None:
    record = FaultRecord(lost=(1,), repeated=(2,), late=(0,))

    assert arrivals(record, 5, late_by_frames=2) == [2, 2, 0, 3, 4]


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ParameterError, match="lost_share is 1"):
        FaultParameters(lost_share=1.5)
