"""Memory that runs out while a scan is reconstructed: said in the fact, and no slice differs."""

from pathlib import Path

import pytest
from live_scans import N_VIEWS
from live_stage import RODS, batch, begun, finish
from small_device import SmallDevice

from lithoscope_pipeline.reconstruct import BackendChoice, FourierBackend
from lithoscope_services.stages.reconstruct import ReconstructStage, tile_work


@pytest.mark.parametrize(
    ("fits", "backend", "flags"),
    [
        pytest.param(100, "small-device", (), id="enough"),
        pytest.param(8, "small-device", ("memory_halved",), id="for half a slab"),
        pytest.param(4, "fourier", ("memory_halved", "device_given_up"), id="too little"),
    ],
)
def test_the_fact_says_what_went_otherwise_than_planned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fits: int,
    backend: str,
    flags: tuple[str, ...],
) -> None:
    live = begun(tmp_path, RODS)
    live.begin(1, RODS)
    live.write(1, RODS, range(N_VIEWS))
    choice = BackendChoice(
        backend=SmallDevice(fits=fits), fallback=FourierBackend(), reason="there is a device"
    )

    with monkeypatch.context() as machine:
        machine.setattr(tile_work, "choice_of", lambda _parameters: choice)
        volume = finish(live, ReconstructStage(), 1)

    ours = {"memory_halved", "device_given_up"}
    assert tuple(flag for flag in volume.flags if flag in ours) == flags
    assert volume.backend == backend
    assert volume.sha256 == batch(live, 1).sha256
