"""Out of memory is survived: half the rows, then the processor, one warning each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from small_device import SmallDevice

from lithoscope_pipeline.errors import OutOfMemoryError, ParameterError
from lithoscope_pipeline.geometry import FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import Backend, FourierBackend, MemoryNeed
from lithoscope_services.guarded_backend import GuardedBackend

THETAS = np.arange(60) * (np.pi / 60)


def noise(n_rows: int) -> FloatStack:
    values = np.random.default_rng(1).normal(size=(THETAS.size, n_rows, 24))
    return values.astype(np.float32)


def volume(backend: Backend, n_rows: int = 20) -> FloatVolume:
    return backend.reconstruct(noise(n_rows), THETAS, rotation_axis_px=11.5, voxel_um=2.0)


def test_a_few_rows_at_a_time_give_the_same_bytes() -> None:
    guarded = GuardedBackend(FourierBackend(), fallback=None, rows_at_a_time=7)

    assert volume(guarded).tobytes() == volume(FourierBackend()).tobytes()


def test_rows_are_halved_until_they_fit_with_one_warning() -> None:
    said: list[str] = []
    narrow = SmallDevice(fits=3, name="narrow")
    guarded = GuardedBackend(narrow, fallback=None, rows_at_a_time=16, on_warning=said.append)

    found = volume(guarded)

    assert found.tobytes() == volume(FourierBackend()).tobytes()
    assert narrow.calls == [16, 8, 4, *[2] * 10]
    assert said == ["narrow: no memory for 16 rows; going on with 8 rows at a time"]
    assert guarded.flags == ("memory_halved",)


def test_what_was_learnt_holds_for_the_next_slab() -> None:
    narrow = SmallDevice(fits=8)
    guarded = GuardedBackend(narrow, fallback=None, rows_at_a_time=16)

    volume(guarded, 16)
    volume(guarded, 16)

    assert narrow.calls == [16, 8, 8, 8, 8]


def test_a_device_that_has_no_memory_is_given_up_for_the_processor() -> None:
    said: list[str] = []
    device = SmallDevice(fits=0, name="device")
    guarded = GuardedBackend(
        device, fallback=FourierBackend(), rows_at_a_time=32, on_warning=said.append
    )

    found = volume(guarded, 32)

    assert found.tobytes() == volume(FourierBackend(), 32).tobytes()
    assert device.calls == [32, 16, 8]
    assert guarded.name == "fourier"
    assert guarded.flags == ("memory_halved", "device_given_up")
    assert len(said) == 2
    assert "going on with fourier on the processor" in said[1]


def test_slices_made_before_the_memory_ran_out_are_kept() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Tiring(SmallDevice):
        def reconstruct(self, attenuation: FloatStack, *scan: Any, **how: Any) -> FloatVolume:
            if len(self.calls) > 1 and attenuation.shape[1] > 4:
                raise MemoryError
            return SmallDevice.reconstruct(self, attenuation, *scan, **how)

    tiring = Tiring(fits=99)

    found = volume(GuardedBackend(tiring, fallback=None, rows_at_a_time=8), 24)

    assert found.tobytes() == volume(FourierBackend(), 24).tobytes()
    assert tiring.calls == [8, 8, 4, 4]


def test_a_row_that_does_not_fit_anywhere_ends_it() -> None:
    guarded = GuardedBackend(SmallDevice(fits=0), fallback=None, rows_at_a_time=4)

    with pytest.raises(OutOfMemoryError, match="no memory for 1 rows"):
        volume(guarded)


def test_other_failures_are_not_taken_for_a_lack_of_memory() -> None:
    guarded = GuardedBackend(FourierBackend(), fallback=FourierBackend(), rows_at_a_time=4)

    with pytest.raises(ParameterError, match="rotation_axis_px"):
        guarded.reconstruct(noise(8), THETAS, rotation_axis_px=99.0, voxel_um=1.0)


def test_its_memory_is_that_of_the_rows_at_a_time_and_all_slices() -> None:
    guarded = GuardedBackend(SmallDevice(fits=9), fallback=None, rows_at_a_time=4)

    need = guarded.memory(n_angles=60, n_rows=16, n_columns=24, size=10)

    assert need == MemoryNeed(host_bytes=4 + 4 * 16 * 10**2, device_bytes=4)
