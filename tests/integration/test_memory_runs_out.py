"""Memory that runs out while a scan is reconstructed: said in the fact, and no slice differs."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from live_scans import N_VIEWS
from live_stage import RODS, batch, begun, finish

from lithoscope_pipeline.correct import Stripes
from lithoscope_pipeline.errors import OutOfMemoryError
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import BackendChoice, FourierBackend, MemoryNeed
from lithoscope_services.stages.reconstruct import ReconstructStage, tile_work


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDevice:
    """A device with memory for some rows; it obeys the Protocol as a real one would."""

    fits: int
    name: str = "small-device"

    def reconstruct(
        self,
        attenuation: FloatStack,
        thetas_rad: Angles,
        *,
        rotation_axis_px: float,
        voxel_um: float,
        size: int | None = None,
        stripes: Stripes | None = None,
    ) -> FloatVolume:
        if attenuation.shape[1] > self.fits:
            raise OutOfMemoryError(f"no memory for {attenuation.shape[1]} rows")
        return FourierBackend().reconstruct(
            attenuation,
            thetas_rad,
            rotation_axis_px=rotation_axis_px,
            voxel_um=voxel_um,
            size=size,
            stripes=stripes,
        )

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        return MemoryNeed(host_bytes=n_rows, device_bytes=n_rows)


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
