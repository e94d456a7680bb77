"""Classes of a network get their final names by side, height and half-cycle, and are counted."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.anatomy import (
    RULES,
    ColumnMaps,
    SlabAnatomy,
    find_dendrite_limit,
    label_slab,
    measure_columns,
)
from lithoscope_pipeline.labels import Label, SegmentClass, segments_of
from lithoscope_pipeline.phantom import make_cell

Classes = NDArray[np.uint8]
VOXEL_UM = 4.5
MIDDLE_PX = 45.0
_LITHIUM = (SegmentClass.ELECTRODE, SegmentClass.DEPOSITED, SegmentClass.DENDRITE)


def cell(*, deposited: int = 0) -> Classes:
    """Stack background, 20 rows of stripping electrode from 4 on, electrolyte, 22 up to 90."""
    segments = np.zeros((12, 100, 30), np.uint8)
    segments[:, 4:90] = SegmentClass.ELECTROLYTE
    segments[:, 4:24] = SegmentClass.ELECTRODE
    segments[:, 68:90] = SegmentClass.ELECTRODE
    segments[:, 68 - deposited : 68] = SegmentClass.DEPOSITED
    return segments


def label(segments: Classes, *, half_cycle: int = 0, is_first_scan: bool = False) -> SlabAnatomy:
    share = np.where(np.isin(segments, _LITHIUM), 255, 0).astype(np.uint8)
    columns = measure_columns(segments, share, middle_px=MIDDLE_PX)
    return label_slab(
        segments,
        find_dendrite_limit(columns, voxel_um=VOXEL_UM),
        middle_px=MIDDLE_PX,
        half_cycle=half_cycle,
        is_first_scan=is_first_scan,
    )


def count(anatomy: SlabAnatomy, which: Label) -> int:
    return int((anatomy.labels == which).sum())


def test_an_electrode_belongs_to_the_side_on_which_it_lies() -> None:
    anatomy = label(cell())

    assert count(anatomy, Label.STRIPPING_ELECTRODE) == 20 * 360
    assert count(anatomy, Label.PLATING_ELECTRODE) == 22 * 360
    assert count(anatomy, Label.ELECTROLYTE) == 44 * 360
    assert sum(anatomy.relabelled.values()) == 0
    assert tuple(anatomy.relabelled) == RULES


def test_far_from_the_limit_height_makes_the_dendrite() -> None:
    segments = cell(deposited=7)
    # A column of what the network took for deposit, 10 voxels above the layer.
    segments[5:8, 51:61, 14:17] = SegmentClass.DEPOSITED
    # And a patch of the layer that it took for dendrite.
    segments[2, 62:66, 3] = SegmentClass.DENDRITE

    anatomy = label(segments)

    # The limit is 5 um above the layer at row 60.5, so at row 59.4; one voxel of it is left.
    assert count(anatomy, Label.DENDRITE) == 9 * 8
    assert anatomy.relabelled["high_is_dendrite"] == 9 * 8
    assert anatomy.relabelled["low_is_deposited"] == 4
    assert count(anatomy, Label.DEPOSITED) == 7 * 360 + 9 * 2


def test_a_column_of_dendrite_stays_one_down_to_the_layer() -> None:
    segments = cell(deposited=7)
    segments[5:8, 51:61, 14:17] = SegmentClass.DENDRITE

    anatomy = label(segments)

    assert count(anatomy, Label.DENDRITE) == 9 * 10
    assert sum(anatomy.relabelled.values()) == 0


def test_the_first_scan_is_pristine() -> None:
    segments = cell(deposited=3)
    segments[3, 20:24, 5] = SegmentClass.PIT

    anatomy = label(segments, is_first_scan=True)

    assert count(anatomy, Label.DEPOSITED) == count(anatomy, Label.PIT) == 0
    assert count(anatomy, Label.PLATING_ELECTRODE) == 25 * 360
    assert count(anatomy, Label.STRIPPING_ELECTRODE) == 20 * 360
    assert anatomy.relabelled["first_scan_is_pristine"] == 3 * 360 + 4


def test_lithium_on_the_stripping_side_is_redeposited_from_the_first_discharge_on() -> None:
    segments = cell()
    segments[:, 22:24] = SegmentClass.DEPOSITED

    assert count(label(segments, half_cycle=1), Label.REDEPOSITED) == 2 * 360
    charging = label(segments)
    assert count(charging, Label.REDEPOSITED) == 0
    assert count(charging, Label.STRIPPING_ELECTRODE) == 20 * 360
    assert charging.relabelled["nothing_redeposited_before_discharge"] == 2 * 360


def test_a_dendrite_stays_one_on_either_side_and_when_it_is_detached() -> None:
    segments = cell(deposited=7)
    segments[5:8, 24:50, 14:17] = SegmentClass.DENDRITE

    for half_cycle in (0, 1):
        assert count(label(segments, half_cycle=half_cycle), Label.DENDRITE) == 9 * 26


def test_a_pit_under_redeposited_lithium_is_void_and_an_open_one_is_a_pit() -> None:
    segments = cell()
    segments[3, 18:24, 5] = SegmentClass.PIT
    segments[7, 18:22, 5] = SegmentClass.PIT
    segments[7, 22:24, 5] = SegmentClass.DEPOSITED

    anatomy = label(segments, half_cycle=1)

    assert count(anatomy, Label.PIT) == 6
    assert count(anatomy, Label.VOID) == 4
    assert anatomy.relabelled["covered_pit_is_void"] == 4


def test_a_pit_on_the_plating_side_needs_a_discharge() -> None:
    segments = cell()
    segments[3, 68:72, 5] = SegmentClass.PIT

    assert count(label(segments, half_cycle=1), Label.PIT) == 4
    assert label(segments).relabelled["no_pit_on_the_plating_side_before_discharge"] == 4


def test_slabs_give_what_the_whole_volume_gives() -> None:
    truth = make_cell("tiny", seed=2, n_scans=9)
    segments = segments_of(truth.labels(4, truth.roi))
    share = np.where(np.isin(segments, _LITHIUM), 255, 0).astype(np.uint8)
    middle_px = segments.shape[1] / 2
    whole = find_dendrite_limit(
        measure_columns(segments, share, middle_px=middle_px), voxel_um=truth.voxel_um
    )

    parts = [
        measure_columns(segments[z : z + 5], share[z : z + 5], middle_px=middle_px)
        for z in range(0, len(segments), 5)
    ]

    limit = find_dendrite_limit(ColumnMaps.joined(parts), voxel_um=truth.voxel_um)
    assert np.array_equal(limit.row_px, whole.row_px)


def test_true_classes_of_a_cell_get_their_true_labels() -> None:
    truth = make_cell("tiny", seed=2, n_scans=9)
    for scan, half_cycle in ((0, 0), (2, 0), (4, 0), (6, 1), (8, 1)):
        labels = truth.labels(scan, truth.roi)
        segments = segments_of(labels)
        share = np.where(np.isin(segments, _LITHIUM), 255, 0).astype(np.uint8)
        middle_px = segments.shape[1] / 2
        limit = find_dendrite_limit(
            measure_columns(segments, share, middle_px=middle_px), voxel_um=truth.voxel_um
        )
        anatomy = label_slab(
            segments,
            limit,
            middle_px=middle_px,
            half_cycle=half_cycle,
            is_first_scan=scan == 0,
        )
        lithium = np.isin(labels, (Label.DEPOSITED, Label.DENDRITE))
        # Tops of a whole voxel instead of the true surface shift the limit by a fraction of one.
        allowed = 0.02 * np.count_nonzero(lithium) + 1
        assert np.count_nonzero(anatomy.labels != labels) <= allowed, (scan, anatomy.relabelled)
