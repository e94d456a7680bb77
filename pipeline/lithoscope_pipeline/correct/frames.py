"""Correction of projections as they come: prepared once a scan, the same bytes in any portions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct.beam import (
    Beam,
    EigenBeam,
    flat_sets,
    mean_frame,
    mean_of_sets,
    sum_frames,
)
from lithoscope_pipeline.correct.correction import Correction, CountStack, Flats, FlatSet
from lithoscope_pipeline.correct.dead_pixels import (
    DeadPixels,
    bridge_dead_pixels,
    find_dead_pixels,
)
from lithoscope_pipeline.correct.kernel import attenuation_of
from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatStack
from lithoscope_pipeline.phase_retrieval import retrieve_phase

HaloRows = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCorrector:
    """What the projections of a scan need of its flats and darks, for some rows.

    Parameters
    ----------
    correction
        What is done.
    dark
        Mean dark, 0 where pixels are dead, shape (n_rows, n_columns).
    beam
        The open beam, 1 where pixels are dead.
    dead
        Pixels that are filled from their row.
    """

    correction: Correction
    dark: FloatImage
    beam: Beam
    dead: DeadPixels

    @classmethod
    def make(
        cls,
        flats: Flats,
        darks: CountStack,
        correction: Correction,
        *,
        eigen_beam: EigenBeam | None = None,
    ) -> Self:
        """Average flats and darks and find dead pixels.

        Parameters
        ----------
        flats
            One stack of counts, or sets with their positions.
        darks
            Counts, shape (n_frames, n_rows, n_columns) or averaged (n_rows, n_columns).
        correction
            What is to be done.
        eigen_beam
            From `fit_eigen_beam`; needed for ``flats: eigen`` with more than one set of flats.

        Raises
        ------
        ShapeError
            If frames differ in shape, or a stack is empty.
        ParameterError
            If an eigen-beam is needed and not given.
        """
        sets = flat_sets(flats)
        correction = correction.for_flat_sets(len(sets))
        dark = mean_frame(darks, "darks")
        for each in sets:
            if each.frames.ndim not in (2, 3) or each.frames.shape[-2:] != dark.shape:
                raise ShapeError(
                    f"flats have frames of {each.frames.shape[-2:]} and darks of {dark.shape}; "
                    "give both for the same rows and columns"
                )
        images, positions = _images(sets, dark, correction, eigen_beam)
        # After the first eigen-image come differences, which are no beams.
        fitted = eigen_beam if correction.flats == "eigen" else None
        is_dead = find_dead_pixels(images if fitted is None else images[:1])
        images[:, is_dead] = 0.0
        images[0, is_dead] = 1.0
        return cls(
            correction=correction,
            dark=np.where(is_dead, np.float32(0.0), dark),
            beam=Beam(
                images=images,
                positions=positions,
                weights=None if fitted is None else fitted.weights,
            ),
            dead=bridge_dead_pixels(is_dead),
        )

    def attenuation(
        self, projections: CountStack, *, indices: NDArray[np.intp] | None = None
    ) -> FloatStack:
        """Turn counts into line integrals; rings and fringes stay.

        Parameters
        ----------
        projections
            Counts, shape (n_angles, n_rows, n_columns).
        indices
            Numbers of the projections in the order of acquisition, shape (n_angles,); 0, 1, 2 and
            so on by default.

        Returns
        -------
        FloatStack
            Minus the logarithm of the transmission, dimensionless, same shape, finite; 0 in a row
            without any live pixel.

        Raises
        ------
        ShapeError
            If frames differ in shape from flats and darks, or there are none.
        NonFiniteError
            If a live pixel is not finite.
        """
        if projections.ndim != 3 or projections.shape[0] == 0:
            raise ShapeError(
                f"projections of shape {projections.shape} given, (angle, row, column) is needed"
            )
        if projections.shape[1:] != self.dark.shape:
            raise ShapeError(
                f"projections have frames of {projections.shape[1:]}, flats and darks of "
                f"{self.dark.shape}; give all three for the same rows and columns"
            )
        if indices is None:
            indices = np.arange(len(projections))
        if 2 * self.correction.air_columns > projections.shape[2]:
            raise ParameterError(
                f"air_columns is {self.correction.air_columns}, rows have "
                f"{projections.shape[2]} columns; the sample needs some between them"
            )
        out = np.empty(projections.shape, np.float32)
        n_bad = attenuation_of(
            projections,
            self.dark,
            self.beam.images,
            self.beam.weights_of(indices),
            self.dead.places,
            self.dead.bridges,
            self.dead.shares,
            self.correction.air_columns,
            np.float32(self.correction.zinger_threshold),
            np.float32(self.correction.min_transmission),
            out,
        )
        if n_bad:
            raise NonFiniteError(
                f"projections hold NaN or infinity in {n_bad} live pixels; check the frames of "
                "this scan"
            )
        return out

    def finish(self, attenuation: FloatStack, *, halo_rows: HaloRows = (0, 0)) -> FloatStack:
        """Take back the fringes of phase contrast, and leave the rows that only served this.

        Parameters
        ----------
        attenuation
            Shape (n_angles, n_rows, n_columns).
        halo_rows
            First and last rows to leave.
        """
        if self.correction.phase is not None:
            return retrieve_phase(attenuation, self.correction.phase, halo_rows=halo_rows)
        before, after = halo_rows
        return attenuation[:, before : attenuation.shape[1] - after]


def _images(
    sets: Sequence[FlatSet],
    dark: FloatImage,
    correction: Correction,
    eigen_beam: EigenBeam | None,
) -> tuple[FloatStack, NDArray[np.float64]]:
    """Give the images that beams are sums of, less dark, and where in the scan they stand."""
    match correction.flats:
        case "before":
            images = [mean_frame(sets[0].frames, "flats")]
        case "mean":
            images = [mean_of_sets(sets)]
        case "interpolate":
            images = [mean_frame(each.frames, "flats") for each in sets]
            return np.stack(images) - dark, np.array([each.position for each in sets])
        case "eigen":
            if eigen_beam is None:
                raise ParameterError("flats: eigen needs eigen_beam; call fit_eigen_beam first")
            frames = np.concatenate([each.frames.reshape(-1, *dark.shape) for each in sets])
            summed = sum_frames(eigen_beam.combinations, frames - dark)
            return summed.astype(np.float32), np.zeros(0)
    return np.stack(images) - dark, np.zeros(1)
