"""Projections that go on past the borders of the detector."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.truncation import extend_edges

ROWS = np.array([[[2.0, 5.0, 3.0]]], dtype=np.float32)


def test_edge_values_are_repeated() -> None:
    np.testing.assert_array_equal(extend_edges(ROWS, 2)[0, 0], [2, 2, 2, 5, 3, 3, 3])


def test_cosine_falls_to_zero_on_both_sides() -> None:
    # Half a cosine sampled at 1/4, 1/2 and 3/4 of the way.
    fall = 0.5 + 0.5 * np.cos(np.pi * np.array([0.25, 0.5, 0.75]))

    extended = extend_edges(ROWS, 3, mode="cosine")[0, 0]

    np.testing.assert_allclose(extended[6:], 3.0 * fall, rtol=1e-6)
    np.testing.assert_allclose(extended[:3], 2.0 * fall[::-1], rtol=1e-6)


def test_zero_extension_adds_zeros() -> None:
    np.testing.assert_array_equal(extend_edges(ROWS, 1, mode="zero")[0, 0], [0, 2, 5, 3, 0])


def test_border_value_can_be_averaged() -> None:
    np.testing.assert_array_equal(extend_edges(ROWS, 1, average_px=2)[0, 0], [3.5, 2, 5, 3, 4])


def test_no_padding_gives_a_copy() -> None:
    extended = extend_edges(ROWS, 0)

    np.testing.assert_array_equal(extended, ROWS)
    assert not np.shares_memory(extended, ROWS)


def test_negative_padding_is_refused() -> None:
    with pytest.raises(ParameterError, match="pad_px"):
        extend_edges(ROWS, -1)
