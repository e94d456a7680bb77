"""Files of frames that are being written: filled here or beside, then waited for together."""

import os
from collections import deque
from concurrent.futures import Executor, Future, wait
from pathlib import Path

from lithoscope_store.durable import begin_flush, naming_full_disk
from lithoscope_store.frame_shard import FrameShard

#: Frames that wait to be written beside; more would only be held in memory.
_MAX_WAITING = 4
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class FrameFiles:
    """Files that are open until they are safe.

    Parameters
    ----------
    executor
        Of one thread that fills files while the next frame is looked at; None fills them at once.
        A failure then shows in :meth:`sync`, not in :meth:`write`.
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor
        self._descriptors: list[int] = []
        self._writing: deque[Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._descriptors)

    def write(self, path: Path, shard: FrameShard) -> None:
        """Begin a file anew with a frame.

        Raises
        ------
        StoreFullError
            If there is no space left; the file is gone.
        """
        with naming_full_disk(path):
            descriptor = os.open(path, _FLAGS, 0o666)
        if self._executor is None:
            try:
                _fill(descriptor, path, shard)
            except OSError:
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise
        else:
            self._writing.append(self._executor.submit(_fill, descriptor, path, shard))
            if len(self._writing) > _MAX_WAITING:
                wait([self._writing[-1 - _MAX_WAITING]])
        self._descriptors.append(descriptor)

    def sync(self) -> None:
        """Wait until all files are on the disk, and close them.

        Raises
        ------
        StoreFullError
            If there is no space left: then nobody knows which of them are there.
        """
        for writing in self._writing:
            writing.result()
        for descriptor in self._descriptors:
            os.fsync(descriptor)
        self.close()

    def close(self) -> None:
        """Close all files, safe or not."""
        wait(self._writing)
        self._writing.clear()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def _fill(descriptor: int, path: Path, shard: FrameShard) -> None:
    with naming_full_disk(path):
        shard.write(descriptor)
    # The disk works while the next frame comes, and the commit waits less.
    begin_flush(descriptor)
