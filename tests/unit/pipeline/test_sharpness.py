"""How blurred the outer faces of a cell are, on layers that were blurred by a known Gaussian."""

import numpy as np
import pytest
from scipy import special

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.sharpness import measure_blur

#: Grey values of packaging, lithium and electrolyte, and the faces between them, rows.
POUCH, LITHIUM, ELECTROLYTE = 2.0, 0.0, 1.0
FACES = ((30.0, LITHIUM), (60.0, ELECTROLYTE), (110.0, LITHIUM), (140.0, POUCH))


def layers(sigma_px: float, *, tilt: float = 0.0, noise: float = 0.0) -> FloatVolume:
    """Give flat layers, blurred, that lie ``tilt`` rows higher at the far end of x."""
    n_z, n_y, n_x = 24, 170, 64
    rows = np.arange(n_y)[:, None] - tilt * np.arange(n_x)[None, :] / n_x
    image, grey = np.full((n_y, n_x), POUCH), POUCH
    for face, behind in FACES:
        step = 0.5 * (1.0 + special.erf((rows - face - 0.3) / (np.sqrt(2.0) * sigma_px)))
        image, grey = image + (behind - grey) * step, behind
    rng = np.random.default_rng(20261122)
    volume = np.broadcast_to(image, (n_z, n_y, n_x)) + noise * rng.standard_normal((n_z, n_y, n_x))
    return np.asarray(volume, np.float32)


@pytest.mark.parametrize("sigma_px", [1.0, 1.5, 2.0])
def test_the_blur_of_the_outer_faces_is_found(sigma_px: float) -> None:
    # Straight lines between rows flatten a face by up to 0.03 of its height.
    assert measure_blur(layers(sigma_px)) == pytest.approx(sigma_px, rel=0.12)


def test_a_face_that_is_sharper_than_its_rows_still_counts_as_sharper() -> None:
    blur_px = measure_blur(layers(0.6))

    assert blur_px is not None
    assert blur_px < 0.85


def test_a_tilted_face_is_no_blurred_one() -> None:
    # Over the eight columns of a tile it climbs by 3 / 8 of a row.
    assert measure_blur(layers(1.0, tilt=3.0)) == pytest.approx(1.0, rel=0.12)


def test_noise_hardly_blurs() -> None:
    # As much as at a contrast-to-noise of 2.5.
    assert measure_blur(layers(1.0, noise=0.4)) == pytest.approx(1.0, rel=0.12)


def test_a_view_without_outer_faces_says_nothing() -> None:
    assert measure_blur(layers(1.0)[:, 40:130]) is None
