"""The frames of one tile with all that turns them into line integrals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lithoscope_messages import FrameKey, FrameKind
from lithoscope_pipeline.correct import (
    Correction,
    CountStack,
    EigenBeam,
    FlatSet,
    FrameCorrector,
    HaloRows,
    Stripes,
    find_stripes,
    fit_eigen_beam,
    remove_rings,
)
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import Backend
from lithoscope_pipeline.rotation_axis import correct_tilt, tilt_halo_rows
from lithoscope_services.phase_choice import halo_rows
from lithoscope_store import FrameReader

#: Rows that are looked at to find the axis, and the beam where that is fitted. Twice as many take
#: 1 GB at full size and tell little more.
MIDDLE_ROWS: Final = 32
_CORRECTION: Final = TypeAdapter(Correction)


@dataclass(frozen=True, slots=True, kw_only=True)
class UprightAxis:
    """A rotation axis whose tilt is taken off.

    Parameters
    ----------
    position_px
        Column in the row ``pivot_row_px``, and in all rows afterwards.
    tilt_deg
        Angle against the columns of the detector; 0 leaves rows as they are.
    pivot_row_px
        Row of the detector.
    """

    position_px: float
    tilt_deg: float = 0.0
    pivot_row_px: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TileScan:
    """What one tile of a scan is reconstructed from.

    Parameters
    ----------
    frames
        What is on disk.
    indices
        Numbers of the projections that are used, rising, shape (n_angles,).
    thetas_rad
        Their angles, counted from edge-on at a quarter turn, shape (n_angles,).
    flats
        Sets of counts, shape (n_frames, n_rows, n_columns) each.
    darks
        Counts of all sets, shape (n_frames, n_rows, n_columns).
    beam_keys
        The flats and darks that these are.
    correction
        What is done to the counts, made for this number of flat sets.
    """

    frames: FrameReader
    indices: NDArray[np.int64]
    thetas_rad: Angles
    flats: tuple[FlatSet, ...]
    darks: CountStack
    beam_keys: tuple[FrameKey, ...]
    correction: Correction

    @classmethod
    def of(
        cls, frames: FrameReader, correction: Correction, *, edge_on_deg: float, n_expected: int
    ) -> Self:
        """Take what is on disk.

        Parameters
        ----------
        frames
            Of the tile.
        correction
            As asked for.
        edge_on_deg
            Stage angle at which the beam runs along the electrode planes.
        n_expected
            Projections announced: where flats after them lie.
        """
        indices = frames.indices("projection")
        sets = frames.sets("flat")
        return cls(
            frames=frames,
            indices=indices,
            thetas_rad=thetas_rad_of(frames, indices, edge_on_deg),
            flats=tuple(
                FlatSet(frames=frames.read("flat", number), position=n_expected if number else 0)
                for number in sets
            ),
            darks=np.concatenate([frames.read("dark", number) for number in frames.sets("dark")]),
            beam_keys=beam_keys(frames),
            correction=correction.for_flat_sets(len(sets)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        rows, columns = self.darks.shape[1:]
        return rows, columns

    @property
    def middle(self) -> slice:
        """Rows in which the axis is looked for."""
        first = max(0, (self.shape[0] - MIDDLE_ROWS) // 2)
        return slice(first, min(self.shape[0], first + MIDDLE_ROWS))

    @property
    def middle_row_px(self) -> float:
        """Row in which the axis has the position that is found."""
        return self.middle.start + (self.middle.stop - self.middle.start - 1) / 2

    def without(self, is_left_out: NDArray[np.bool_]) -> "TileScan":
        """Leave out projections."""
        return replace(
            self, indices=self.indices[~is_left_out], thetas_rad=self.thetas_rad[~is_left_out]
        )

    def fitted_beam(self) -> EigenBeam | None:
        """Fit the beam of each projection, if the correction asks for it."""
        if self.correction.flats != "eigen":
            return None
        counts = self.frames.read("projection", rows=self.middle, indices=self.indices)
        return fit_eigen_beam(
            counts,
            self.flats_of(self.middle),
            self.darks[:, self.middle],
            indices=self.indices.astype(np.intp),
        )

    def flats_of(self, rows: slice) -> tuple[FlatSet, ...]:
        """Give some rows of the flats."""
        return tuple(
            FlatSet(frames=each.frames[:, rows], position=each.position) for each in self.flats
        )

    def n_needed_rows(self, rows: slice, axis: UprightAxis) -> int:
        """Tell how many rows have to be read for some that are wanted."""
        turned, _, _ = self._turned(rows, axis)
        needed, _, _ = halo_rows(turned, self.shape[0], self.correction.phase)
        return needed.stop - needed.start

    def corrected(
        self, rows: slice, *, axis: UprightAxis | None = None, beam: EigenBeam | None = None
    ) -> "CorrectedRows":
        """Prepare the correction of some rows.

        Parameters
        ----------
        rows
            That are wanted; what phase retrieval and turning need beside them is added.
        axis
            Whose tilt is taken off.
        beam
            From :meth:`fitted_beam`.
        """
        turned, above, below = self._turned(rows, axis)
        needed, before, after = halo_rows(turned, self.shape[0], self.correction.phase)
        return CorrectedRows(
            tile=self,
            needed=needed,
            turned=turned,
            phase_halo=(before, after),
            turn_halo=(above, below),
            axis=axis or UprightAxis(position_px=0.0),
            corrector=FrameCorrector.make(
                self.flats_of(needed), self.darks[:, needed], self.correction, eigen_beam=beam
            ),
        )

    def _turned(self, rows: slice, axis: UprightAxis | None) -> tuple[slice, int, int]:
        n_rows, n_columns = self.shape
        return tilt_halo_rows(rows, n_rows, axis.tilt_deg if axis else 0.0, n_columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedRows:
    """Some rows of a tile as line integrals, of all projections or, if causal, of any.

    Parameters
    ----------
    tile
        Whose rows.
    needed, turned
        Rows that are read, and those of them that are turned upright.
    phase_halo, turn_halo
        Rows read for phase retrieval only, and rows turned that are not wanted.
    axis
        Whose tilt is taken off.
    corrector
        For the rows that are read.
    """

    tile: TileScan
    needed: slice
    turned: slice
    phase_halo: HaloRows
    turn_halo: HaloRows
    axis: UprightAxis
    corrector: FrameCorrector

    @property
    def n_seen_rows(self) -> int:
        """Rows that are read."""
        return self.needed.stop - self.needed.start

    def slices(self, backend: Backend, *, voxel_um: float) -> FloatVolume:
        """Read and correct all projections of the tile and reconstruct their rows.

        Parameters
        ----------
        backend
            With which.
        voxel_um
            Edge of a voxel.

        Returns
        -------
        FloatVolume
            Shape (n_rows, n_columns, n_columns), 1/cm.
        """
        seen = self.seen()
        stripes = find_stripes(seen, method=self.tile.correction.rings)
        return backend.reconstruct(
            self.finish(seen),
            self.tile.thetas_rad,
            rotation_axis_px=self.axis.position_px,
            voxel_um=voxel_um,
            stripes=None if stripes is None else self.finish_stripes(stripes),
        )

    def attenuation(self, indices: NDArray[np.int64] | None = None) -> FloatStack:
        """Read projections and correct them but for stripes, which are known later.

        Parameters
        ----------
        indices
            Their numbers; by default those of the tile. With a correction that is not causal
            they must be all.

        Returns
        -------
        FloatStack
            Line integrals, shape (n_angles, n_rows, n_columns).
        """
        return self.finish(self.seen(indices))

    def seen(self, indices: NDArray[np.int64] | None = None) -> FloatStack:
        """Read projections and correct the rows that are read; stripes and fringes stay."""
        tile, wanted = self.tile, self.tile.indices if indices is None else indices
        counts = tile.frames.read("projection", rows=self.needed, indices=wanted)
        # A fitted beam knows projections by their place among those it was fitted to.
        is_fitted = self.corrector.beam.weights is not None
        numbers = np.searchsorted(tile.indices, wanted) if is_fitted else wanted
        found = self.corrector.attenuation(counts, indices=numbers.astype(np.intp))
        if tile.correction.has_stripes:
            return found
        return remove_rings(found, method=tile.correction.rings)

    def finish_stripes(self, stripes: Stripes) -> Stripes:
        """Make of stripes in what was seen those in what is reconstructed: all of it is linear."""
        return replace(stripes, image=self.finish(stripes.image[None])[0])

    def finish(self, seen: FloatStack) -> FloatStack:
        """Take back fringes and turn rows upright; leave the rows that only served this."""
        found = self.corrector.finish(seen, halo_rows=self.phase_halo)
        if self.axis.tilt_deg == 0.0:
            return found
        above, below = self.turn_halo
        return correct_tilt(
            found,
            self.axis.tilt_deg,
            rotation_axis_px=self.axis.position_px,
            pivot_row_px=self.axis.pivot_row_px - self.turned.start,
            rows=slice(above, found.shape[1] - below),
        )


def correction_of(parameters: Mapping[str, Any]) -> Correction:  # JSON
    """Read a correction back from the parameters of a task.

    Raises
    ------
    ValidationError
        If it is none.
    """
    found: Correction = _CORRECTION.validate_python(parameters)
    return found


def thetas_rad_of(
    frames: FrameReader, indices: NDArray[np.int64], edge_on_deg: float
) -> NDArray[np.float64]:
    """Give angles of projections, counted so that the beam runs edge-on at a quarter turn."""
    places = np.searchsorted(frames.indices("projection"), indices)
    return np.deg2rad(frames.thetas_deg("projection")[places] - edge_on_deg + 90.0)


def beam_keys(frames: FrameReader) -> tuple[FrameKey, ...]:
    """Name the flats and darks that are on disk."""
    kinds: tuple[FrameKind, ...] = ("dark", "flat")
    return tuple(key for key in frames.keys if key.kind in kinds)
