"""Planes as pictures."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lithoscope_dashboard.palette import CLASSES
from lithoscope_dashboard.slices import (
    Box,
    choose_level,
    grey_picture,
    grey_window,
    index_at_level,
    label_png,
    overlay_png,
    plane_shape,
    thumbnail,
)


def test_grey_values_run_from_black_to_white_through_the_window() -> None:
    plane = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], np.float32)

    image = Image.open(BytesIO(grey_picture(plane, (0.0, 1.0), "png")))

    assert np.asarray(image).tolist() == [[0, 0, 127, 255, 255]]


def test_webp_shows_the_same_to_the_eye() -> None:
    plane = np.tile(np.linspace(0.0, 1.0, 256, dtype=np.float32), (64, 1))

    image = Image.open(BytesIO(grey_picture(plane, (0.0, 1.0), "webp"))).convert("L")

    # 2 of 255 grey values: less than a screen and an eye tell apart.
    error = np.abs(np.asarray(image, np.float32) - np.round(255 * plane))
    assert error.mean() < 2.0


def test_what_is_not_finite_is_drawn_and_does_not_fail() -> None:
    plane = np.array([[np.nan, np.inf, -np.inf]], np.float32)

    image = Image.open(BytesIO(grey_picture(plane, (0.0, 1.0), "png")))

    assert np.asarray(image).tolist() == [[0, 255, 0]]


def test_labels_are_their_numbers_and_what_is_no_class_is_none() -> None:
    plane = np.array([[0, 1, 8, 200, -1, 70000]], np.int32)

    image = Image.open(BytesIO(label_png(plane)))

    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 1, 8, 200, 0, 0]]


def test_an_overlay_has_the_colour_of_each_class_and_a_clear_background() -> None:
    plane = np.array([[0] + [each.value for each in CLASSES]], np.uint8)

    image = Image.open(BytesIO(overlay_png(plane))).convert("RGBA")

    pixels = np.asarray(image)[0]
    assert pixels[0, 3] == 0
    assert [tuple(pixel) for pixel in pixels[1:]] == [(*each.rgb, each.alpha) for each in CLASSES]


def test_a_thumbnail_is_small_and_keeps_the_shape_of_its_plane() -> None:
    grey, labels = np.zeros((300, 200), np.float32), np.full((300, 200), 5, np.uint8)

    image = Image.open(BytesIO(thumbnail(grey, labels, (0.0, 1.0), 96)))

    assert image.size == (64, 96)
    red, green, blue = np.asarray(image.convert("RGB"), float).mean(axis=(0, 1))
    assert red > 2 * green > 2 * blue  # the orange of dendrites


@pytest.mark.parametrize(("axis", "expected"), [("z", (20, 30)), ("y", (10, 30)), ("x", (10, 20))])
def test_a_plane_has_the_other_two_axes(axis: str, expected: tuple[int, int]) -> None:
    assert plane_shape((10, 20, 30), axis) == expected  # type: ignore[arg-type] # of the table


@pytest.mark.parametrize(
    ("longest_px", "level"), [(4000, 0), (2600, 0), (1400, 1), (700, 2), (100, 2)]
)
def test_the_finest_level_that_fits_a_screen_is_taken(longest_px: int, level: int) -> None:
    assert choose_level(2600, 3, longest_px) == level


def test_a_part_of_a_plane_is_covered_at_a_coarser_level_too() -> None:
    part = Box(top=5, left=0, bottom=9, right=13)

    rows, columns = part.at_level(2, (4, 4))

    # Four voxels of the finest level a pixel: pixels 1 and 2 cover rows 4 to 12.
    assert (rows, columns) == (slice(1, 3), slice(0, 4))


def test_a_plane_is_found_again_at_a_coarser_level() -> None:
    # 5 planes at the finest level, 3 at half of it: 0 1 | 2 3 | 4.
    assert [index_at_level(index, 5, 3) for index in range(5)] == [0, 0, 1, 1, 2]


def test_the_window_ignores_what_is_rare_and_what_is_not_a_number() -> None:
    values = np.concatenate([np.linspace(0.0, 1.0, 1000), [1e6, np.nan]])

    low, high = grey_window(values)

    assert -0.01 < low < 0.05
    assert 0.95 < high < 1.01


def test_a_window_of_one_value_is_not_empty() -> None:
    low, high = grey_window(np.full(5, 3.0))

    assert high > low
