import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_messages import ExpectedCount, FrameKind
from lithoscope_services.beamline import metadata as md
from lithoscope_services.beamline.errors import PlanError
from lithoscope_services.beamline.requests import (
    Flight,
    Optics,
    ScanBounds,
    ScanRequest,
    finer,
    with_flats_repeated,
)

KINDS: tuple[FrameKind, ...] = ("dark", "flat", "projection")
REQUEST = ScanRequest(
    scan=1,
    thetas_deg=tuple(float(i) for i in range(180)),
    n_darks=5,
    n_flats=10,
    optics=Optics(voxel_size_um=1.33),
)


@given(st.sampled_from(KINDS), st.integers(0, 999))
def test_a_stream_name_says_kind_and_set(kind: FrameKind, set_: int) -> None:
    assert md.parse_stream_name(md.stream_name(kind, set_)) == (kind, set_)


@pytest.mark.parametrize(
    "name", ["primary", "baseline", "flats_0", "flats_x", "flat", "", "darks_"]
)
def test_other_streams_hold_no_frames(name: str) -> None:
    assert md.parse_stream_name(name) is None


@given(
    st.lists(
        st.builds(
            ExpectedCount,
            kind=st.sampled_from(KINDS),
            set=st.integers(0, 9),
            count=st.integers(0, 10_000),
        ),
        unique_by=lambda each: (each.kind, each.set),
    )
)
def test_expected_counts_come_back_as_they_were_written(expected: list[ExpectedCount]) -> None:
    assert md.parse_expected(md.expected_value(tuple(expected))) == tuple(expected)


@pytest.mark.parametrize(
    "value", [None, [3], {"flats": 3}, {"flat": -1}, {"flat": True}, {"flat": "3"}, {"dark_0": 1}]
)
def test_wrong_expected_counts_are_named(value: object) -> None:
    with pytest.raises(ValueError, match=md.EXPECTED):
        md.parse_expected(value)


def test_a_request_says_what_is_expected_and_leaves_out_what_it_does_not_know() -> None:
    start = with_flats_repeated(REQUEST, 4).start

    assert start[md.EXPECTED] == {"dark": 5, "flat": 10, "projection": 180, "flat_1": 4}
    assert start[md.VOXEL_SIZE_UM] == 1.33
    assert md.ENERGY_KEV not in start
    assert md.NEXT_CURRENT_MA not in start


def test_a_request_without_angles_is_refused() -> None:
    with pytest.raises(PlanError, match="thetas_deg"):
        ScanRequest(scan=0, thetas_deg=(), n_darks=1, n_flats=1, optics=Optics(voxel_size_um=1.0))


def test_a_smaller_step_makes_a_finer_scan() -> None:
    found = finer(REQUEST, ScanBounds(max_projections=400), step_deg=0.5)

    assert len(found.thetas_deg) == 360
    assert math.isclose(found.thetas_deg[1], 0.5)
    assert found.scan == REQUEST.scan


def test_flats_are_not_repeated_without_a_number() -> None:
    with pytest.raises(PlanError, match="n_flats"):
        with_flats_repeated(REQUEST, 0)


def test_a_flight_exposes_at_its_angles_and_a_plain_motor_can_fly_it() -> None:
    flight = Flight.through(REQUEST.thetas_deg, exposure_s=0.1)

    assert flight.thetas_deg == REQUEST.thetas_deg
    assert (flight.start_position, flight.end_position) == (-0.5, 179.5)
    assert math.isclose(flight.time_for_move, 18.0)
    assert math.isclose(flight.speed, 10.0)
    assert flight.is_even


def test_a_flight_in_another_order_is_not_even() -> None:
    assert not Flight.through((0.0, 90.0, 45.0, 135.0), exposure_s=0.1).is_even
