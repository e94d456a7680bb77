"""Frames of the simulated detector: noise, blur, rings, and the same bytes every time."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import (
    SIZES,
    AcquisitionParameters,
    BeamParameters,
    CellParameters,
    DetectorParameters,
    ResponseParameters,
    ScanFrames,
    make_cell,
)
from lithoscope_pipeline.phantom.frames import make_frames

SMALL_DETECTOR = replace(SIZES["tiny"], n_rows=8, n_columns=96, n_angles=24, voxel_um=9.0)
IDEAL_BEAM = BeamParameters(
    stripe=0.0, grain=0.0, shift_px=0.0, shift_within_px=0.0, decay=0.0, change=0.0, flicker=0.0
)
IDEAL_RESPONSE = ResponseParameters(
    psf_fwhm_px=0.0, gain_error=0.0, bad_pixel_share=0.0, dead_pixel_share=0.0
)
IDEAL = replace(SMALL_DETECTOR, beam=IDEAL_BEAM, response=IDEAL_RESPONSE)


def frames_of(
    detector: DetectorParameters,
    *,
    attenuation: float = 0.1,
    scan: int = 0,
    has_noise: bool = True,
) -> ScanFrames:
    """Frames behind a plate that is equally thick everywhere."""
    shape = detector.n_angles, detector.n_rows, detector.n_columns
    thetas_deg = np.arange(detector.n_angles) * (180.0 / detector.n_angles)
    plate = np.full(shape, attenuation, np.float32)
    return make_frames(detector, plate, thetas_deg, seed=3, scan=scan, has_noise=has_noise)


def corrected(frames: ScanFrames) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Attenuation as the reconstruction sees it."""
    projections = np.stack(list(frames.projections))
    return correct(projections, frames.flats, frames.darks)


@pytest.fixture(scope="module")
def frames() -> ScanFrames:
    return make_cell(seed=3, n_scans=3, detector=SMALL_DETECTOR).frames(1)


def test_frames_come_as_darks_flats_projections(frames: ScanFrames) -> None:
    kinds = [(kind, index) for kind, index, _ in frames]

    assert kinds[:6] == [*(("dark", i) for i in range(5)), ("flat", 0)]
    assert kinds[15] == ("projection", 0)
    assert len(kinds) == 5 + 10 + 24


def test_one_frame_by_itself_is_that_of_the_scan(frames: ScanFrames) -> None:
    again = make_cell(seed=3, n_scans=3, detector=SMALL_DETECTOR).frames(1)
    projections = list(again.projections)

    np.testing.assert_array_equal(frames.frame("projection", 17), projections[17])
    np.testing.assert_array_equal(frames.frame("flat", 4), again.flats[4])


def test_another_seed_gives_other_frames(frames: ScanFrames) -> None:
    other = make_cell(seed=4, n_scans=3, detector=SMALL_DETECTOR).frames(1)

    assert (other.frame("projection", 3) != frames.frame("projection", 3)).mean() > 0.9


def test_no_two_frames_share_their_noise(frames: ScanFrames) -> None:
    first, second = (frames.frame("flat", i).astype(float) for i in (0, 1))

    # Independent noise of sd s: the difference has sd sqrt(2) s, known to 1/sqrt(2 * 768).
    noise = np.sqrt(frames.mean_photons("flat", 0)) * frames.detector.gain
    assert ((first - second) / noise).std() == pytest.approx(np.sqrt(2), rel=0.1)


def test_the_open_beam_has_the_stated_photons(frames: ScanFrames) -> None:
    first = make_cell(seed=3, n_scans=3, detector=SMALL_DETECTOR).frames(0)
    level = first.flats.mean() - first.darks.mean()

    # The standard error of the mean of 7680 pixels is 1e-5 of it, flicker adds 2e-4.
    assert level / frames.detector.gain == pytest.approx(frames.detector.photons, rel=1e-3)


def test_a_projection_is_the_open_beam_behind_the_cell() -> None:
    simulated = make_cell(
        seed=3, n_scans=3, detector=replace(SMALL_DETECTOR, response=IDEAL_RESPONSE)
    )
    frames = simulated.frames(1)
    detector = frames.detector
    beam = frames.mean_photons("flat", 0)
    expected = beam * np.exp(-frames.attenuation[5]) * detector.gain + detector.dark_level
    noise = np.sqrt((expected - detector.dark_level) * detector.gain)

    deviation = (frames.frame("projection", 5) - expected) / noise

    # Decay and flicker move all pixels together, the structure moves by 0.02 of one. 768 pixels:
    # the standard deviation is known to 0.026.
    assert abs(deviation.mean()) < 5.0
    assert deviation.std() == pytest.approx(1.0, abs=0.15)


def test_flats_have_structure_unless_it_is_switched_off() -> None:
    usual = frames_of(SMALL_DETECTOR).mean_photons("flat", 0)
    plain = frames_of(IDEAL).mean_photons("flat", 0)

    assert 0.03 < (usual / usual.mean()).std() < 0.2
    # Of the profile that is left neighbours share all but half a percent.
    assert np.diff(plain / plain.mean(), axis=1).std() == pytest.approx(0.5e-2 * 2**0.5, rel=0.1)


def test_without_noise_flats_are_equal() -> None:
    quiet = make_cell(
        n_scans=1, detector=SMALL_DETECTOR, cell=CellParameters(seed=0, has_noise=False)
    ).frames(0)

    np.testing.assert_array_equal(quiet.frame("flat", 0), quiet.frame("flat", 1))


def test_levels_stay_inside_the_range_of_the_detector(frames: ScanFrames) -> None:
    assert frames.flats.max() < 65_535


def test_a_frame_that_was_not_taken_is_refused(frames: ScanFrames) -> None:
    with pytest.raises(ParameterError, match="projection 24"):
        frames.frame("projection", 24)


def test_scan_zero_does_not_drift_and_others_stay_in_their_limits() -> None:
    simulated = make_cell(n_scans=25)
    drifts = [simulated.drift(scan) for scan in range(25)]

    assert drifts[0].shift_px == (0.0, 0.0, 0.0)
    shifts = np.abs([drift.shift_px for drift in drifts])
    rotations = np.abs([drift.rotation_deg for drift in drifts])
    assert (shifts.max(axis=0) <= [2, 3, 3]).all()
    assert (shifts.max(axis=0) > [1, 1.5, 1.5]).all()
    assert 0.2 < rotations.max() <= 0.3


def test_an_ideal_detector_gives_back_the_attenuation() -> None:
    quiet = corrected(frames_of(IDEAL, attenuation=0.3, has_noise=False))

    # Grey levels are rounded to 1 of 33000.
    np.testing.assert_allclose(quiet, 0.3, atol=1e-4)


def test_noise_is_that_of_the_stated_photons() -> None:
    few = replace(IDEAL, photons=400.0)
    attenuation = 0.5

    noisy = corrected(frames_of(few, attenuation=attenuation))

    # 1 / (photons behind the plate) + 1 / (10 flats); the profile varies by 15 %.
    expected = np.sqrt(np.exp(attenuation) / 400 + 1 / 4000)
    assert noisy.std() == pytest.approx(expected, rel=0.05)


def test_the_scintillator_blurs_by_the_stated_width() -> None:
    detector = replace(IDEAL, n_columns=192, response=replace(IDEAL_RESPONSE, psf_fwhm_px=6.0))
    shape = detector.n_angles, detector.n_rows, detector.n_columns
    edge = np.zeros(shape, np.float32)
    edge[:, :, 96:] = 5.0
    thetas_deg = np.arange(detector.n_angles) * 7.5
    frames = make_frames(detector, edge, thetas_deg, seed=3, scan=0, has_noise=False)

    spread = -np.gradient(np.exp(-corrected(frames)[0, 4]))

    # The standard deviation of the spread, with 1/4 of the two-point derivative's square.
    columns = np.arange(192)[80:112]
    weights = spread[80:112] / spread[80:112].sum()
    middle = (columns * weights).sum()
    variance = ((columns - middle) ** 2 * weights).sum()
    assert np.sqrt(variance - 0.25) * 2.3548 == pytest.approx(6.0, rel=0.05)


def test_light_spread_correlates_noise_and_keeps_its_size() -> None:
    spread = replace(IDEAL, response=replace(IDEAL_RESPONSE, noise_fwhm_px=2.5))

    def noise_of(detector: DetectorParameters) -> tuple[float, float]:
        flats = frames_of(detector).flats.astype(np.float64)
        noise = (flats - flats.mean(axis=0)) / np.sqrt(flats.mean(axis=0))
        neighbours = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var()
        return float(noise.std()), float(neighbours)

    white, correlated = noise_of(IDEAL), noise_of(spread)

    assert correlated[0] == pytest.approx(white[0], rel=0.05)
    assert abs(white[1]) < 0.05
    # exp(-1 / (4 sigma^2)) with sigma = 2.5 / 2.355
    assert correlated[1] == pytest.approx(0.80, abs=0.06)


def test_gain_errors_make_stripes_that_stand_at_all_angles() -> None:
    rings = replace(IDEAL, response=replace(IDEAL_RESPONSE, gain_error=1e-2))

    stripes = corrected(frames_of(rings, has_noise=False)) - np.float32(0.1)

    assert stripes.std() == pytest.approx(1e-2, rel=0.1)
    np.testing.assert_allclose(stripes[0], stripes[-1], atol=1e-4)


def test_bad_pixels_err_tenfold() -> None:
    response = replace(IDEAL_RESPONSE, gain_error=1e-3, bad_pixel_share=0.1)

    stripes = corrected(frames_of(replace(IDEAL, response=response), has_noise=False))[0]

    # A tenth of the pixels holds a hundredfold variance.
    assert (stripes - 0.1).std() == pytest.approx(1e-3 * np.sqrt(0.9 + 10.0), rel=0.25)


def test_dead_pixels_and_columns_read_the_dark_level_in_every_frame() -> None:
    response = replace(IDEAL_RESPONSE, dead_pixel_share=0.05, n_dead_columns=2)
    frames = frames_of(replace(IDEAL, response=response))
    is_dead = frames.response.is_dead

    assert is_dead.all(axis=0).sum() == 2
    assert 0.02 < is_dead.mean() < 0.12
    for kind in ("dark", "flat", "projection"):
        assert (frames.frame(kind, 0)[is_dead] == 100).all()
    # Filled from neighbours, whose noise is about 1.1e-3.
    assert np.abs(corrected(frames) - 0.1).max() < 0.02


def test_zingers_hit_at_their_rate_and_the_truth_says_where() -> None:
    detector = replace(IDEAL, response=replace(IDEAL_RESPONSE, zingers_per_megapixel=5_000.0))
    hit, clean = frames_of(detector), frames_of(IDEAL)

    count = 0
    for index in range(24):
        zingers = hit.zingers("projection", index)
        assert zingers is not None
        rise = hit.frame("projection", index).astype(int) - clean.frame("projection", index)
        assert set(zip(*np.nonzero(rise), strict=True)) == set(
            zip(zingers.rows, zingers.columns, strict=True)
        )
        count += zingers.rows.size

    # 5000 of a million in 24 frames of 768 pixels are 92, give or take 10.
    assert 60 < count < 125
    assert clean.zingers("projection", 0) is None


def test_the_beam_decays_by_the_stated_share() -> None:
    fading = frames_of(replace(IDEAL, beam=replace(IDEAL_BEAM, decay=0.1)), has_noise=False)

    last = corrected(fading)[-1]

    np.testing.assert_allclose(last, 0.1 - np.log(0.9), atol=1e-4)


def test_structure_that_moves_within_a_scan_stays_in_the_projections() -> None:
    structured = replace(IDEAL_BEAM, stripe=0.03, grain=0.03)
    moving = replace(structured, shift_within_px=0.5)

    still, moved = (
        corrected(frames_of(replace(IDEAL, beam=beam), has_noise=False))
        for beam in (structured, moving)
    )

    np.testing.assert_allclose(still, 0.1, atol=1e-4)
    assert moved[-1].std() > 5 * moved[0].std() > 0


def test_flats_differ_between_scans_where_the_beam_drifts() -> None:
    drifting = replace(IDEAL_BEAM, stripe=0.03, grain=0.03, shift_px=0.5, change=0.02)

    def flat(scan: int, beam: BeamParameters) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        frames = frames_of(replace(IDEAL, beam=beam), scan=scan, has_noise=False)
        return frames.mean_photons("flat", 0)

    ratio = flat(2, drifting) / flat(0, drifting)

    assert ratio.std() > 0.002
    assert abs(ratio.mean() - 1) > 0.002
    np.testing.assert_array_equal(flat(2, IDEAL_BEAM), flat(0, IDEAL_BEAM))


def test_the_intensity_flickers_from_frame_to_frame() -> None:
    beam = replace(IDEAL_BEAM, flicker=0.01)
    frames = frames_of(replace(IDEAL, beam=beam))

    levels = [frames.mean_photons("projection", index).mean() for index in range(24)]

    # 24 frames know a standard deviation to 15 %.
    assert np.std(levels) / np.mean(levels) == pytest.approx(0.01, rel=0.4)


def test_flats_after_the_projections_come_last_and_know_where_the_beam_went() -> None:
    beam = replace(IDEAL_BEAM, decay=0.1)
    acquisition = AcquisitionParameters(n_flats_after=3)
    frames = frames_of(replace(IDEAL, beam=beam, acquisition=acquisition), has_noise=False)

    taken = list(frames.taken())

    assert [(frame.kind, frame.set, frame.index) for frame in taken[-3:]] == [
        ("flat", 1, index) for index in range(3)
    ]
    assert len(taken) == 5 + 10 + 24 + 3
    assert len(frames.flats) == 13
    assert frames.flats[-1].mean() / frames.flats[0].mean() == pytest.approx(0.9, abs=1e-3)
