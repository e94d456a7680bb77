"""Frames that a stream lost, fetched from the file that the detector writes beside it.

A file is trusted only if it has as many frames as the scan and those that came are in it as they
came: else its frames are not where they are looked for, or it is the file of another scan.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import google_crc32c
import numpy as np

from lithoscope_messages import FrameKey, FrameKind, ThetaSource
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.file_scan import FileScan, FrameBlock, Frames
from lithoscope_services.sources.files import open_scan
from lithoscope_services.sources.stream.events import ScanEnded, ScanFrame
from lithoscope_services.sources.stream.places import Angles, Layout, Slot

#: Frames of each kind that are compared with what came.
N_COMPARED = 3
ALL = slice(None)


class DetectorFile:
    """The file of one scan.

    Parameters
    ----------
    path
        Where it will lie.
    settings
        With what a scan has, and how long is waited for the file.
    angles
        That the settings give; else those of the file are taken.
    """

    def __init__(self, path: Path, settings: SourceSettings, angles: Angles) -> None:
        self._path = path
        self._angles = angles
        self._settings = settings
        self._layout = Layout(settings)

    def fetch(self, ended: ScanEnded, wait: Callable[[], None]) -> Iterator[ScanFrame]:
        """Give the frames that a scan was closed without, one by one.

        Parameters
        ----------
        ended
            With what came and what did not.
        wait
            Called between two looks at a file that is not finished; takes a moment.

        Raises
        ------
        SourceError
            If the file does not come in time, or is not that of this scan.
        """
        with self._finished(wait) as stored:
            frames = _FileFrames(stored, self._layout)
            for slot in _some(ended.seen):
                if _crc32c(frames.read(slot, ended)) != ended.seen[slot]:
                    raise SourceError(
                        f"{self._path}: {slot[0]} {slot[2]} is not what the stream sent; mend "
                        "detector_file in [source]"
                    )
            for slot in ended.absent:
                theta_deg, theta_source = self._angle(slot, stored)
                kind, set_, index = slot
                yield ScanFrame(
                    key=FrameKey(scan=ended.scan, kind=kind, set=set_, index=index),
                    pixels=frames.read(slot, ended),
                    theta_deg=theta_deg,
                    theta_source=theta_source,
                    time_ns=None,
                )

    def _finished(self, wait: Callable[[], None]) -> FileScan:
        """Open the file as soon as its writer has closed it with all frames in it."""
        deadline_s = time.monotonic() + self._settings.detector_file_wait_s
        while True:
            try:
                stored = open_scan(self._path)
                try:
                    self._check_counts(stored)
                except SourceError:
                    stored.close()
                    raise
            except SourceError:
                if time.monotonic() > deadline_s:
                    raise
                wait()
                continue
            return stored

    def _check_counts(self, stored: FileScan) -> None:
        for kind, blocks in _blocks(stored).items():
            n_there = sum(block.shape[0] for block in blocks)
            n_due = self._layout.count(kind, 0) + self._layout.count(kind, 1)
            if n_there != n_due and n_due:
                raise SourceError(
                    f"{self._path}: {n_there} {kind} frames, the scan has {n_due}; which of them "
                    "are which is not known"
                )

    def _angle(self, slot: Slot, stored: FileScan) -> tuple[float | None, ThetaSource]:
        if slot[0] != "projection":
            return None, stored.theta_source
        planned_deg = self._angles.planned(slot[2])
        if planned_deg is not None:
            return planned_deg, self._angles.planned_source
        return float(stored.thetas_deg[slot[2]]), stored.theta_source


class _FileFrames:
    """Frames of a file by their place in the scan."""

    def __init__(self, stored: FileScan, layout: Layout) -> None:
        self._blocks = _blocks(stored)
        self._layout = layout
        self._path = stored.path

    def read(self, slot: Slot, ended: ScanEnded) -> Frames:
        """Give the pixels of a frame, shape (rows, columns), of the type of the scan."""
        kind, set_, index = slot
        position = index + (self._layout.count(kind, 0) if set_ else 0)
        for block in self._blocks[kind]:
            if position < block.shape[0]:
                pixels = self._read(block, position)
                break
            position -= block.shape[0]
        else:
            raise SourceError(f"{self._path}: no {kind} {index}")
        if pixels.shape != ended.frame_shape or pixels.dtype.name != ended.dtype:
            raise SourceError(
                f"{self._path}: {pixels.dtype.name} {pixels.shape}, the stream sent {ended.dtype} "
                f"{ended.frame_shape}"
            )
        return pixels

    def _read(self, block: FrameBlock, position: int) -> Frames:
        try:
            pixels = block.read(slice(position, position + 1), ALL)[0]
        except OSError as error:
            raise SourceError(
                f"{self._path}: cannot be read: {error}; look at the file"
            ) from error
        if pixels.min() == pixels.max():
            # HDF5 gives what was never written as zeros.
            raise SourceError(f"{self._path}: frame {position} is empty; was it written?")
        return pixels


def _blocks(stored: FileScan) -> Mapping[FrameKind, tuple[FrameBlock, ...]]:
    return {
        "dark": stored.dark_blocks,
        "flat": stored.flat_blocks,
        "projection": (stored.projection_block,),
    }


def _some(seen: Mapping[Slot, int]) -> Iterator[Slot]:
    """Give a few frames of each set that came, the first and the last among them."""
    for kind, set_ in sorted({slot[:2] for slot in seen}):
        indices = sorted(slot[2] for slot in seen if slot[:2] == (kind, set_))
        places = np.linspace(0, len(indices) - 1, min(N_COMPARED, len(indices)))
        yield from ((kind, set_, indices[round(place)]) for place in places.tolist())


def _crc32c(pixels: Frames) -> int:
    return int(google_crc32c.value(np.ascontiguousarray(pixels).tobytes()))
