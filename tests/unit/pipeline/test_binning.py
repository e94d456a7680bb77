"""Coarser frames keep means and places."""

import numpy as np
import pytest

from lithoscope_pipeline.binning import bin_frames, binned_px
from lithoscope_pipeline.errors import ParameterError, ShapeError


def test_squares_are_averaged_and_what_is_left_over_is_dropped() -> None:
    frames = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)

    binned = bin_frames(frames, 2)

    assert binned.shape == (2, 2, 3)
    # 0, 1, 7 and 8; two columns on it is 2 more, two rows on 14.
    np.testing.assert_array_equal(binned[0], [[4.0, 6.0, 8.0], [18.0, 20.0, 22.0]])


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_position_stays_where_it_is(factor: int) -> None:
    columns = np.arange(24, dtype=np.float32) - 11.3
    frames = np.repeat(columns[None, None], 4, axis=1)

    binned = bin_frames(frames, factor)[0, 0]

    # The mean of a ramp is its value in the middle: it is 0 where the ramp was.
    assert np.interp(0.0, binned, np.arange(binned.size)) == pytest.approx(
        binned_px(11.3, factor), abs=1e-5
    )


def test_squares_larger_than_a_frame_are_refused() -> None:
    with pytest.raises(ShapeError, match="binned by 4"):
        bin_frames(np.zeros((1, 3, 8), np.float32), 4)
    with pytest.raises(ParameterError, match="factor is 0"):
        bin_frames(np.zeros((1, 3, 8), np.float32), 0)
