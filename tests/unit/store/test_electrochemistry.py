from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from lithoscope_store.electrochemistry import (
    Electrochemistry,
    ElectrochemistryWriter,
    read_electrochemistry,
)
from lithoscope_store.errors import CorruptDataError, ElectrochemistryError
from lithoscope_store.layout import ExperimentPaths, Store


def test_charge_is_the_integral_of_the_current(paths: ExperimentPaths) -> None:
    writer = ElectrochemistryWriter(paths)

    # 0.75 mA for 10 min is 0.125 mAh; then a ramp to -0.75 mA in 10 min moves nothing.
    added = writer.append(0, [0.0, 600.0, 1200.0], [1.0, 2.0, 3.0], [0.75, 0.75, -0.75])

    assert added is not None
    assert (added.first, added.count, added.time_s) == (0, 3, 1200.0)
    assert added.charge_mAh == pytest.approx(0.125, abs=1e-15)
    read = read_electrochemistry(paths)
    np.testing.assert_allclose(read.charge_mAh, [0, 0.125, 0.125], atol=1e-15)
    assert read.potential_V.tolist() == [1.0, 2.0, 3.0]


def test_charge_between_samples_lies_on_a_line(paths: ExperimentPaths) -> None:
    ElectrochemistryWriter(paths).append(0, [10.0, 20.0], [0.0, 0.0], [360.0, 360.0])

    read = read_electrochemistry(paths)

    charges = [read.charge_at(time_s) for time_s in (0.0, 10.0, 15.0, 20.0, 99.0)]
    assert charges == pytest.approx([0, 0, 0.5, 1.0, 1.0])


def test_without_samples_there_is_no_charge(paths: ExperimentPaths) -> None:
    read = read_electrochemistry(paths)

    assert read.n_samples == 0
    assert read.charge_at(5.0) is None


def test_samples_sent_again_are_left_out(paths: ExperimentPaths) -> None:
    writer = ElectrochemistryWriter(paths)
    writer.append(0, [0.0, 1.0], [0.0, 0.0], [1.0, 1.0])

    assert writer.append(0, [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]) is None
    added = ElectrochemistryWriter(paths).append(1, [1.0, 2.0], [0.0, 5.0], [1.0, 1.0])

    assert added is not None
    assert (added.first, added.count) == (2, 1)
    assert read_electrochemistry(paths).time_s.tolist() == [0.0, 1.0, 2.0]


def test_a_gap_is_refused_and_named(paths: ExperimentPaths) -> None:
    writer = ElectrochemistryWriter(paths)
    writer.append(0, [0.0], [0.0], [1.0])

    with pytest.raises(ElectrochemistryError, match="samples 1 to 4 are missing"):
        writer.append(5, [1.0], [0.0], [1.0])


@pytest.mark.parametrize(
    ("time_s", "current_mA", "message"),
    [
        ([1.0, 0.5], [0.0, 0.0], "the time falls"),
        ([-1.0, 0.5], [0.0, 0.0], "the time falls"),
        ([1.0, 2.0], [0.0, float("nan")], "is no number"),
        ([1.0, 2.0], [0.0], "equally long"),
    ],
)
def test_bad_columns_are_refused_and_nothing_is_stored(
    paths: ExperimentPaths,
    time_s: list[float],
    current_mA: list[float],  # noqa: N803 - the unit is mA
    message: str,
) -> None:
    writer = ElectrochemistryWriter(paths)
    writer.append(0, [0.0], [0.0], [0.0])

    with pytest.raises(ElectrochemistryError, match=message):
        writer.append(1, time_s, [0.0, 0.0], current_mA)

    assert read_electrochemistry(paths).n_samples == 1


def test_zarr_reads_columns_with_units(paths: ExperimentPaths) -> None:
    writer = ElectrochemistryWriter(paths)
    n_samples = 4096 + 10
    writer.append(0, *(np.arange(3.0) for _ in range(3)))
    writer.append(3, *(np.arange(3.0, n_samples) for _ in range(3)))

    array = zarr.open_array(paths.electrochemistry / "current_mA", mode="r")

    np.testing.assert_array_equal(array[:n_samples], np.arange(float(n_samples)))
    assert np.isnan(np.asarray(array[n_samples:])).all()
    assert array.attrs["unit"] == "mA"


def test_a_flipped_byte_is_found(paths: ExperimentPaths) -> None:
    ElectrochemistryWriter(paths).append(0, [0.0], [0.0], [0.0])
    chunk = paths.electrochemistry / "time_s" / "c" / "0"
    damaged = bytearray(chunk.read_bytes())
    damaged[0] ^= 1
    chunk.write_bytes(damaged)

    with pytest.raises(CorruptDataError, match="time_s is damaged"):
        read_electrochemistry(paths)


currents = st.lists(st.floats(-10, 10), min_size=2, max_size=20)


@settings(max_examples=10, deadline=None)
@given(currents=currents, cut=st.integers(1, 19))
def test_how_samples_are_parcelled_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, currents: list[float], cut: int
) -> None:
    times = [float(i) for i in range(len(currents))]
    folder = tmp_path_factory.mktemp("store")

    whole = _written(folder, "whole", times, currents, len(currents))
    cut_up = _written(folder, "cut", times, currents, min(cut, len(currents)))

    assert whole.charge_mAh.tobytes() == cut_up.charge_mAh.tobytes()


def _written(
    folder: Path, name: str, times: list[float], currents: list[float], cut: int
) -> Electrochemistry:
    paths = Store(folder).experiment(name)
    paths.create()
    writer = ElectrochemistryWriter(paths)
    writer.append(0, times[:cut], times[:cut], currents[:cut])
    writer.append(cut, times[cut:], times[cut:], currents[cut:])
    return read_electrochemistry(paths)
