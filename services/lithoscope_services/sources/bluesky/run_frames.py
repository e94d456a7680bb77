"""Frames of one run on their way out of the detector's files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ExpectedCount, FrameKey, ThetaSource, reason_of
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky.detector_file import (
    MAX_READ_BYTES,
    DetectorFile,
    path_of,
)
from lithoscope_services.sources.bluesky.frames import Frames, Spot
from lithoscope_services.sources.bluesky.run import Resource, Run
from lithoscope_services.sources.bluesky.theta import Theta, Thetas
from lithoscope_services.sources.stream.places import Slot

#: Frames read before documents are looked at again.
BATCH = 16
NO_ROWS: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ready:
    """A frame that can be sent."""

    key: FrameKey
    pixels: NDArray[np.generic]
    theta_deg: float | None
    theta_source: ThetaSource
    is_fetched: bool


class RunFrames:
    """Reads the frames of a run as its documents announce them.

    Parameters
    ----------
    run
        Whose frames they are.
    scan
        Number of the scan.
    expected
        Frames of this run, in the order in which they are taken.
    settings
        Of the source.
    table_deg
        Angles from ``theta_file``; empty without.
    stored
        Frames that are on disk already.
    """

    def __init__(
        self,
        run: Run,
        scan: int,
        expected: tuple[ExpectedCount, ...],
        settings: SourceSettings,
        *,
        table_deg: Sequence[float] = (),
        stored: frozenset[Slot] = frozenset(),
    ) -> None:
        self.run = run
        self.refused: Counter[str] = Counter()
        self.errors: list[str] = []
        self._scan = scan
        self._folder = Path(str(settings.folder))
        self._frames = Frames(run=run, expected=expected)
        self._thetas = Thetas(
            run=run,
            settings=settings,
            n_projections=sum(each.count for each in expected if each.kind == "projection"),
            table_deg=table_deg,
            open_file=self._file,
        )
        self._files: dict[str, DetectorFile] = {}
        self._pending: dict[Slot, Spot] = {}
        self._done: set[Slot] = set(stored)

    @property
    def is_complete(self) -> bool:
        """Whether every frame was sent, or can never be."""
        return not self._pending and len(self._done) >= self._frames.n_expected

    @property
    def shape_and_dtype(self) -> tuple[tuple[int, int], str] | None:
        """Shape and type of the frames, None until the first of them can be read."""
        first = {spot.resource: spot for spot in self._pending.values()}
        for spot in first.values():
            file = self._file_of(spot)
            if file is not None and file.look() and file.has_frames:
                return file.frame_shape, file.dtype.name
        return None

    @property
    def described(self) -> tuple[tuple[int, int], str]:
        """Shape and type as the descriptor has them, for a scan of which no frame can be read."""
        streams = self.run.image_streams
        return streams[0].described if streams else ((1, 1), "uint16")

    def look(self) -> None:
        """Take note of what new documents announce."""
        self._take(self._frames.announced())
        self._count(self._frames.refused)
        self._frames.refused.clear()

    def fetch(self) -> bool:
        """Look in the files for what no document announced, and tell whether there was any."""
        found = self._frames.fetched(self._rows)
        self._take(found)
        return bool(found)

    def fetch_left_over(self) -> bool:
        """Look in the files for a set of which nothing was announced; only at the end."""
        found = self._frames.left_over(self._rows)
        self._take(found)
        return bool(found)

    def ready(self, shape: tuple[int, int], dtype: str, *, is_over: bool) -> Iterator[Ready]:
        """Give some of the frames that can be read now.

        Parameters
        ----------
        shape, dtype
            Of the scan.
        is_over
            Nothing of the run will come any more: what lacks its angle is given up.
        """
        left = BATCH
        is_there: dict[str, bool] = {}
        for spots in self._runs_of_rows():
            file = self._file_of(spots[0])
            if file is None:
                continue
            # One look at each file: what is written a moment later is for the next call.
            uid = spots[0].resource
            if uid not in is_there:
                is_there[uid] = file.look() > 0
            if not is_there[uid]:
                continue
            if not file.has_frames or (file.frame_shape, file.dtype.name) != (shape, dtype):
                self._give_up(spots, SourceError(f"shape: {file}, the scan has {dtype} {shape}"))
                continue
            found = self._with_thetas(spots, file, is_over=is_over)
            pixels = file.read(found[0][0].row, found[-1][0].row + 1) if found else None
            if pixels is None:
                continue
            for spot, theta in found:
                yield from self._checked(spot, theta, pixels[spot.row - found[0][0].row])
            left -= len(found)
            if left <= 0:
                return

    def give_up(self) -> None:
        """Count what is pending as lost, with the reason, and close all files."""
        for spot in list(self._pending.values()):
            file = self._file_of(spot)
            if file is not None:
                reason = file.trouble or f"row: {spot.row} of {file.path} was not written"
                self._give_up([spot], SourceError(reason))
        self._count(list(self._frames.unplaced()))
        for file in self._files.values():
            file.close()

    def _take(self, spots: Sequence[Spot]) -> None:
        for spot in spots:
            if spot.slot not in self._done:
                self._pending[spot.slot] = spot

    def _checked(
        self, spot: Spot, theta: Theta | None, pixels: NDArray[np.generic]
    ) -> Iterator[Ready]:
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            error = SourceError(f"pixels: {spot.slot[0]} {spot.slot[2]} has NaN or infinity")
            self._give_up([spot], error)
            return
        self._settle(spot)
        kind, set_, index = spot.slot
        tile = self.run.start.tile
        yield Ready(
            key=FrameKey(scan=self._scan, tile=tile, kind=kind, set=set_, index=index),
            pixels=pixels,
            theta_deg=None if theta is None else theta.theta_deg,
            theta_source="frame" if theta is None else theta.source,
            is_fetched=spot.is_fetched,
        )

    def _with_thetas(
        self, spots: Sequence[Spot], file: DetectorFile, *, is_over: bool
    ) -> list[tuple[Spot, Theta | None]]:
        found: list[tuple[Spot, Theta | None]] = []
        for spot in spots:
            if not file.has(spot.row):
                continue
            if spot.slot[0] != "projection":
                found.append((spot, None))
                continue
            try:
                theta = self._thetas.of(spot, is_over=is_over)
            except SourceError as error:
                self._give_up([spot], error)
                continue
            if theta is not None:
                found.append((spot, theta))
        return found

    def _runs_of_rows(self) -> Iterator[list[Spot]]:
        """Give pending frames by neighbouring rows, as many as are read at a time."""
        run: list[Spot] = []
        for spot in sorted(self._pending.values(), key=lambda each: (each.resource, each.row)):
            is_next = run and (spot.resource, spot.row) == (run[-1].resource, run[-1].row + 1)
            if run and (not is_next or len(run) >= self._batch(run[0])):
                yield run
                run = []
            run.append(spot)
        if run:
            yield run

    def _batch(self, spot: Spot) -> int:
        file = self._files.get(spot.resource)
        return BATCH if file is None else max(1, min(BATCH, file.rows_in(MAX_READ_BYTES)))

    def _file_of(self, spot: Spot) -> DetectorFile | None:
        """Give the file of a frame; None if it may not be read, and then the frame is given up."""
        try:
            return self._file(self.run.resources[spot.resource])
        except SourceError as error:
            self._give_up([spot], error)
            return None

    def _file(self, resource: Resource) -> DetectorFile:
        if resource.uid not in self._files:
            path = path_of(resource.uri, self._folder)
            self._files[resource.uid] = DetectorFile(path, resource.dataset)
        return self._files[resource.uid]

    def _rows(self, resource: Resource) -> Sequence[int]:
        """Give the rows of a dataset of images that are written."""
        keys = {stream.image_key for stream in self.run.image_streams}
        if keys and resource.data_key not in keys:
            return NO_ROWS
        try:
            file = self._file(resource)
        except SourceError:
            return NO_ROWS
        if not file.look() or not file.has_frames:
            return NO_ROWS
        return file.written

    def _settle(self, spot: Spot) -> None:
        self._pending.pop(spot.slot, None)
        self._done.add(spot.slot)

    def _give_up(self, spots: Sequence[Spot], error: SourceError) -> None:
        for spot in spots:
            self._settle(spot)
            self._count([error])

    def _count(self, errors: Sequence[SourceError]) -> None:
        for error in errors:
            self.refused[reason_of(error)] += 1
            self.errors.append(str(error))
