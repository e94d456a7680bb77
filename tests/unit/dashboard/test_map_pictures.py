"""Maps as pictures and as numbers."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lithoscope_dashboard.map_pictures import (
    N_COLOURS,
    colour_bar_png,
    describe_map,
    map_png,
    palette,
    profile,
    veil_png,
)


def test_a_map_says_where_it_is_least_and_greatest() -> None:
    values = np.full((4, 5), 7.0, np.float32)
    values[2, 3], values[1, 0], values[0, 0] = 1.5, 9.0, np.nan

    found = describe_map(values, is_signed=False)

    assert found.least is not None
    assert found.greatest is not None
    assert (found.least.row, found.least.column, found.least.value) == (2, 3, 1.5)
    assert (found.greatest.row, found.greatest.column) == (1, 0)
    assert found.measured_share == pytest.approx(19 / 20)
    assert found.mean == pytest.approx((17 * 7 + 1.5 + 9) / 19)


def test_the_colours_of_a_map_with_a_sign_are_even_about_zero() -> None:
    values = np.linspace(-1.0, 3.0, 100, dtype=np.float32).reshape(10, 10)

    found = describe_map(values, is_signed=True)

    assert found.colours == "balance"
    assert found.low == -found.high < 0
    middle = palette("balance")[3 * (N_COLOURS // 2) : 3 * (N_COLOURS // 2) + 3]
    assert max(middle) - min(middle) < 20  # grey, neither red nor blue


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_map_in_which_nothing_was_measured_has_no_extremes(is_signed: bool) -> None:
    found = describe_map(np.full((3, 3), np.nan, np.float32), is_signed=is_signed)

    assert (found.least, found.greatest, found.mean, found.measured_share) == (None, None, None, 0)
    assert found.low < found.high


def test_a_veil_is_white_where_it_hides_and_clear_elsewhere() -> None:
    hidden = np.array([[True, False, True]])

    pixels = np.asarray(Image.open(BytesIO(veil_png(hidden))).convert("RGBA"))[0]

    assert pixels[:, 3].tolist() == [255, 0, 255]
    assert pixels[0, :3].tolist() == [255, 255, 255]


def test_what_was_not_measured_is_clear_and_all_else_is_not() -> None:
    values = np.array([[0.0, 1.0, np.nan]], np.float32)

    image = Image.open(BytesIO(map_png(values, 0.0, 1.0, "cividis"))).convert("RGBA")

    pixels = np.asarray(image)[0]
    assert pixels[:, 3].tolist() == [255, 255, 0]
    assert bytes(pixels[0, :3]) == palette("cividis")[:3]
    assert bytes(pixels[1, :3]) == palette("cividis")[-3:]


def test_a_map_of_full_size_is_thinned_for_the_screen() -> None:
    image = Image.open(BytesIO(map_png(np.zeros((5000, 10), np.float32), 0.0, 1.0, "cividis")))

    assert image.size == (4, 1667)


def test_the_colour_bar_runs_from_high_to_low() -> None:
    image = np.asarray(Image.open(BytesIO(colour_bar_png("cividis"))))

    assert image.shape == (N_COLOURS, 1, 3)
    assert image[0, 0].sum() > image[-1, 0].sum()  # cividis grows brighter


def test_a_profile_is_the_map_along_its_line() -> None:
    values = np.arange(25, dtype=np.float32).reshape(5, 5)

    distance, taken = profile(values, (0, 0), (4, 4))

    assert distance[-1] == pytest.approx(np.hypot(4, 4))
    assert (taken[0], taken[-1]) == (0.0, 24.0)
    # On the diagonal of this map each value is six times its row.
    assert set(taken.tolist()) == {0.0, 6.0, 12.0, 18.0, 24.0}
