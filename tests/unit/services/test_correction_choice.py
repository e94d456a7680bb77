"""What the settings make of the counts of a scan."""

from typing import get_args, get_type_hints

from lithoscope_pipeline.correct import Correction, FlatMode, RingMethod
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_services.correction_choice import choose_correction
from lithoscope_services.settings import ReconstructSettings

PAGANIN = PaganinFilter(distance_mm=6.0, energy_keV=27.5, voxel_um=1.33)


def test_by_default_a_scan_with_flats_before_is_corrected_as_it_comes() -> None:
    correction = choose_correction(ReconstructSettings(), phase=PAGANIN, n_flat_sets=1)

    assert correction.is_causal
    assert correction.phase is PAGANIN


def test_flats_after_are_waited_for() -> None:
    correction = choose_correction(ReconstructSettings(), phase=None, n_flat_sets=2)

    assert "flats after" in correction.why_not_causal


def test_flats_before_alone_need_not_wait() -> None:
    settings = ReconstructSettings(flats="before")

    assert choose_correction(settings, phase=None, n_flat_sets=2).is_causal


def test_what_is_set_is_done() -> None:
    settings = ReconstructSettings(flats="mean", zingers=0.5, rings="median")

    correction = choose_correction(settings, phase=None, n_flat_sets=2)

    assert correction == Correction(flats="mean", zinger_threshold=0.5, rings="median")


def test_settings_offer_all_methods_that_there_are() -> None:
    hints = get_type_hints(ReconstructSettings)

    assert get_args(hints["flats"]) == get_args(FlatMode)
    assert get_args(hints["rings"]) == get_args(RingMethod)
