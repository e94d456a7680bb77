"""Line integrals of some detector rows: flat parts in closed form, the rest from slices."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phantom.project_corners import Corners, project_corners
from lithoscope_pipeline.phantom.projector import ComplexSlices, SliceProjector, Wave
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View

Array = NDArray[np.floating]

_ROWS_AT_ONCE: Final = 16  # of a narrow view; of a wide one as many fewer as it has
_COLUMNS_AT_ONCE: Final = 8192  # columns in all: 0.2 GB of slices
_ANGLES_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is projected: rectangles, and how slices differ from them.

    Parameters
    ----------
    corners
        The rectangles.
    slices
        Gives the slices at some heights above the centre of the volume, pixels; complex, shape
        (n_rows, n_y, n_x), 1/cm and 1e-8, the rotation axis at half of n_y and n_x. It is called
        from several threads.
    """

    corners: Corners
    slices: Callable[[Array], ComplexSlices]


def project_body(
    body: Body,
    view: View,
    heights_px: Array,
    propagation: Propagation,
    *,
    n_threads: int = 2,
) -> FloatStack:
    """Project a body onto detector rows.

    Parameters
    ----------
    body
        The body.
    view
        Columns, angles, drift and motion.
    heights_px
        Height of each row above the centre of the volume, one pixel apart, shape (n_rows,).
    propagation
        The way to the detector: it mixes a row with those `Propagation.reach_px` around it.
    n_threads
        Rows that are worked on at the same time; the result does not depend on it.

    Returns
    -------
    FloatStack
        Effective attenuation times voxels, shape (n_angles, n_rows, n_columns).
    """
    mixer = _RowMixer.make(view, propagation)
    rows_px = heights_px[0] + np.arange(-mixer.reach, len(heights_px) + mixer.reach)
    n_at_once = max(2, min(_ROWS_AT_ONCE, _COLUMNS_AT_ONCE // view.n_columns))
    batches = [rows_px[i : i + n_at_once] for i in range(0, len(rows_px), n_at_once)]
    projectors: SimpleQueue[SliceProjector | None] = SimpleQueue()
    for _ in range(n_threads):
        projectors.put(None)

    def project(batch_px: Array) -> Wave:
        slices = body.slices(batch_px)
        shape = slices.shape[1], slices.shape[2]
        projector = projectors.get() or SliceProjector(shape, view, propagation)
        wave = projector.project(slices, batch_px)
        projectors.put(projector)
        return wave

    with ThreadPoolExecutor(n_threads, thread_name_prefix="project") as threads:
        flat = threads.submit(project_corners, body.corners, view, heights_px, propagation)
        waves = _in_order(threads, project, batches, n_ahead=n_threads)
        out = flat.result()
        first = -2 * mixer.reach
        for wave in waves:
            mixer.add(wave, out, first)
            first += wave.direct.shape[1]
    return out


def _in_order(
    threads: ThreadPoolExecutor,
    work: Callable[[Array], Wave],
    batches: list[Array],
    *,
    n_ahead: int,
) -> Iterator[Wave]:
    """Yield results in order, with no more of them in memory than threads at work and one."""
    waiting: deque[Future[Wave]] = deque()
    for batch in batches:
        waiting.append(threads.submit(work, batch))
        if len(waiting) > n_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowMixer:
    """Propagation and motion along the rows: weights of rows, shape (n_angles or 1, n_taps)."""

    reach: int
    taps: NDArray[np.complex128]

    @classmethod
    def make(cls, view: View, propagation: Propagation) -> "_RowMixer":
        if not view.rise_px.any():
            taps = propagation.row_taps()[None]
        else:
            taps = np.stack([propagation.row_taps(rise) for rise in view.rise_px])
        return cls(reach=taps.shape[1] // 2, taps=taps.astype(np.complex128, copy=False))

    def add(self, wave: Wave, out: FloatStack, first: int) -> None:
        """Add rows of a wave, the lowest of which reaches rows of ``out`` from ``first`` on."""
        n_in, n_out = wave.direct.shape[1], out.shape[1]
        rows = np.arange(max(first, 0), min(first + n_in + 2 * self.reach, n_out))
        if rows.size == 0:
            return
        # Row i of the wave has its own place at first + reach + i.
        tap = rows[:, None] - first - np.arange(n_in)
        is_near = (tap >= 0) & (tap <= 2 * self.reach)
        weights = np.where(is_near, self.taps[:, np.clip(tap, 0, 2 * self.reach)], 0.0)
        box = slice(int(rows[0]), int(rows[-1]) + 1)
        for start in range(0, len(out), _ANGLES_AT_ONCE):
            angles = slice(start, start + _ANGLES_AT_ONCE)
            mine = weights[angles] if len(weights) > 1 else weights
            out[angles, box] += mine.real.astype(np.float32) @ wave.direct[angles]
            if wave.coupled is not None:
                out[angles, box] -= mine.imag.astype(np.float32) @ wave.coupled[angles]
