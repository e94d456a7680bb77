"""A device with little memory; it obeys the Protocol as a real one would."""

from dataclasses import dataclass, field

from lithoscope_pipeline.correct import Stripes
from lithoscope_pipeline.errors import OutOfMemoryError
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import FourierBackend, MemoryNeed


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDevice:
    """A backend with memory for some rows; ``calls`` has how many it was given each time."""

    fits: int
    name: str = "small-device"
    calls: list[int] = field(default_factory=list)

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
        self.calls.append(attenuation.shape[1])
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
