"""A backend that gets by with less when memory runs out, and says so once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from lithoscope_pipeline.correct import Stripes
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import Backend, MemoryNeed

# Ours sums so many rows at once on any device: fewer would not need less.
LEAST_DEVICE_ROWS: Final = 8


class GuardedBackend:
    """Runs a backend a few rows at a time; rows are independent, so slices do not change.

    When memory runs out the rows are halved. On a device, when that does not help, the processor
    takes over. What was learnt holds for all slabs that follow.

    Parameters
    ----------
    backend
        Preferred.
    fallback
        On the processor; None if ``backend`` is there already.
    rows_at_a_time
        To begin with, by the plan of memory.
    on_warning
        Told once that rows were halved and once that the processor took over.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        fallback: Backend | None,
        rows_at_a_time: int,
        on_warning: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._backend = backend
        self._fallback = fallback
        self._planned_rows = self._rows = max(1, rows_at_a_time)
        self._on_warning = on_warning
        self._has_halved = self._has_fallen_back = False

    @property
    def name(self) -> str:
        """Name of the backend that is used now."""
        return self._backend.name

    @property
    def rows_at_a_time(self) -> int:
        """Rows that are given to it at once."""
        return self._rows

    @property
    def flags(self) -> tuple[str, ...]:
        """What went otherwise than planned, for a fact."""
        halved = ("memory_halved",) if self._has_halved else ()
        return (*halved, "device_given_up") if self._has_fallen_back else halved

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
        """Reconstruct one slice a detector row; see `Backend`.

        Raises
        ------
        MemoryError
            If not even one row fits.
        """

        def run(rows: slice) -> FloatVolume:
            return self._backend.reconstruct(
                attenuation[:, rows],
                thetas_rad,
                rotation_axis_px=rotation_axis_px,
                voxel_um=voxel_um,
                size=size,
                stripes=None if stripes is None else replace(stripes, image=stripes.image[rows]),
            )

        n_rows = attenuation.shape[1]
        volume: FloatVolume | None = None
        first = 0
        while volume is None or first < n_rows:
            rows = slice(first, first + self._rows)
            try:
                slices = run(rows)
            except MemoryError as error:
                self._take_less(error)
                continue
            if len(slices) == n_rows:
                return slices
            if volume is None:
                volume = np.empty((n_rows, *slices.shape[1:]), dtype=np.float32)
            volume[rows] = slices
            first = rows.stop
        return volume

    def memory(self, *, n_angles: int, n_rows: int, n_columns: int, size: int) -> MemoryNeed:
        """Say what :meth:`reconstruct` takes; see `Backend`."""
        at_once = min(n_rows, self._rows)
        need = self._backend.memory(
            n_angles=n_angles, n_rows=at_once, n_columns=n_columns, size=size
        )
        others = 4 * size**2 * n_rows if at_once < n_rows else 0
        return MemoryNeed(host_bytes=need.host_bytes + others, device_bytes=need.device_bytes)

    def _take_less(self, error: MemoryError) -> None:
        least = 1 if self._fallback is None else LEAST_DEVICE_ROWS
        why = str(error) or "memory ran out"
        if self._rows > least:
            self._rows = max(least, self._rows // 2)
            if not self._has_halved:
                self._has_halved = True
                self._on_warning(
                    f"{self._backend.name}: {why}; going on with {self._rows} rows at a time"
                )
            return
        if self._fallback is None:
            raise error
        self._on_warning(
            f"{self._backend.name}: {why} with {self._rows} rows at a time; going on with "
            f"{self._fallback.name} on the processor"
        )
        self._has_fallen_back = True
        self._backend, self._fallback = self._fallback, None
        self._rows = self._planned_rows
