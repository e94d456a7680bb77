"""Sum spectra of projections on a grid, for the slices of a scan: spreading with a short kernel.

Each sample of a spectrum is spread over a few points of a grid slightly finer than the slice asks
for, with the Kaiser-Bessel kernel of [1]_; one fast Fourier transform and a division by the
kernel's own transform give the slice. Slices are the innermost axis, so that one core adds
several at once; a slice has the same bytes whatever others are summed with it.

References
----------
.. [1] P. J. Beatty, D. G. Nishimura and J. M. Pauly, IEEE Trans. Med. Imaging 24, 799 (2005).
   doi:10.1109/TMI.2005.848376
"""

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVector, FloatVolume

LANES: Final = 8  # slices added at once: their real and imaginary parts fill a cache line
WIDTH: Final = 5  # points of the grid, along each axis, that a sample is spread over
OVERSAMPLING: Final = 1.25
MARGIN: Final = WIDTH // 2 + 1
LINES_AT_ONCE: Final = 8  # transformed in the cache
_PARTS: Final = 2 * LANES  # real and imaginary parts of a point of the grid
_VOXELS_AT_ONCE: Final = 128  # of a line, all lanes, in the innermost cache
PER_POINT: Final = 1024  # samples of the tabulated kernel a point of the grid

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPlan:
    """Where samples go, for any number of slices.

    Parameters
    ----------
    size
        Edge of the slice.
    edge
        Edge of the grid.
    directions
        Cosine and sine of each angle, shape (n_angles, 2).
    steps
        Distance of each sample from the origin, in points of the grid, shape (n_freq,).
    period
        Samples of a whole cycle of a spectrum: sample k is the conjugate of sample period - k.
    kernel
        The kernel at distances ``0, 1 / 1024, …`` points of the grid, shape (n,).
    roll_off
        What the slice is divided by along one axis, shape (size,).
    """

    size: int
    edge: int
    directions: NDArray[np.float64]
    steps: NDArray[np.float64]
    period: int
    kernel: FloatVector
    roll_off: FloatVector

    @classmethod
    def make(
        cls,
        thetas_rad: NDArray[np.float64],
        frequencies: NDArray[np.float64],
        size: int,
        *,
        period: int,
    ) -> "GridPlan":
        """Prepare the samples at ``frequencies`` (cycles a voxel, from 0, below 1) of angles."""
        edge = grid_edge(size)
        return cls(
            size=size,
            edge=edge,
            directions=np.stack([np.cos(thetas_rad), np.sin(thetas_rad)], axis=1),
            steps=frequencies * edge,
            period=period,
            kernel=_kaiser_bessel(edge / size),
            roll_off=_roll_off(size, edge),
        )

    @property
    def half(self) -> int:
        """Points of the grid with x >= 0."""
        return self.edge // 2 + 1

    def empty(self) -> Floats:
        """Return a grid of ``LANES`` slices, with margins: (x >= 0, y, parts of the numbers)."""
        return np.zeros((self.half + 2 * MARGIN, self.edge + WIDTH, _PARTS), np.float32)

    def add(self, grid: Floats, spectra: Spectra, factors: Spectra, first_angle: int = 0) -> None:
        """Add the spectra of some projections.

        Parameters
        ----------
        grid
            From :meth:`empty`.
        spectra
            The first samples, up to half a period or more, shape (n_projections, n, LANES),
            contiguous along the lanes.
        factors
            What each sample is multiplied by, shape (n_projections, n_freq).
        first_angle
            Number of the first of them in the plan.
        """
        directions = self.directions[first_angle : first_angle + len(spectra)]
        parts = spectra.view(np.float32)
        _spread(grid, parts, factors, directions, self.steps, self.period, self.kernel)

    def lines(self) -> Spectra:
        """Return room for what :meth:`slices` has in between, for more than one call."""
        return np.empty((self.size, self.half, LANES), np.complex64)

    def slices(
        self, grid: Floats, *, out: FloatVolume | None = None, lines: Spectra | None = None
    ) -> FloatVolume:
        """Transform a grid, which stays as it is, into slices.

        Parameters
        ----------
        grid
            From :meth:`empty`.
        out
            Where the first slices go, shape (n, size, size) with ``n <= LANES``; a new array of
            ``LANES`` by default.
        lines
            From :meth:`lines`; new by default.
        """
        if out is None:
            out = np.empty((LANES, self.size, self.size), np.float32)
        if lines is None:
            lines = self.lines()
        self._along_y(grid, lines)
        self._along_x(lines, out)
        return out

    def _along_y(self, grid: Floats, lines: Spectra) -> None:
        half, edge = self.half, self.edge
        columns = np.empty((LINES_AT_ONCE, edge, LANES), np.complex64)
        for first in range(0, half, LINES_AT_ONCE):
            part = columns[: min(LINES_AT_ONCE, half - first)]
            _fold(grid, first, part.view(np.float32))
            whole = scipy.fft.ifft(part, axis=1, workers=1)
            _keep(whole.view(np.float32), first, lines.view(np.float32))

    def _along_x(self, lines: Spectra, out: FloatVolume) -> None:
        gain = (np.float32(self.edge) / self.roll_off).astype(np.float32)
        for first in range(0, self.size, LINES_AT_ONCE):
            part = lines[first : first + LINES_AT_ONCE]
            whole = scipy.fft.irfft(part, n=self.edge, axis=1, workers=1)
            _place(whole, gain, first, out)


def grid_edge(size: int) -> int:
    """Return the edge of the grid for slices of ``size`` voxels."""
    edge = int(scipy.fft.next_fast_len(int(np.ceil(OVERSAMPLING * size)) + WIDTH))
    return edge + edge % 2


def _beta(oversampling: float) -> float:
    return float(np.pi * np.sqrt((WIDTH / oversampling * (oversampling - 0.5)) ** 2 - 0.8))


def _kaiser_bessel(oversampling: float) -> FloatVector:
    """Tabulate the kernel from its middle to beyond its end, where it is 0."""
    distances = np.arange(WIDTH * PER_POINT // 2 + 3) / PER_POINT
    inside = 1.0 - (2.0 * distances / WIDTH) ** 2
    values = scipy.special.i0(_beta(oversampling) * np.sqrt(np.maximum(inside, 0.0)))
    return np.where(inside >= 0.0, values, 0.0).astype(np.float32)


def _roll_off(size: int, edge: int) -> FloatVector:
    """Transform of the kernel at the voxels of a line."""
    turns = np.pi * WIDTH * (np.arange(size) - size // 2) / edge
    root = np.sqrt(_beta(edge / size) ** 2 - turns**2 + 0j)
    return np.real(WIDTH * np.sinh(root) / root).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _spread(
    grid: Floats,
    spectra: Floats,
    factors: Spectra,
    directions: NDArray[np.float64],
    steps: NDArray[np.float64],
    period: int,
    kernel: FloatVector,
) -> None:
    """Add samples, shape (n_projections, n, parts), to the grid.

    Unsigned indices and long runs let the compiler use the whole width of the processor: it has
    not to look for negative ones, nor, more than once a run, for arrays that overlap.
    """
    edge = grid.shape[1] - WIDTH
    pitch = grid.shape[1] * _PARTS
    points = grid.reshape(-1)
    values = np.empty(_PARTS, np.float32)
    run = np.empty(WIDTH * _PARTS, np.float32)
    for angle in range(spectra.shape[0]):
        for index in range(steps.size):
            x, y, is_turned = _place_of(directions[angle], steps[index], edge)
            turn = np.float32(-1.0 if is_turned else 1.0)
            factor = factors[angle, index]
            is_mirrored = index >= spectra.shape[1]
            known = period - index if is_mirrored else index
            mirror = np.float32(-1.0 if is_mirrored else 1.0)
            for lane in range(LANES):
                real = spectra[angle, known, 2 * lane]
                imag = mirror * spectra[angle, known, 2 * lane + 1]
                values[2 * lane] = real * factor.real - imag * factor.imag
                values[2 * lane + 1] = turn * (real * factor.imag + imag * factor.real)
            x0 = int(np.ceil(x - 0.5 * WIDTH))
            y0 = int(np.ceil(y - 0.5 * WIDTH))
            for j in range(WIDTH):
                weight = _weight(kernel, abs(y0 + j - y))
                for part in range(numba.uint64(_PARTS)):
                    run[numba.uint64(_PARTS * j) + part] = weight * values[part]
            row = y0 + edge if y0 < 0 else y0
            first = numba.uint64((x0 + MARGIN) * pitch + row * _PARTS)
            for i in range(WIDTH):
                weight = _weight(kernel, abs(x0 + i - x))
                for part in range(numba.uint64(WIDTH * _PARTS)):
                    points[first + part] += weight * run[part]
                first += numba.uint64(pitch)


@numba.njit(cache=True, nogil=True, inline="always")
def _place_of(direction: NDArray[np.float64], step: float, edge: int) -> tuple[float, float, bool]:
    """Give the place (x, y) of a sample on the periodic half plane, and whether it is turned.

    The half plane x >= 0 is kept: a sample on the other side is stood in for by its conjugate at
    the opposite place. Voxels are whole, so what lies beyond an end comes in at the other.
    """
    x, y = direction[0] * step, direction[1] * step
    is_turned = x < 0.0
    if is_turned:
        x, y = -x, -y
    if x > 0.5 * edge:
        x, y, is_turned = edge - x, -y, not is_turned
    if y >= 0.5 * edge:
        y -= edge
    elif y < -0.5 * edge:
        y += edge
    return x, y, is_turned


@numba.njit(cache=True, nogil=True, inline="always")
def _weight(kernel: FloatVector, distance: float) -> np.float32:
    place = distance * PER_POINT
    below = int(place)
    share = np.float32(place - below)
    return kernel[below] + share * (kernel[below + 1] - kernel[below])


@numba.njit(cache=True, nogil=True)
def _fold(grid: Floats, first: int, out: Floats) -> None:
    """Copy columns from ``first`` on, with what was spread beyond the ends of the half plane.

    What lies beyond an end is the mirrored conjugate of what lies before it; the columns on the
    ends are their own mirrors.

    Parameters
    ----------
    grid
        Shape (half + 2 MARGIN, edge + WIDTH, parts).
    first
        Number of the first column, not counting the margin.
    out
        Shape (n, edge, parts).
    """
    half = grid.shape[0] - 2 * MARGIN
    for number in range(out.shape[0]):
        x = first + number
        _add_column(grid[x + MARGIN], out[number], False)
        if x <= MARGIN:
            _add_column(grid[MARGIN - x], out[number], True)
        if x >= half - 1 - MARGIN:
            _add_column(grid[2 * (half - 1) - x + MARGIN], out[number], True)


@numba.njit(cache=True, nogil=True)
def _add_column(column: Floats, out: Floats, is_mirrored: bool) -> None:
    """Write a column, its end folded to its beginning, or add it mirrored and conjugated."""
    edge = out.shape[0]
    turn = np.float32(-1.0)
    for row in range(edge):
        other = (edge - row) % edge if is_mirrored else row
        for part in range(_PARTS):
            value = column[other, part]
            if other < WIDTH:
                value += column[edge + other, part]
            if is_mirrored:
                out[row, part] += value if part % 2 == 0 else turn * value
            else:
                out[row, part] = value


@numba.njit(cache=True, nogil=True)
def _keep(whole: Floats, first: int, out: Floats) -> None:
    """Write lines (x, y, parts) of the periodic grid to (y from ``-size // 2``, x, parts)."""
    edge, size = whole.shape[1], out.shape[0]
    before = size // 2  # voxels before the middle: at the far end of a periodic line
    for row in range(size):
        place = row - before + edge if row < before else row - before
        for x in range(whole.shape[0]):
            for part in range(_PARTS):
                out[row, first + x, part] = whole[x, place, part]


@numba.njit(cache=True, nogil=True)
def _place(whole: Floats, gain: FloatVector, first: int, out: Floats) -> None:
    """Write lines (y, x, lane) of the periodic grid to slices (lane, y, x), times the gain."""
    edge, size = whole.shape[1], out.shape[2]
    before = size // 2
    for y in range(whole.shape[0]):
        points = whole[y].reshape(-1)
        for begin, end, place in ((0, before, edge - before), (before, size, 0)):
            for start in range(begin, end, _VOXELS_AT_ONCE):
                n = min(_VOXELS_AT_ONCE, end - start)
                gains = gain[start : start + n] * gain[first + y]
                for lane in range(out.shape[0]):
                    line = out[lane, first + y, start : start + n]
                    begin_point = numba.uint64((place + start - begin) * LANES + lane)
                    for x in range(numba.uint64(n)):
                        line[x] = points[begin_point + numba.uint64(LANES) * x] * gains[x]
