"""A Bluesky status that a thread fulfils."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Do a piece of work in a thread of its own, which never keeps the program from ending."""
    future: Future[T] = Future()
    # From here on nobody can cancel it under the thread that will fulfil it.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, as a future does
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=run, daemon=True).start()
    return future


class WorkStatus:
    """The status of a piece of work in a thread of its own.

    Parameters
    ----------
    work
        What to do; an exception of it is the failure of the status.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._future = in_thread(work)

    @property
    def done(self) -> bool:
        """Whether the work has ended."""
        return self._future.done()

    @property
    def success(self) -> bool:
        """Whether it has ended well."""
        return self.done and self._future.exception() is None

    def add_callback(self, callback: Callable[["WorkStatus"], None]) -> None:
        """Call back when the work has ended."""
        self._future.add_done_callback(lambda _: callback(self))

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """Give what went wrong, None if nothing did."""
        return self._future.exception(timeout)

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the work, and raise what went wrong."""
        self._future.result(timeout)
