"""Slabs begun while their scan runs: corrected, filtered and gridded in order of the index.

What is begun lives in memory alone. The task of the scan takes it over, adds what came last, and
gets the same bytes as without it; or it says why it could not.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct import MedianFinder, StripeFinder, Stripes, stripe_finder
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import (
    FourierAccumulator,
    FourierPlan,
    accumulator_bytes,
    fourier_bytes,
)
from lithoscope_pipeline.reconstruct.gridding import LANES
from lithoscope_pipeline.truncation import Extension
from lithoscope_services.stages.reconstruct.judge import level_rows, levels_of
from lithoscope_services.stages.reconstruct.slab_order import anchors_first, slabs_within
from lithoscope_services.stages.reconstruct.tile_scan import CorrectedRows, TileScan, UprightAxis

VIEWS_AT_ONCE: Final = 16
#: Corrected rows kept for the search of the axis; more are read and corrected again.
MAX_MIDDLE_BYTES: Final = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyParameters:
    """How slabs are begun.

    Parameters
    ----------
    thetas_rad
        Angle of each projection that is to come: that of the last scan, by index.
    axis
        Expected.
    voxel_um, extension
        As for the reconstruction.
    slab_rows
        Rows of a slab.
    budget_bytes
        Memory that grids may take.
    """

    thetas_rad: Angles
    axis: UprightAxis
    voxel_um: float
    extension: Extension
    slab_rows: int
    budget_bytes: int

    @property
    def n_views(self) -> int:
        """Projections of the scan."""
        return int(self.thetas_rad.size)


@dataclass(slots=True, kw_only=True)
class _Slab:
    """Rows of which some projections were added.

    As soon as the projections are there that stripes are told by, stripes are taken off, a few
    rows at a time, and then the others are added.
    """

    rows: CorrectedRows
    sums: FourierAccumulator
    finder: StripeFinder | None
    stripes: Stripes | None = None
    n_clean_rows: int = 0

    @property
    def n_rows(self) -> int:
        """Rows that become slices."""
        return self.sums.n_rows

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to add."""
        return self.sums.is_complete and not self._must_clean

    def has_work(self, n_there: int) -> bool:
        """Whether something can be added when this many projections are there."""
        return self._must_clean or self.sums.next_index < n_there

    def add(self, stop: int) -> None:
        """Take off stripes if it is time to, or add projections, ``stop`` not included."""
        if self._must_clean:
            self._clean()
            return
        first = self.sums.next_index
        indices = np.arange(first, min(first + VIEWS_AT_ONCE, self._pause(first, stop)))
        seen = self.rows.seen(indices)
        if self.finder is not None and first < self.finder.n_asked:
            self.finder.add(seen)
        self.sums.add(first, self.rows.finish(seen))

    @property
    def _must_clean(self) -> bool:
        if self.finder is None or self.n_clean_rows >= self.n_rows:
            return False
        return self.sums.next_index == self.finder.n_asked

    def _pause(self, first: int, stop: int) -> int:
        asked = 0 if self.finder is None else self.finder.n_asked
        return min(stop, asked) if first < asked else stop

    def _clean(self) -> None:
        if self.stripes is None and self.finder is not None:
            self.stripes = self.rows.finish_stripes(self.finder.stripes())
        if self.stripes is not None:
            first = self.n_clean_rows
            self.sums.subtract_standing(self.stripes.image[first : first + LANES], first_row=first)
            self.n_clean_rows = first + LANES
        if self.n_clean_rows >= self.n_rows:
            self.finder = None


@dataclass(slots=True, kw_only=True)
class _Middle:
    """Rows by which the scan will be judged: their light, and themselves for the axis."""

    rows: CorrectedRows
    levels: NDArray[np.float64]
    attenuation: FloatStack | None
    n_there: int = 0

    def add(self, stop: int) -> None:
        """Take in the next projections, ``stop`` not included."""
        tile = self.rows.tile
        indices = np.arange(self.n_there, min(self.n_there + VIEWS_AT_ONCE, stop))
        rows = level_rows(tile.shape[0])
        counts = tile.frames.read("projection", rows=rows, indices=indices)
        self.levels[indices] = levels_of(tile, counts)
        if self.attenuation is not None:
            self.attenuation[indices] = self.rows.attenuation(indices)
        self.n_there += indices.size


@dataclass(slots=True)
class EarlyTile:
    """Slabs of one tile, begun in the order of anchors as far as memory goes.

    Parameters
    ----------
    tile
        Flats and darks are there; of the projections, some may be. Its correction is causal.
    parameters
        How.
    """

    tile: TileScan
    parameters: EarlyParameters
    n_slabs: int = field(init=False)
    _slabs: dict[int, _Slab] = field(init=False)
    _middle: _Middle = field(init=False)

    def __post_init__(self) -> None:
        n_rows, n_columns = self.tile.shape
        parameters = self.parameters
        plan = FourierPlan.make(
            parameters.thetas_rad,
            n_columns=n_columns,
            rotation_axis_px=parameters.axis.position_px,
            voxel_um=parameters.voxel_um,
            extension=parameters.extension,
        )
        slabs = anchors_first(n_rows, parameters.slab_rows)
        self.n_slabs = len(slabs)
        count = slabs_within([self._slab_bytes(rows) for rows in slabs], parameters.budget_bytes)
        self._slabs = {rows.start: self._begin(rows, plan) for rows in slabs[:count]}
        self._middle = self._begin_middle()

    @property
    def n_begun(self) -> int:
        """Slabs that were begun."""
        return len(self._slabs)

    @property
    def n_views_added(self) -> int:
        """Projections in the slab that has most of them."""
        return max((slab.sums.n_added for slab in self._slabs.values()), default=0)

    def advance(self, n_there: int) -> bool:
        """Add some projections to one slab.

        Parameters
        ----------
        n_there
            Projections from the first on that are on disk without a hole.

        Returns
        -------
        bool
            False if there is nothing to add.
        """
        for slab in self._slabs.values():
            if slab.has_work(n_there):
                slab.add(n_there)
                return True
        if self._middle.n_there < n_there:
            self._middle.add(n_there)
            return True
        return False

    def levels(self) -> NDArray[np.float64]:
        """Give the light of all projections."""
        while self._middle.n_there < self.parameters.n_views:
            self._middle.add(self.parameters.n_views)
        return self._middle.levels

    def middle_attenuation(self) -> FloatStack | None:
        """Give the rows for the search of the axis, of all projections; None if too many.

        They are given once and forgotten.
        """
        self.levels()
        attenuation, self._middle.attenuation = self._middle.attenuation, None
        return attenuation

    def finish(self, first_row: int) -> FloatVolume | None:
        """Add what a slab still lacks, give its slices and forget it; None if not begun."""
        slab = self._slabs.pop(first_row, None)
        if slab is None:
            return None
        while not slab.is_complete:
            slab.add(self.parameters.n_views)
        return slab.sums.volume()

    def _begin(self, rows: slice, plan: FourierPlan) -> _Slab:
        corrected = self.tile.corrected(rows, axis=self.parameters.axis)
        return _Slab(
            rows=corrected,
            sums=FourierAccumulator(plan, n_rows=rows.stop - rows.start),
            finder=stripe_finder(
                self.tile.correction.rings,
                n_angles=self.parameters.n_views,
                n_rows=corrected.n_seen_rows,
                n_columns=self.tile.shape[1],
            ),
        )

    def _slab_bytes(self, rows: slice) -> int:
        """Memory of the sums of a slab, and of what its stripes are told by."""
        n_columns = self.tile.shape[1]
        # Of two grids, the backend holds one at a time.
        pair = (1, LANES + 1, n_columns, n_columns)
        a_grid = accumulator_bytes(*pair) - fourier_bytes(*pair)
        grids = -(-(rows.stop - rows.start) // LANES) * a_grid
        if self.tile.correction.rings != "median":
            return grids
        seen = self.tile.n_needed_rows(rows, self.parameters.axis)
        return grids + MedianFinder.memory_bytes(self.parameters.n_views, seen, n_columns)

    def _begin_middle(self) -> _Middle:
        n_views, rows, n_columns = self.parameters.n_views, self.tile.middle, self.tile.shape[1]
        shape = (n_views, rows.stop - rows.start, n_columns)
        is_small = 4 * np.prod(shape, dtype=np.int64) <= MAX_MIDDLE_BYTES
        return _Middle(
            rows=self.tile.corrected(rows),
            levels=np.empty(n_views),
            attenuation=np.empty(shape, np.float32) if is_small else None,
        )
