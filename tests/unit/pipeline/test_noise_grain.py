"""How coarse noise is, on layers with white noise that was smoothed by a known Gaussian."""

import numpy as np
import pytest
from scipy import ndimage

from lithoscope_pipeline.noise_grain import measure_grain

POUCH, LITHIUM, ELECTROLYTE = 2.0, 0.0, 1.0


def layers(sigma_px: float, *, noise: float = 0.1) -> np.ndarray:
    """Give flat layers under noise whose neighbours are alike over ``sigma_px``."""
    profile = np.full(180, ELECTROLYTE)
    profile[:20] = profile[160:] = POUCH
    profile[20:70] = profile[110:160] = LITHIUM
    rng = np.random.default_rng(20261122)
    grains = rng.standard_normal((24, 180, 200))
    if sigma_px:
        grains = ndimage.gaussian_filter(grains, sigma_px, mode="wrap")
    grains *= noise / grains.std()
    return np.asarray(profile[None, :, None] + grains, np.float32)


@pytest.mark.parametrize("sigma_px", [0.8, 1.2, 2.0])
def test_the_grain_of_smoothed_noise_is_found(sigma_px: float) -> None:
    # White noise that a Gaussian has smoothed has the autocorrelation exp(-d^2 / (4 sigma^2)).
    expected = np.exp(-(2.0**2) / (4 * sigma_px**2))

    assert measure_grain(layers(sigma_px)) == pytest.approx(expected, abs=0.04)


def test_white_noise_has_none() -> None:
    assert measure_grain(layers(0.0)) == pytest.approx(0.0, abs=0.02)


def test_more_of_the_same_noise_is_no_coarser() -> None:
    little, much = (measure_grain(layers(1.2, noise=noise)) for noise in (0.05, 0.15))

    assert little == pytest.approx(much, abs=0.02)


def test_without_electrodes_there_is_no_grain() -> None:
    assert measure_grain(layers(1.0)[:, 75:105]) is None
