"""Dendrites and pits as objects, and what becomes of them from scan to scan."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import (
    EarlierScans,
    Measurement,
    PreviousScan,
    TrackedObject,
    measure_labels,
)

Labels = NDArray[np.uint8]
VOXEL_UM = 2.0


def cell(*dendrites: tuple[slice, int, slice], pits: tuple[slice, ...] = ()) -> Labels:
    """Stack two electrodes, with dendrites of a height on the upper and pits in the lower one."""
    labels = np.full((30, 60, 40), Label.ELECTROLYTE, np.uint8)
    labels[:, :4], labels[:, 56:] = Label.BACKGROUND, Label.BACKGROUND
    labels[:, 4:20], labels[:, 44:56] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    for z, height, x in dendrites:
        labels[z, 44 - height : 44, x] = Label.DENDRITE
    for x in pits:
        labels[10:14, 16:20, x] = Label.PIT
    return labels


def after(now: Labels, before: Labels, *, n_pulses: float = 2.0) -> Measurement:
    """Measure a scan that follows another one."""
    then = measure_labels(before, voxel_um=VOXEL_UM)
    previous = PreviousScan(
        labels=before, objects=then.objects, n_pulses=n_pulses, heights_um=then.maps
    )
    return measure_labels(now, voxel_um=VOXEL_UM, earlier=EarlierScans(previous=previous))


def dendrites_of(measurement: Measurement) -> list[TrackedObject]:
    return [each for each in measurement.objects.objects if each.kind == "dendrite"]


def test_an_object_has_its_size_place_and_gap() -> None:
    labels = cell((slice(10, 14), 12, slice(20, 25)))

    (found,) = measure_labels(labels, voxel_um=VOXEL_UM).objects.objects

    assert (found.kind, found.voxels, found.track, found.event) == ("dendrite", 240, 1, "first")
    assert found.volume_um3 == 240 * 8
    assert found.base_area_um2 == 20 * 4
    assert found.height_um == pytest.approx(12 * VOXEL_UM, abs=VOXEL_UM / 2)
    assert found.gap_um == pytest.approx(12 * VOXEL_UM)
    assert found.centre_px == (11.5, 37.5, 22.0)
    assert found.flags == ("small_object_error",)


def test_a_pit_has_a_depth_and_no_gap() -> None:
    (found,) = measure_labels(cell(pits=(slice(8, 12),)), voxel_um=VOXEL_UM).objects.objects

    assert (found.kind, found.voxels) == ("pit", 64)
    assert found.height_um == 4 * VOXEL_UM
    assert found.gap_um is None


def test_seven_voxels_are_no_object_and_26_have_no_gap() -> None:
    labels = cell((slice(5, 6), 7, slice(5, 6)), (slice(10, 12), 13, slice(20, 21)))

    (found,) = measure_labels(labels, voxel_um=VOXEL_UM).objects.objects

    assert found.voxels == 26
    assert found.gap_um is None


def test_an_object_at_the_border_is_flagged() -> None:
    labels = cell((slice(0, 4), 12, slice(20, 26)))

    (found,) = measure_labels(labels, voxel_um=VOXEL_UM).objects.objects

    assert found.flags == ("cut_by_border",)


def test_the_largest_object_comes_first() -> None:
    labels = cell((slice(5, 8), 6, slice(5, 8)), (slice(20, 24), 12, slice(20, 24)))

    found = measure_labels(labels, voxel_um=VOXEL_UM).objects

    assert [each.voxels for each in found.objects] == [192, 54]
    assert [each.track for each in found.objects] == [1, 2]
    assert found.n_found == {"dendrite": 2, "pit": 0}


def test_a_dendrite_that_grows_keeps_its_track_and_has_a_speed() -> None:
    place = (slice(10, 14), slice(20, 24))

    measurement = after(cell((place[0], 12, place[1])), cell((place[0], 8, place[1])))

    (found,) = dendrites_of(measurement)
    assert (found.track, found.event, found.parents) == (1, "grown", (1,))
    assert found.speed_um_per_pulse == pytest.approx(4 * VOXEL_UM / 2)


def test_what_was_not_there_is_born_and_what_is_not_there_is_gone() -> None:
    before = cell((slice(5, 8), 8, slice(5, 8)))
    now = cell((slice(20, 23), 8, slice(20, 23)))

    measurement = after(now, before)

    (found,) = dendrites_of(measurement)
    assert (found.track, found.event, found.speed_um_per_pulse) == (2, "born", None)
    assert measurement.objects.gone == {"dendrite": (1,), "pit": ()}
    assert measurement.objects.next_track == 3


def test_two_that_meet_have_merged_and_keep_the_number_of_the_larger() -> None:
    before = cell((slice(10, 14), 8, slice(5, 12)), (slice(10, 14), 8, slice(14, 18)))
    now = cell((slice(10, 14), 8, slice(5, 18)))

    measurement = after(now, before)

    (found,) = dendrites_of(measurement)
    assert (found.track, found.event, found.parents) == (1, "merged", (1, 2))
    assert measurement.objects.gone["dendrite"] == ()


def test_one_that_breaks_has_split_and_the_larger_part_keeps_its_number() -> None:
    before = cell((slice(10, 14), 8, slice(5, 18)))
    now = cell((slice(10, 14), 8, slice(5, 9)), (slice(10, 14), 8, slice(11, 18)))

    found = dendrites_of(after(now, before))

    assert [(each.track, each.event, each.parents) for each in found] == [
        (1, "split", (1,)),
        (2, "split", (1,)),
    ]


def test_objects_move_with_the_electrode_that_they_stand_on() -> None:
    before = cell((slice(10, 14), 3, slice(20, 24)), pits=(slice(8, 12),))
    # Both electrodes have moved by more than the objects are high.
    now = np.roll(before, 4, axis=1)

    found = {each.kind: each for each in after(now, before).objects.objects}

    assert found["dendrite"].event == "grown"
    assert found["pit"].event == "grown"


def test_tracks_go_on_over_many_scans() -> None:
    rng = np.random.default_rng(7)
    places = [
        (slice(z, z + 3), 8, slice(x, x + 3)) for z, x in rng.integers(1, 26, (9, 2)).tolist()
    ]
    labels = [cell(*places[: n + 1]) for n in range(9)]
    found = measure_labels(labels[0], voxel_um=VOXEL_UM)

    for before, now in pairwise(labels):
        previous = PreviousScan(
            labels=before, objects=found.objects, n_pulses=1, heights_um=found.maps
        )
        found = measure_labels(now, voxel_um=VOXEL_UM, earlier=EarlierScans(previous=previous))

    tracks = [each.track for each in found.objects.objects]
    assert len(set(tracks)) == len(tracks)
    assert 1 in tracks


def test_scans_on_two_grids_are_not_tracked() -> None:
    with pytest.raises(ShapeError, match="scan before"):
        after(cell(), cell()[:20])
