"""Image-level training data against the chain: noise spectrum and edges, on another cell."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal.windows import tukey

from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.chain import reconstructed, true_transform
from lithoscope_models.data.image_level import calibrate, imaged
from lithoscope_models.data.image_model import ImageModel, seen_by
from lithoscope_pipeline.phantom import SIZES, SimulatedCell
from lithoscope_pipeline.resample import resample_region

SCAN = 0  # not resampled: what that adds is the same linear interpolation in both
N_BANDS = 8


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return calibrate(CellDraw(seed=1701, size="tiny"))


@pytest.fixture(scope="module")
def cell() -> SimulatedCell:
    return drawn_cell(CellDraw(seed=31, size="tiny"))


def _quiet(cell: SimulatedCell) -> SimulatedCell:
    return replace(cell, cell=replace(cell.cell, has_noise=False))


def _seen(cell: SimulatedCell) -> NDArray[np.float32]:
    box = cell.roi
    roi = replace(box, y0=box.y0 - 8, y1=box.y1 + 8)
    return resample_region(reconstructed(cell, SCAN), true_transform(cell, SCAN), roi=roi).volume


@pytest.fixture(scope="module")
def chain(cell: SimulatedCell) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A scan through the chain without noise, and its noise."""
    clean = _seen(_quiet(cell))
    return clean, _seen(cell) - clean


@pytest.fixture(scope="module")
def made(
    cell: SimulatedCell, model: ImageModel
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same scan at the level of images, without noise, and its noise."""
    box = cell.roi
    roi = replace(box, y0=box.y0 - 8, y1=box.y1 + 8)
    silent = replace(model, noise=np.zeros_like(model.noise))
    clean = imaged(cell, SCAN, roi, silent, np.random.default_rng(1))
    return clean, imaged(cell, SCAN, roi, model, np.random.default_rng(1)) - clean


def _bands(noise: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root of the power in rings of spatial frequency, averaged over slices."""
    window = tukey(noise.shape[1], 0.3)[:, None] * tukey(noise.shape[2], 0.3)
    power = (np.abs(np.fft.rfft2(noise * window, norm="ortho")) ** 2).mean(axis=0)
    radius = np.hypot(
        np.fft.fftfreq(noise.shape[1])[:, None], np.fft.rfftfreq(noise.shape[2])[None]
    )
    # Below a thirtieth of a cycle a voxel there are too few modes to average.
    index = np.digitize(radius, np.linspace(1 / 30, 0.5, N_BANDS + 1)) - 1
    return np.array([np.sqrt(power[index == band].mean()) for band in range(N_BANDS)])


def test_noise_has_the_spectrum_of_the_chain(chain, made) -> None:  # type: ignore[no-untyped-def]
    # Some hundred modes a band and two dozen slices that share neighbours: 3 % by chance.
    np.testing.assert_allclose(_bands(made[1]), _bands(chain[1]), rtol=0.1)


def test_noise_is_as_strong_as_that_of_the_chain(chain, made) -> None:  # type: ignore[no-untyped-def]
    assert made[1].std() == pytest.approx(chain[1].std(), rel=0.1)


def test_neighbouring_slices_share_as_much_noise(chain, made) -> None:  # type: ignore[no-untyped-def]
    shared = [np.mean(noise[1:] * noise[:-1]) / np.mean(noise**2) for noise in (made[1], chain[1])]

    assert shared[0] == pytest.approx(shared[1], abs=0.1)


def _edge(volume: NDArray[np.float32], face_px: float) -> NDArray[np.float64]:
    """Mean profile across the outer face of the plating side, from 0 to 1."""
    row = round(face_px)
    profile = volume[:, row - 5 : row + 6].mean(axis=(0, 2)).astype(np.float64)
    return (profile - profile[:3].mean()) / (profile[-3:].mean() - profile[:3].mean())


def test_an_edge_is_as_sharp_as_in_the_chain(  # type: ignore[no-untyped-def]
    cell: SimulatedCell, chain, made
) -> None:
    middle = (cell.detector.n_columns - 1) / 2
    face_px = cell.planes(SCAN).outer_high_um / cell.voxel_um + middle - cell.roi.y0 + 8

    found, wanted = _edge(made[0], face_px), _edge(chain[0], face_px)

    # A tenth of the step: the profile at each voxel, and the steepest slope.
    np.testing.assert_allclose(found, wanted, atol=0.1)
    assert np.diff(found).max() == pytest.approx(np.diff(wanted).max(), rel=0.1)


def test_another_scintillator_and_another_beam_are_as_in_the_chain(model: ImageModel) -> None:
    cell = drawn_cell(CellDraw(seed=32, size="tiny", family="blurred", spread=1.0))
    assert cell.detector.response.psf_fwhm_px == 2.0
    assert abs(cell.detector.photons / SIZES["tiny"].photons - 1) > 0.2
    box = cell.roi
    roi = replace(box, y0=box.y0 - 8, y1=box.y1 + 8)
    middle = (cell.detector.n_columns - 1) / 2
    face_px = cell.planes(SCAN).outer_high_um / cell.voxel_um + middle - roi.y0

    told = seen_by(model, SIZES["tiny"], cell.detector)
    quiet = replace(told, noise=np.zeros_like(told.noise))
    clean = imaged(cell, SCAN, roi, quiet, np.random.default_rng(1))
    noise = imaged(cell, SCAN, roi, told, np.random.default_rng(1)) - clean
    through_chain = _seen(_quiet(cell))

    found, wanted = _edge(clean, face_px), _edge(through_chain, face_px)
    np.testing.assert_allclose(found, wanted, atol=0.1)
    assert np.diff(found).max() == pytest.approx(np.diff(wanted).max(), rel=0.15)
    assert noise.std() == pytest.approx((_seen(cell) - through_chain).std(), rel=0.15)
