"""Rows of a scan in files as line integrals: read, corrected, turned upright."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.correct import Correction, EigenBeam, FlatSet, correct, fit_eigen_beam
from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.rotation_axis import RotationAxis, correct_tilt, tilt_halo_rows
from lithoscope_services.phase_choice import halo_rows
from lithoscope_services.sources.file_scan import FileScan


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """How rows of a scan become line integrals.

    Parameters
    ----------
    scan
        Open.
    correction
        What is done to the counts.
    eigen_beam
        The beam of each projection, where flats are ``eigen``.
    axis
        Its tilt is taken off; None, or one without a tilt that counts, leaves rows as they are.
    pivot_row_px
        Row in which the axis stands at its position.
    """

    scan: FileScan
    correction: Correction
    eigen_beam: EigenBeam | None = None
    axis: RotationAxis | None = None
    pivot_row_px: float = 0.0

    @property
    def n_halo_rows(self) -> int:
        """Rows that a slab in the middle of the detector needs beside its own."""
        n_rows = self.scan.frame_shape[0]
        middle = slice(n_rows // 2, n_rows // 2 + 1)
        turned, _, _ = self._turned(middle)
        needed, _, _ = halo_rows(turned, n_rows, self.correction.phase)
        return needed.stop - needed.start - 1

    def attenuation(self, rows: slice, *, frames: slice = slice(None)) -> FloatStack:
        """Read and correct rows.

        Parameters
        ----------
        rows
            Of the detector, half open.
        frames
            Which projections.

        Returns
        -------
        FloatStack
            Line integrals, shape (n_angles, n_rows, n_columns).
        """
        turned, above, below = self._turned(rows)
        needed, before, after = halo_rows(turned, self.scan.frame_shape[0], self.correction.phase)
        found = correct(
            self.scan.projections(needed, frames=frames),
            flat_sets(self.scan, needed),
            self.scan.darks(needed),
            correction=self.correction,
            indices=np.arange(self.scan.n_projections)[frames],
            eigen_beam=self.eigen_beam,
            halo_rows=(before, after),
        )
        if self.axis is None or not self.axis.is_tilted:
            return found
        return correct_tilt(
            found,
            self.axis.tilt_deg,
            rotation_axis_px=self.axis.position_px,
            pivot_row_px=self.pivot_row_px - turned.start,
            rows=slice(above, found.shape[1] - below),
        )

    def _turned(self, rows: slice) -> tuple[slice, int, int]:
        tilt_deg = 0.0 if self.axis is None or not self.axis.is_tilted else self.axis.tilt_deg
        n_rows, n_columns = self.scan.frame_shape
        return tilt_halo_rows(rows, n_rows, tilt_deg, n_columns)


def flat_sets(scan: FileScan, rows: slice) -> Sequence[FlatSet]:
    """Read flats with their places among the projections."""
    return [
        FlatSet(frames=frames, position=float(scan.n_projections) if number else 0.0)
        for number, frames in enumerate(scan.flat_sets(rows))
    ]


def fit_beam(scan: FileScan, rows: slice, correction: Correction) -> EigenBeam | None:
    """Fit the beam of each projection on some rows, if the correction asks for it."""
    if correction.flats != "eigen":
        return None
    return fit_eigen_beam(scan.projections(rows), flat_sets(scan, rows), scan.darks(rows))
