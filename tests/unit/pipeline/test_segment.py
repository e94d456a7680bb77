"""Layers with known faces come back to a fraction of a voxel, through noise and shading."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import NetworkClass
from lithoscope_pipeline.segment import (
    LayerParameters,
    find_grey_references,
    lithium_share,
    segment_layers,
)

Volume = NDArray[np.float32]

POUCH, LITHIUM, ELECTROLYTE = 0.70, 0.09, 0.40
# Outer and inner face of the stripping electrode, inner and outer face of the plating electrode.
FACES_PX = (7.5, 27.3, 72.6, 95.2)
SHAPE = (16, 104, 40)


def layers(
    faces_px: tuple[float, float, float, float] = FACES_PX, *, air_px: int = 0, noise: float = 0
) -> Volume:
    """Make pouch, lithium, electrolyte, lithium, pouch (, air), each voxel filled by its share."""
    rows = np.arange(SHAPE[1])
    column = np.full(SHAPE[1], POUCH)
    greys = (POUCH, LITHIUM, ELECTROLYTE, LITHIUM, POUCH)
    for face, before, after in zip(faces_px, greys[:-1], greys[1:], strict=True):
        column += (after - before) * np.clip(rows + 0.5 - face, 0, 1)
    if air_px:
        column[-air_px:] = 0
    volume = np.broadcast_to(column[None, :, None], SHAPE).astype(np.float32)
    rng = np.random.default_rng(7)
    return volume + (noise * rng.standard_normal(SHAPE)).astype(np.float32)


def segment(volume: Volume) -> NDArray[np.uint8]:
    return segment_layers(volume, find_grey_references(volume))


def thickness_px(classes: NDArray[np.uint8], *, upper: bool) -> float:
    """Give the mean lithium thickness of the upper or lower half."""
    half = classes[:, 50:] if upper else classes[:, :50]
    return float((half == NetworkClass.LITHIUM).sum(axis=1).mean())


def test_grey_values_and_faces_are_found() -> None:
    references = find_grey_references(layers())

    assert references.verdict == "resolved"
    assert references.electrode == pytest.approx(LITHIUM)
    assert references.electrolyte == pytest.approx(ELECTROLYTE)
    assert references.pouch == pytest.approx(POUCH)
    # A straight line between two voxels, one of them partly filled, errs by a tenth at most.
    assert references.edges_px == pytest.approx(FACES_PX, abs=0.1)


def test_contrast_to_noise_is_that_of_the_noise_put_in() -> None:
    references = find_grey_references(layers(noise=0.155))

    assert references.cnr == pytest.approx(2.0, rel=0.05)
    assert references.verdict == "resolved"


def test_air_beyond_the_pouch_is_no_electrode() -> None:
    references = find_grey_references(layers((7.5, 27.3, 62.6, 85.2), air_px=10, noise=0.1))

    assert references.edges_px == pytest.approx((7.5, 27.3, 62.6, 85.2), abs=0.1)


def test_an_offset_of_the_grey_scale_changes_nothing() -> None:
    volume = layers(noise=0.1)
    shifted = volume - np.float32(0.25)

    np.testing.assert_array_equal(segment(shifted), segment(volume))


def test_inverted_grey_gives_the_same_classes() -> None:
    volume = layers(noise=0.1)
    references = find_grey_references(-volume, polarity="dense_dark")

    assert references.electrode == pytest.approx(-LITHIUM, abs=0.01)
    np.testing.assert_array_equal(segment_layers(-volume, references), segment(volume))


def test_a_volume_without_layers_is_not_resolved() -> None:
    noise = np.random.default_rng(3).standard_normal((8, 60, 20)).astype(np.float32)

    assert find_grey_references(noise).verdict == "not_resolved"


@pytest.mark.parametrize("shift_px", [0.0, 0.2, 0.4, 0.6, 0.8])
def test_thickness_keeps_its_fraction_of_a_voxel(shift_px: float) -> None:
    outer, inner, plating_inner, plating_outer = FACES_PX
    moved = (outer, inner + shift_px, plating_inner, plating_outer + shift_px)

    classes = segment(layers(moved, noise=0.155))

    # The outer face is spread over columns evenly. The inner one rounds with the help of noise
    # of 0.17 voxel after smoothing, which leaves exp(-2 (pi 0.17)^2) / pi = 0.18 of bias.
    assert thickness_px(classes, upper=False) == pytest.approx(inner + shift_px - outer, abs=0.25)
    assert thickness_px(classes, upper=True) == pytest.approx(
        plating_outer + shift_px - plating_inner, abs=0.25
    )


def test_share_of_lithium_is_one_half_at_the_face() -> None:
    volume = layers()
    share = lithium_share(volume, find_grey_references(volume))

    # The inner face at 27.3: linear interpolation of a smoothed step is good to a twentieth.
    at_face = ndimage.map_coordinates(share[8, :, 20], [[27.3 - 0.5 + 0.5]], order=1)
    assert at_face[0] == pytest.approx(0.5, abs=0.05)
    assert share.dtype == np.float32
    assert share.min() >= 0
    assert share.max() <= 1


def test_bright_particles_do_not_make_holes_in_electrode_or_faces() -> None:
    volume = layers(noise=0.1)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    clean = segment(volume)
    for centre in ((8, 14, 12), (8, 8, 28), (8, 93, 20)):
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= 1.5**2
        volume[ball] = 1.5

    classes = segment(volume)

    assert (classes != clean).mean() < 1e-3
    assert (classes[:, 12:24] == NetworkClass.LITHIUM).all()


def test_noise_makes_no_islands_in_the_electrolyte() -> None:
    classes = segment(layers(noise=0.17))

    assert (classes[:, 32:68] == NetworkClass.ELECTROLYTE).all()


def test_a_detached_ball_of_lithium_is_kept() -> None:
    volume = layers(noise=0.155)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    ball = (z - 8) ** 2 + (y - 50) ** 2 + (x - 20) ** 2 <= 3.2**2
    volume[ball] -= np.float32(ELECTROLYTE - LITHIUM)

    classes = segment(volume)

    found = classes[:, 40:60] == NetworkClass.LITHIUM
    assert found.sum() == pytest.approx(ball.sum(), rel=0.2)


def test_input_is_not_changed_and_output_is_whole() -> None:
    volume = layers(noise=0.1)
    before = volume.copy()

    classes = segment(volume)

    np.testing.assert_array_equal(volume, before)
    assert classes.dtype == np.uint8
    assert classes.flags.c_contiguous


def test_volumes_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ShapeError):
        find_grey_references(np.zeros((4, 5, 6), dtype=np.float32))
    with pytest.raises(ParameterError, match="polarity"):
        find_grey_references(layers(), polarity="bright")  # type: ignore[arg-type] # on purpose
    with pytest.raises(ShapeError):
        segment_layers(np.zeros((4, 5), dtype=np.float32), find_grey_references(layers()))


def test_more_smoothing_is_a_parameter() -> None:
    volume = layers(noise=0.5)
    references = find_grey_references(volume)

    rough = segment_layers(volume, references)
    smooth = segment_layers(
        volume, references, parameters=LayerParameters(sigma_px=(2.0, 2.0, 2.0), core_sigma_px=3.0)
    )

    def wrong(classes: NDArray[np.uint8]) -> float:
        return float((classes[:, 32:68] != NetworkClass.ELECTROLYTE).mean())

    assert wrong(smooth) < wrong(rough)
