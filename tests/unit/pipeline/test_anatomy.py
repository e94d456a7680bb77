"""Lithium gets its name from the side it hangs on and from what was there before."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.labels import Label, NetworkClass

Classes = NDArray[np.uint8]
VOXEL_UM = 4.5


def cell(*, stripping: int = 20, plating: int = 22, moved: int = 0) -> Classes:
    """Stack 4 background, stripping side, electrolyte, plating side ending at 90 + moved."""
    classes = np.zeros((20, 100, 30), dtype=np.uint8)
    top = 90 + moved
    classes[:, 4:top] = NetworkClass.ELECTROLYTE
    classes[:, 4 : 4 + stripping] = NetworkClass.LITHIUM
    classes[:, top - plating : top] = NetworkClass.LITHIUM
    return classes


PRISTINE = AnatomyReference.from_first_scan(find_side_thickness(cell()))


def label(classes: Classes, reference: AnatomyReference | None = PRISTINE) -> Classes:
    return label_anatomy(classes, reference, voxel_um=VOXEL_UM)


def count(labels: Classes, which: Label) -> int:
    return int((labels == which).sum())


def test_first_scan_has_two_electrodes_and_nothing_added() -> None:
    labels = label(cell(), None)

    assert count(labels, Label.STRIPPING_ELECTRODE) == 20 * 600
    assert count(labels, Label.PLATING_ELECTRODE) == 22 * 600
    assert count(labels, Label.ELECTROLYTE) == 44 * 600
    assert count(labels, Label.BACKGROUND) == 14 * 600


def test_thickness_counts_from_each_outer_face() -> None:
    thickness = find_side_thickness(cell(moved=3))

    np.testing.assert_allclose(thickness.stripping_px, 20)
    np.testing.assert_allclose(thickness.plating_px, 22)


def test_share_of_lithium_gives_fractions_of_a_voxel() -> None:
    classes = cell()
    share = (classes == NetworkClass.LITHIUM).astype(np.float32)
    # The row beyond the stripping side is 0.3 full, so half is passed 0.5 / 0.7 of a voxel on.
    share[:, 24] = 0.3

    thickness = find_side_thickness(classes, lithium_share=share)

    np.testing.assert_allclose(thickness.stripping_px, 19.5 + 0.5 / 0.7, rtol=1e-5)


def test_plated_lithium_is_deposited_though_the_face_moved() -> None:
    labels = label(cell(plating=29, moved=7))

    assert count(labels, Label.PLATING_ELECTRODE) == 22 * 600
    assert count(labels, Label.DEPOSITED) == 7 * 600
    assert count(labels, Label.DENDRITE) == 0
    assert count(labels, Label.REDEPOSITED) == 0


def test_a_column_above_the_layer_is_dendrite_from_five_micrometres_on() -> None:
    classes = cell(plating=29)
    classes[8:11, 50:61, 14:17] = NetworkClass.LITHIUM

    labels = label(classes)

    # The layer ends at y = 61; the first voxel's centre is 2.2 um above it, the second 6.8 um.
    assert count(labels, Label.DENDRITE) == 9 * 10
    assert count(labels, Label.DEPOSITED) == 7 * 600 + 9


def test_an_overhang_and_a_floating_tip_are_dendrite() -> None:
    classes = cell(plating=29)
    classes[8:11, 40:45, 14:17] = NetworkClass.LITHIUM

    labels = label(classes)

    assert count(labels, Label.DENDRITE) == 45
    assert count(labels, Label.REDEPOSITED) == 0


def test_a_bridge_keeps_its_electrodes_apart() -> None:
    classes = cell()
    classes[8:11, 24:68, 14:17] = NetworkClass.LITHIUM

    labels = label(classes)

    assert count(labels, Label.STRIPPING_ELECTRODE) == 20 * 600
    assert count(labels, Label.PLATING_ELECTRODE) == 22 * 600
    assert count(labels, Label.DENDRITE) + count(labels, Label.DEPOSITED) == 9 * 44


def test_what_comes_back_to_the_stripping_side_is_redeposited() -> None:
    stripped = PRISTINE.with_stripped(find_side_thickness(cell(stripping=12)))

    labels = label(cell(stripping=17), stripped)

    assert count(labels, Label.STRIPPING_ELECTRODE) == 12 * 600
    assert count(labels, Label.REDEPOSITED) == 5 * 600


def test_lithium_beyond_the_pristine_stripping_side_is_redeposited() -> None:
    labels = label(cell(stripping=23))

    assert count(labels, Label.REDEPOSITED) == 3 * 600


def test_a_piece_that_touches_the_stripping_side_only_belongs_to_it() -> None:
    classes = cell(stripping=23)
    # An overhang: its column is electrolyte below, its neighbour joins it to the electrode.
    classes[8:11, 27:33, 14:17] = NetworkClass.LITHIUM
    classes[8:11, 30:33, 17:20] = NetworkClass.LITHIUM

    labels = label(classes)

    assert count(labels, Label.REDEPOSITED) == 3 * 600 + 9 * 6 + 9 * 3


def test_rounding_to_voxels_is_no_deposit() -> None:
    # Every other column one voxel thicker: a face in the middle of a voxel, rounded.
    classes = cell()
    classes[:, 67, ::2] = NetworkClass.LITHIUM

    labels = label(classes)

    # At the border a median has no columns on one side.
    assert count(labels[:, :, 1:-1], Label.DEPOSITED) == 0


def test_void_stays_void() -> None:
    classes = cell()
    classes[5, 40:44, 5] = NetworkClass.VOID

    assert count(label(classes), Label.VOID) == 4


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError):
        find_side_thickness(np.zeros((4, 5), dtype=np.uint8))
    with pytest.raises(ShapeError, match="one region of interest"):
        label(cell()[:, :, :10])
    with pytest.raises(ShapeError, match="lithium_share"):
        find_side_thickness(cell(), lithium_share=np.zeros((2, 2, 2), dtype=np.float32))
