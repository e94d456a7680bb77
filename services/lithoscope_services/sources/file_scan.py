"""A scan that lies in files: what is known of it, and its frames, read only when asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ExpectedCount, FrameDtype, FrameKind, ScanPhase, ThetaSource
from lithoscope_services.errors import SourceError

Frames = NDArray[Any]  # one of the dtypes of FrameDtype
FileFormat = Literal["dxchange", "nxtomo", "tiff_folder"]
ALL = slice(None)
MAX_EDGE_PX = 16_384
MAX_FRAMES = 10**6


class FrameBlock(Protocol):
    """A run of frames of one kind."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """As :meth:`read` gives it: one that may travel in a frame message."""
        ...

    def read(self, frames: slice, rows: slice) -> Frames:
        """Read some rows of some frames, shape (n_frames, n_rows, n_columns)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFrame:
    """One frame on its way to ingest.

    Parameters
    ----------
    kind, set, index
        Its place in the scan.
    theta_deg
        Angle of the sample; None for darks and flats.
    pixels
        Shape (n_rows, n_columns).
    """

    kind: FrameKind
    set: int
    index: int
    theta_deg: float | None
    pixels: Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScan:
    """A complete scan; a context manager that closes its files.

    Parameters
    ----------
    path
        The file or folder it was opened from.
    format
        What it was read as.
    projection_block
        All projections.
    flat_blocks, dark_blocks
        At least one each; a later one was taken after projections.
    thetas_deg
        Angle of each projection, shape (n_projections,), float64.
    theta_source
        Where the angles come from.
    voxel_size_um, energy_keV, distance_mm, sample
        None or empty where the files do not say.
    phase
        Where in the cycling the scan stands, where the files say so.
    close
        Closes the files; harmless when repeated.
    """

    path: Path
    format: FileFormat
    projection_block: FrameBlock
    flat_blocks: tuple[FrameBlock, ...]
    dark_blocks: tuple[FrameBlock, ...]
    thetas_deg: NDArray[np.float64]
    theta_source: ThetaSource
    voxel_size_um: float | None = None
    energy_keV: float | None = None  # noqa: N815 - the unit is keV
    distance_mm: float | None = None
    sample: str = ""
    phase: ScanPhase | None = None
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> "FileScan":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def n_projections(self) -> int:
        """Number of projections."""
        return self.projection_block.shape[0]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Rows and columns of every frame."""
        return self.projection_block.shape[1:]

    @property
    def dtype(self) -> FrameDtype:
        """Type of the projections; flats and darks may differ."""
        return _frame_dtype(self.projection_block)

    @property
    def expected(self) -> tuple[ExpectedCount, ...]:
        """How many frames each set has, as a scan announces them."""
        return tuple(
            ExpectedCount(kind=kind, set=number, count=block.shape[0])
            for kind, number, block in self._sets()
        )

    def projections(self, rows: slice = ALL, *, frames: slice = ALL) -> Frames:
        """Read projections, shape (n_angles, n_rows, n_columns)."""
        return self._checked(self.projection_block, "projections", frames, rows)

    def flats(self, rows: slice = ALL) -> Frames:
        """Read all flats of all sets, shape (n_flats, n_rows, n_columns)."""
        return np.concatenate(self.flat_sets(rows))

    def flat_sets(self, rows: slice = ALL) -> list[Frames]:
        """Read the flats of each set: the first before all projections, others after them."""
        return [self._checked(block, "flats", ALL, rows) for block in self.flat_blocks]

    def darks(self, rows: slice = ALL) -> Frames:
        """Read all darks of all sets, shape (n_darks, n_rows, n_columns)."""
        return np.concatenate([self._checked(b, "darks", ALL, rows) for b in self.dark_blocks])

    def frames(self) -> Iterator[FileFrame]:
        """Give all frames one by one: first darks and flats, then projections, then the rest."""
        return (read() for read in self.frame_readers())

    def frame_readers(self) -> Iterator[Callable[[], FileFrame]]:
        """Give for each frame, in the order of :meth:`frames`, what reads it.

        One that cannot be read raises SourceError and does not keep the others from being read.
        """
        for kind, number, block in self._sets():
            for index in range(block.shape[0]):
                yield partial(self._frame, kind, number, block, index)

    def _frame(self, kind: FrameKind, number: int, block: FrameBlock, index: int) -> FileFrame:
        one = slice(index, index + 1)
        return FileFrame(
            kind=kind,
            set=number,
            index=index,
            theta_deg=float(self.thetas_deg[index]) if kind == "projection" else None,
            pixels=self._checked(block, f"{kind} frames", one, ALL)[0],
        )

    def _sets(self) -> Iterator[tuple[FrameKind, int, FrameBlock]]:
        yield "dark", 0, self.dark_blocks[0]
        yield "flat", 0, self.flat_blocks[0]
        yield "projection", 0, self.projection_block
        for number, block in enumerate(self.flat_blocks[1:], start=1):
            yield "flat", number, block
        for number, block in enumerate(self.dark_blocks[1:], start=1):
            yield "dark", number, block

    def _checked(self, block: FrameBlock, name: str, frames: slice, rows: slice) -> Frames:
        try:
            pixels = block.read(frames, rows)
        except OSError as error:
            raise SourceError(
                f"{self.path}: {name} cannot be read: {error}; the file is damaged, not copied "
                "to its end, or packed with a filter that is not installed: copy it again"
            ) from error
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            bad = np.flatnonzero(~np.isfinite(pixels).all(axis=(1, 2)))[0]
            first = range(block.shape[0])[frames][bad]
            raise SourceError(
                f"{self.path}: {name} hold NaN or infinity, first in frame {first}; write the "
                "raw counts of the detector, or repair these pixels"
            )
        return pixels


def check_scan(scan: FileScan) -> FileScan:
    """Give back a scan whose parts fit together.

    Raises
    ------
    SourceError
        If a kind of frames is missing, or shapes or the number of angles do not agree.
    """
    try:
        _check(scan)
    except SourceError:
        scan.close()
        raise
    return scan


def wire_dtype(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Choose the type in which stored pixels travel: counts as they are, all else float32."""
    if stored.kind == "u" and stored.itemsize <= 4:
        return np.dtype(f"<u{stored.itemsize}")
    return np.dtype("<f4")


def _check(scan: FileScan) -> None:
    n, rows, columns = scan.projection_block.shape
    if n == 0:
        raise SourceError(f"{scan.path}: no projections; give the file of a finished scan")
    if not (1 <= rows <= MAX_EDGE_PX and 2 <= columns <= MAX_EDGE_PX and n <= MAX_FRAMES):
        raise SourceError(
            f"{scan.path}: {n} projections of {rows} x {columns} pixels; at most {MAX_FRAMES} of "
            f"{MAX_EDGE_PX} x {MAX_EDGE_PX} are taken"
        )
    for name, blocks in (("flats", scan.flat_blocks), ("darks", scan.dark_blocks)):
        if sum(block.shape[0] for block in blocks) == 0:
            raise SourceError(
                f"{scan.path}: no {name}; a scan needs at least one flat (beam without sample) "
                "and one dark (no beam): give a file that has them"
            )
        for block in blocks:
            if block.shape[1:] != (rows, columns):
                raise SourceError(
                    f"{scan.path}: {name} of {block.shape[1]} x {block.shape[2]} pixels for "
                    f"projections of {rows} x {columns}; crop all frames alike"
                )
    if scan.thetas_deg.shape != (n,):
        raise SourceError(
            f"{scan.path}: {scan.thetas_deg.size} angles for {n} projections; give one angle a "
            "projection, without those of flats and darks"
        )
    if not np.isfinite(scan.thetas_deg).all():
        bad = int(np.flatnonzero(~np.isfinite(scan.thetas_deg))[0])
        raise SourceError(f"{scan.path}: angle {bad} is no finite number; repair the angles")


def _frame_dtype(block: FrameBlock) -> FrameDtype:
    names: dict[str, FrameDtype] = {
        "u1": "uint8",
        "u2": "uint16",
        "u4": "uint32",
        "f4": "float32",
    }
    return names[block.dtype.str[1:]]
