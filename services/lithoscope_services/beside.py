"""Run a source in a thread beside a service's loop, which goes on beating."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from lithoscope_services.errors import ServiceError, StopRequested
from lithoscope_services.loop import Loop

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stopper:
    """How the loop tells the thread of a source to stop."""

    event: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise if told to stop."""
        if self.event.is_set():
            raise StopRequested("the source was told to stop")

    def wait(self, seconds: float) -> None:
        """Sleep, unless told to stop."""
        if seconds > 0:
            self.event.wait(seconds)
        self.check()


def run_beside(loop: Loop, name: str, work: Callable[[Stopper], None]) -> None:
    """Run ``work`` beside the loop; the loop ends with it, and tells it to stop when it ends.

    Parameters
    ----------
    loop
        Of this process.
    name
        Of the source, for messages.
    work
        Gets what tells it to stop; must look at it at least every second.

    Raises
    ------
    ServiceError
        If ``work`` failed; with its failure as cause.
    """
    stopper = Stopper()
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            work(stopper)
        except StopRequested:
            log.info("source_stopped")
        except Exception as error:
            # An order to stop may come back wrapped by a library.
            if stopper.event.is_set():
                log.info("source_stopped")
            else:
                log.exception("source_failed")
                failures.append(error)
        finally:
            loop.stop()

    thread = threading.Thread(target=guarded, name="source", daemon=True)
    thread.start()
    loop.run()
    stopper.event.set()
    thread.join(timeout=2.0)
    if failures:
        raise ServiceError(f"{name} source: {failures[0]}") from failures[0]
    if thread.is_alive():
        log.warning("source_left_behind")
