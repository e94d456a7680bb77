"""Planes as PNG."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lithoscope_dashboard.palette import CLASSES
from lithoscope_dashboard.slices import (
    choose_level,
    grey_png,
    grey_window,
    index_at_level,
    label_png,
    plane_shape,
)


def test_grey_values_run_from_black_to_white_through_the_window() -> None:
    plane = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], np.float32)

    image = Image.open(BytesIO(grey_png(plane, (0.0, 1.0))))

    assert np.asarray(image).tolist() == [[0, 0, 127, 255, 255]]


def test_what_is_not_finite_is_drawn_and_does_not_fail() -> None:
    plane = np.array([[np.nan, np.inf, -np.inf]], np.float32)

    image = Image.open(BytesIO(grey_png(plane, (0.0, 1.0))))

    assert np.asarray(image).tolist() == [[0, 255, 0]]


def test_each_class_has_its_colour_and_the_background_is_clear() -> None:
    plane = np.array([[0] + [each.value for each in CLASSES]], np.uint8)

    image = Image.open(BytesIO(label_png(plane))).convert("RGBA")

    pixels = np.asarray(image)[0]
    assert pixels[0, 3] == 0
    assert [tuple(pixel) for pixel in pixels[1:]] == [(*each.rgb, each.alpha) for each in CLASSES]


def test_values_that_are_no_class_are_clear() -> None:
    plane = np.array([[200, -1, 70000]], np.int32)

    image = Image.open(BytesIO(label_png(plane))).convert("RGBA")

    assert np.asarray(image)[..., 3].tolist() == [[0, 0, 0]]


def test_a_png_has_the_rows_and_columns_of_its_plane() -> None:
    image = Image.open(BytesIO(label_png(np.zeros((3, 7), np.uint8))))

    assert (image.height, image.width) == (3, 7)


@pytest.mark.parametrize(("axis", "expected"), [("z", (20, 30)), ("y", (10, 30)), ("x", (10, 20))])
def test_a_plane_has_the_other_two_axes(axis: str, expected: tuple[int, int]) -> None:
    assert plane_shape((10, 20, 30), axis) == expected  # type: ignore[arg-type] # of the table


def test_the_finest_level_that_fits_a_screen_is_taken() -> None:
    shapes = [(4000, 2600, 2600), (2000, 1300, 1300), (1000, 650, 650)]

    assert choose_level(shapes, "z", 1400) == 1
    assert choose_level(shapes, "y", 1400) == 2
    assert choose_level(shapes, "z", 100) == 2


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
