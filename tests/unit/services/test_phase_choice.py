"""When phase is retrieved, and with what."""

import pytest

from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_services.errors import ServiceError
from lithoscope_services.phase_choice import SaidOfScan, choose_phase_filter, halo_rows
from lithoscope_services.settings import ReconstructSettings, ScanSettings

SAID = SaidOfScan(distance_mm=60.0, energy_kev=27.5, voxel_um=4.5)
SILENT = SaidOfScan(distance_mm=None, energy_kev=None, voxel_um=4.5)
PAGANIN = PaganinFilter(distance_mm=60.0, energy_keV=27.5, voxel_um=4.5)


def test_a_known_distance_brings_phase_retrieval() -> None:
    found = choose_phase_filter(ReconstructSettings(), ScanSettings(), said=SAID)

    assert found == PAGANIN


def test_an_unknown_distance_brings_none() -> None:
    assert choose_phase_filter(ReconstructSettings(), ScanSettings(), said=SILENT) is None


def test_none_means_none() -> None:
    none = ReconstructSettings(phase="none")

    assert choose_phase_filter(none, ScanSettings(), said=SAID) is None


def test_settings_go_before_the_source() -> None:
    scan = ScanSettings(distance_mm=90.0)

    found = choose_phase_filter(ReconstructSettings(), scan, said=SAID)

    assert found is not None
    assert (found.distance_mm, found.energy_keV) == (90.0, 27.5)


def test_a_distance_of_zero_in_the_settings_switches_it_off() -> None:
    contact = ScanSettings(distance_mm=0.0)

    assert choose_phase_filter(ReconstructSettings(), contact, said=SAID) is None


def test_to_demand_it_of_a_scan_without_a_distance_is_refused() -> None:
    demanded = ReconstructSettings(phase="paganin")

    with pytest.raises(ServiceError, match=r"scan\.distance_mm"):
        choose_phase_filter(demanded, ScanSettings(), said=SILENT)


@pytest.mark.parametrize(
    ("rows", "needed"),
    [
        (slice(0, 32), (slice(0, 50), 0, 18)),
        (slice(32, 64), (slice(14, 82), 18, 18)),
        (slice(64, 70), (slice(46, 70), 18, 0)),
    ],
)
def test_a_slab_needs_rows_around_it(rows: slice, needed: tuple[slice, int, int]) -> None:
    # 4 lengths of 4.43 px.
    assert PAGANIN.reach_px == 18

    assert halo_rows(rows, 82 if rows.stop < 70 else 70, PAGANIN) == needed


def test_without_retrieval_a_slab_is_enough_by_itself() -> None:
    assert halo_rows(slice(8, 16), 24, None) == (slice(8, 16), 0, 0)
