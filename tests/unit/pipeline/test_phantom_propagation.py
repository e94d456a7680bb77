"""Phase contrast of simple bodies against numerical propagation and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.drift import RigidDrift
from lithoscope_pipeline.phantom.line_integrals import Body, project_body
from lithoscope_pipeline.phantom.project_corners import box_corners, project_corners
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View

FAR = Propagation(energy_keV=27.5, distance_mm=60.0, pixel_um=1.33)
FACE_ON = View(
    n_columns=128,
    rotation_axis_px=63.5,
    thetas_rad=np.zeros(1),
    exposure_rad=0.0,
    drift=RigidDrift(),
)


def propagated(
    attenuation: NDArray[np.floating], radians: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Send a wave through 60 mm, exactly: minus log of its intensity. Samples of 1.33 / 16 um."""
    frequency_per_m = np.fft.fftfreq(attenuation.size, 1.33e-6 / 16)
    wavelength_m = 12.39842e-10 / 27.5
    wave = np.exp(-attenuation / 2 - 1j * radians)
    free = np.exp(-1j * np.pi * wavelength_m * 60e-3 * frequency_per_m**2)
    return np.asarray(-np.log(np.abs(np.fft.ifft(np.fft.fft(wave) * free)) ** 2))


def test_the_wavelength_is_that_of_the_energy() -> None:
    # hc = 12.39842 keV angstrom.
    assert FAR.wavelength_um == pytest.approx(12.39842e-4 / 27.5)


@pytest.mark.parametrize("depth_um", [0.5, 5.0])
def test_a_weak_strip_looks_as_the_wave_behind_it(depth_um: float) -> None:
    # Lithium in polymer, 41 um wide.
    half_px, constant = 15.3, 0.31 + 20.5j
    fine = (np.arange(4096) - 2048) / 16 + 1 / 32
    inside = np.abs(fine) < half_px
    radians = 2 * np.pi / FAR.wavelength_um * 20.5e-8 * depth_um

    strip = box_corners((-half_px, half_px), (0.0, depth_um / 1.33), constant)
    found = project_corners(strip, FACE_ON, np.zeros(1), FAR)[0, 0] * 1.33e-4

    exact = propagated(inside * 0.31e-4 * depth_um, inside * radians)
    # Pixel k of 128 reaches from k - 64 to k - 63.
    expected = exact.reshape(-1, 16).mean(axis=1)[64:192]
    # What the linear form neglects is of the second order in the phase of 0.014 and 0.14 rad.
    assert np.abs(found - expected).max() < radians**2
    assert np.ptp(found) > 0.4 * radians


def test_without_a_distance_there_are_no_fringes() -> None:
    strip = box_corners((-15.0, 15.0), (0.0, 10.0), 0.31 + 20.5j)
    contact = replace(FAR, distance_mm=0.0)

    found = project_corners(strip, FACE_ON, np.zeros(1), contact)[0, 0]

    # Pixel 63.5 +- 15 lies on the edge of a pixel.
    np.testing.assert_allclose(found[49:79], 3.1, rtol=1e-4)
    np.testing.assert_allclose(found[:48], 0.0, atol=1e-4)


def test_propagation_keeps_the_sum() -> None:
    taps = FAR.row_taps()

    assert taps.sum() == pytest.approx(1.0)
    # chi at half the frequency of rows is pi 1.53 / 16 = 0.3.
    half = taps @ np.exp(-0.5j * np.pi * (np.arange(taps.size) - FAR.reach_px))
    assert half == pytest.approx(np.exp(-1j * FAR.chi(np.array(0.25))), abs=0.005)


def test_fringes_of_a_particle_are_round() -> None:
    parts = (np.arange(256) - 128) / 2
    across = np.hypot(parts[:, None], parts)

    def slices(heights_px: NDArray[np.floating]) -> NDArray[np.complex64]:
        # A Gaussian ball, which has no edges for samples to blur.
        falls = np.exp(-(across**2 + heights_px[:, None, None] ** 2) / (2 * 4.0**2))
        return ((0.5 + 30j) * falls).astype(np.complex64)

    still = replace(FACE_ON, n_columns=65, rotation_axis_px=32.0)
    body = Body(corners=box_corners((-1.0, 1.0), (-1.0, 1.0), 0j), slices=slices)

    image = project_body(body, still, np.arange(-32.0, 33.0), FAR)[0]

    assert image.min() < -0.1 * image.max()
    # Pixels average along columns and not, here, along rows: 1 / (24 sigma**2) of a curvature.
    np.testing.assert_allclose(image, image.T, atol=0.02 * image.max())


def test_a_sample_that_moves_is_seen_where_it_went() -> None:
    parts = (np.arange(256) - 128) / 2
    across = np.hypot(parts[:, None], parts)

    def slices(heights_px: NDArray[np.floating]) -> NDArray[np.complex64]:
        falls = np.exp(-(across**2 + heights_px[:, None, None] ** 2) / (2 * 2.5**2))
        return falls.astype(np.complex64)

    moving = replace(
        FACE_ON, n_columns=65, rotation_axis_px=32.0, motion_px=np.array([[0.7, 0.0, -0.4]])
    )
    body = Body(corners=box_corners((-1.0, 1.0), (-1.0, 1.0), 0j), slices=slices)

    image = project_body(body, moving, np.arange(-32.0, 33.0), replace(FAR, distance_mm=0.0))[0]

    places = np.arange(-32.0, 33.0)
    assert (image.sum(axis=0) @ places) / image.sum() == pytest.approx(0.7, abs=0.01)
    assert (image.sum(axis=1) @ places) / image.sum() == pytest.approx(-0.4, abs=0.01)
