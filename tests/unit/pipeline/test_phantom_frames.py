"""Frames of the simulated detector: noise of photons, and the same bytes every time."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import SIZES, CellParameters, ScanFrames, make_cell

SMALL_DETECTOR = replace(SIZES["tiny"], n_rows=8, n_columns=96, n_angles=24, voxel_um=9.0)


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
    noise = np.sqrt(frames.beam) * frames.detector.gain
    assert ((first - second) / noise).std() == pytest.approx(np.sqrt(2), rel=0.1)


def test_the_open_beam_has_the_stated_photons(frames: ScanFrames) -> None:
    level = frames.flats.mean() - frames.darks.mean()

    # The standard error of the mean of 7680 pixels is 1e-5 of it.
    assert level / frames.detector.gain == pytest.approx(frames.detector.photons, rel=1e-3)


def test_a_projection_is_the_open_beam_behind_the_cell(frames: ScanFrames) -> None:
    detector = frames.detector
    expected = frames.beam * np.exp(-frames.attenuation[5]) * detector.gain + detector.dark_level
    noise = np.sqrt((expected - detector.dark_level) * detector.gain)

    deviation = (frames.frame("projection", 5) - expected) / noise

    # 768 pixels: the mean is known to 0.036, the standard deviation to 0.026.
    assert abs(deviation.mean()) < 0.15
    assert deviation.std() == pytest.approx(1.0, abs=0.1)


def test_flats_have_structure(frames: ScanFrames) -> None:
    beam = frames.beam / frames.beam.mean()

    assert 0.02 < beam.std() < 0.2


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
