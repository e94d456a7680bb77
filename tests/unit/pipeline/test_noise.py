"""Noise against noise that was put in."""

import numpy as np
import pytest

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.noise import TooFewSlicesError, find_noise


def layers(sigma: float, *, scale: float = 1.0, offset: float = 0.0) -> FloatVolume:
    """Two layers a unit apart, the lower one with grains, under white noise."""
    rng = np.random.default_rng(3)
    volume = np.zeros((9, 80, 90))
    volume[:, :40] = 1.0
    volume[2:6, 10:14, 30:60] = 3.0
    volume += rng.normal(0.0, sigma, volume.shape)
    return (scale * volume + offset).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_noise_is_that_which_was_put_in(sigma: float) -> None:
    noise = find_noise(layers(sigma))

    # 50 000 second differences, of which neighbours share values: 1 % is three deviations.
    assert noise.sigma == pytest.approx(sigma, rel=0.02)
    assert noise.contrast == pytest.approx(1.0, rel=0.1)


def test_the_grey_scale_does_not_matter() -> None:
    plain, scaled = find_noise(layers(0.1)), find_noise(layers(0.1, scale=250.0, offset=1000.0))

    assert scaled.relative == pytest.approx(plain.relative, rel=1e-3)


def test_half_the_dose_is_a_root_of_two_in_noise() -> None:
    # Photons are counted: half of them have the square root of two times the relative noise.
    rng = np.random.default_rng(1)
    counts = rng.poisson(20_000, (9, 80, 80)), rng.poisson(10_000, (9, 80, 80))
    attenuation = [-np.log(each / each.mean()).astype(np.float32) for each in counts]

    full, half = (find_noise(each).sigma for each in attenuation)

    assert half / full == pytest.approx(2**0.5, rel=0.02)


def test_two_slices_tell_no_noise() -> None:
    with pytest.raises(TooFewSlicesError, match="at least 3"):
        find_noise(layers(0.1)[:2])
