"""Which rows of a region a network is shown: those of the cell, from where it wants to begin."""

from typing import Final

import numpy as np

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.networks import FACE_STEP_PX, ModelInputs
from lithoscope_pipeline.segment import GreyReferences

# Beyond the outer faces lies packaging, and beyond that air as dark as lithium: networks are
# shown no more of it than they have learned from, and all the rest is background.
_MARGIN_UM: Final = 20.0
_ROWS_STEP: Final = 32


def known_rows(references: GreyReferences, n_y: int, voxel_um: float) -> tuple[int, int]:
    """Give the first row that a network may see and one past the last: what it has learned."""
    margin_px = _MARGIN_UM / voxel_um
    first = max(int(np.floor(references.edges_px[0] - margin_px)), 0)
    return first, min(int(np.ceil(references.edges_px[3] + margin_px)) + 1, n_y)


def cell_rows(
    references: GreyReferences, n_y: int, voxel_um: float, inputs: ModelInputs
) -> tuple[int, int]:
    """Give the first row of the cell and one past its last, with a margin beyond its faces.

    They begin as a network with these inputs learned it. Their number is a multiple of 32 where
    the region is high enough, so that a network that was loaded for one scan of a swelling cell
    fits the next.
    """
    first, stop = known_rows(references, n_y, voxel_um)
    n_rows = stop - first
    if inputs.face_phase_px is not None:
        # Whichever row it begins on, so that their number does not hang on that.
        n_rows += FACE_STEP_PX - 1
        aligned = inputs.aligned_row(first, references.edges_px[1])
        if aligned < 0 and aligned + FACE_STEP_PX <= references.edges_px[0]:
            aligned += FACE_STEP_PX  # less of the margin
        first = aligned if aligned >= 0 else first
    return first, min(first + -(-n_rows // _ROWS_STEP) * _ROWS_STEP, n_y)


def without_air(volume: FloatVolume, known: slice) -> FloatVolume:
    """Repeat the first and the last row that may be seen in those that only fill up the tile."""
    first, stop = max(known.start, 0), min(known.stop, volume.shape[1])
    if (first, stop) == (0, volume.shape[1]):
        return volume
    filled = np.array(volume)
    filled[:, :first] = volume[:, first : first + 1]
    filled[:, stop:] = volume[:, stop - 1 : stop]
    return filled
