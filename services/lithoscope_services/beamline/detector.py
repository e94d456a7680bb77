"""A detector that writes what a camera exposes to wherever its frames are wanted."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from ophyd_async.core import (
    AsyncStatus,
    DetectorAcquireLogic,
    DetectorDataLogic,
    DetectorTriggerLogic,
    StandardDetector,
    StreamableDataProvider,
    StreamResourceDataProvider,
    StreamResourceInfo,
    soft_signal_r_and_setter,
)

from lithoscope_services.beamline.destinations import ANGLES_A_CHUNK, FrameDestination
from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.beamline.metadata import THETA_SUFFIX
from lithoscope_services.beamline.status import in_thread

#: Documents follow the frames at this pace.
_TELL_S = 0.1
_STOP_S = 10.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposure:
    """One frame.

    Parameters
    ----------
    index
        Its number in its set.
    pixels
        Shape (rows, columns).
    theta_deg
        Where the stage stood.
    """

    index: int
    pixels: NDArray[np.generic]
    theta_deg: float


class Camera(Protocol):
    """What a simulated detector sees."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> str:
        """NumPy's name of the type, such as ``<u2``."""
        ...

    async def aim(self) -> None:
        """Look at what stands in the beam now; exposures are counted from 0 again."""
        ...

    def expose(self, first: int, count: int, *, is_network: bool) -> Iterator[Exposure]:
        """Give the exposures of a number of triggers; called in a thread.

        Over a network frames may be missing, doubled or late, if that is simulated.
        """
        ...


class _Exposer:
    """Takes exposures from the camera to the destination, in a thread."""

    def __init__(
        self, camera: Camera, destination: FrameDestination, check: Callable[[], None]
    ) -> None:
        self.camera = camera
        self.destination = destination
        self._check = check
        self.count = 1
        self.period_s = 0.0
        self._n_triggered = 0
        self._stop = threading.Event()
        self.written, self._set_written = soft_signal_r_and_setter(int)
        self.work: asyncio.Future[None] | None = None

    def rewind(self) -> None:
        """Count from 0 again."""
        self._n_triggered = 0
        self._set_written(0)

    def start(self) -> None:
        """Expose as often as was asked for."""
        self._stop.clear()
        first, self._n_triggered = self._n_triggered, self._n_triggered + self.count
        loop, last = asyncio.get_running_loop(), self._n_triggered

        def tell(n_written: int) -> None:
            loop.call_soon_threadsafe(self._set_written, n_written)

        def work() -> None:
            self._expose(first, tell)
            self.destination.settle()
            tell(last)

        # A daemon: a hung disk must not keep the program from ending.
        self.work = asyncio.wrap_future(in_thread(work))

    async def halt(self) -> None:
        """Expose no more; may be asked for twice at once."""
        work = self.work
        if work is None:
            return
        self._stop.set()
        _, pending = await asyncio.wait([work], timeout=_STOP_S)
        if pending:
            log.warning("exposure_left_behind", after_s=_STOP_S)
        elif work.exception() is not None:
            log.info("exposure_stopped", why=str(work.exception()))
        self.work = None

    def _expose(self, first: int, tell: Callable[[int], None]) -> None:
        begin_s = told_s = time.monotonic()
        exposures = self.camera.expose(first, self.count, is_network=self.destination.is_network)
        for done, exposure in enumerate(exposures):
            self._check()
            due_s = begin_s + self.period_s * (done + 1)
            if self._stop.wait(max(0.0, due_s - time.monotonic())):
                raise BeamlineError("the detector was stopped while it exposed")
            self.destination.write(exposure.index, exposure.pixels, exposure.theta_deg)
            if time.monotonic() - told_s > _TELL_S:
                self.destination.flush()
                # Doubled frames over a network are more than were triggered.
                tell(min(first + done + 1, first + self.count - 1))
                told_s = time.monotonic()


@dataclass
class _TriggerLogic(DetectorTriggerLogic):
    exposer: _Exposer

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        self.exposer.count = num
        self.exposer.period_s = livetime + deadtime


@dataclass
class _AcquireLogic(DetectorAcquireLogic):
    exposer: _Exposer

    async def start_acquiring(self) -> None:
        self.exposer.start()

    async def wait_for_idle(self) -> None:
        if self.exposer.work is not None:
            await self.exposer.work

    async def ensure_stopped(self) -> None:
        await self.exposer.halt()


@dataclass
class _DataLogic(DetectorDataLogic):
    exposer: _Exposer

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        camera, destination = self.exposer.camera, self.exposer.destination
        await camera.aim()
        resource = destination.open(datakey_name, camera.shape, camera.dtype)
        self.exposer.rewind()
        images = StreamResourceInfo(
            data_key=datakey_name,
            shape=camera.shape,
            chunk_shape=(1, *camera.shape),
            dtype_numpy=camera.dtype,
            parameters=dict[str, Any](resource.image_parameters),
            source=f"simulated:{datakey_name}",
        )
        angles = StreamResourceInfo(
            data_key=f"{datakey_name}-{THETA_SUFFIX}",
            shape=(),
            chunk_shape=(ANGLES_A_CHUNK,),
            dtype_numpy="<f8",
            parameters=dict[str, Any](resource.theta_parameters),
            source=f"simulated:{datakey_name}-{THETA_SUFFIX}",
        )
        return StreamResourceDataProvider(
            uri=resource.uri,
            resources=[images, angles],
            mimetype=resource.mimetype,
            collections_written_signal=self.exposer.written,
        )

    async def stop(self) -> None:
        await self.exposer.halt()
        self.exposer.destination.close()


class SimulatedDetector(StandardDetector):
    """An area detector that takes the frames of a camera and knows the angle of each.

    Staged, prepared with a number of events, kicked off and completed as any detector of
    ophyd-async is. It has two external data keys: ``<name>`` with images and
    ``<name>-theta_deg`` with the reading of the encoder, both with as many entries.
    Stage it anew for each stream, so that each has a resource of its own.

    Parameters
    ----------
    camera
        What it sees.
    destination
        Where its frames go.
    check
        Called before each frame; may raise to give up.
    name
        Of the device.
    """

    def __init__(
        self,
        camera: Camera,
        destination: FrameDestination,
        *,
        check: Callable[[], None] = lambda: None,
        name: str = "detector",
    ) -> None:
        self._exposer = _Exposer(camera, destination, check)
        self.add_detector_logics(
            _TriggerLogic(self._exposer), _AcquireLogic(self._exposer), _DataLogic(self._exposer)
        )
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Take one exposure."""
        await self._or_failure(super().trigger())

    @AsyncStatus.wrap
    async def complete(self) -> None:
        """Wait until all exposures are taken and where they belong."""
        await self._or_failure(super().complete())

    async def _or_failure(self, waited: Awaitable[None]) -> None:
        """Wait for the frames, or for what keeps them from coming, whichever is first."""
        waiting = asyncio.ensure_future(waited)
        while not waiting.done():
            work = self._exposer.work
            others = {work} if work is not None and not work.done() else set()
            await asyncio.wait({waiting, *others}, return_when="FIRST_COMPLETED", timeout=1.0)
            work = self._exposer.work
            if work is not None and work.done() and work.exception() is not None:
                waiting.cancel()
                await asyncio.wait({waiting})
                work.result()
        waiting.result()
