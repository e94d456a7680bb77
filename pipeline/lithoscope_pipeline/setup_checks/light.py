"""How much light a scan has: flats, darks, and what comes through the cell edge-on."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError

Counts = NDArray[Any]  # of the detector
#: Columns at either border of the detector that tell whether the sample goes on outside.
_BORDER_SHARE: Final = 0.02
#: A border column with less light than this has sample before it; air and scatter leave more.
_OPEN_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class LightLevels:
    """Counts of a scan and what follows from them.

    Parameters
    ----------
    flat_counts, dark_counts
        Medians, counts.
    flat_change
        Largest difference of a single flat from the mean of all, as a share of it.
    saturated_share
        Share of the pixels of flats at the top of the range.
    photons_per_count
        From the noise of flats; None with a single flat, or without noise.
    edge_on_counts
        Median over the darkest tenth of the columns of the views near edge-on, dark taken off.
    edge_on_transmission
        The same over that of the flats.
    truncated_share
        Share of the views whose border columns have sample before them.
    """

    flat_counts: float
    dark_counts: float
    flat_change: float
    saturated_share: float
    photons_per_count: float | None
    edge_on_counts: float
    edge_on_transmission: float
    truncated_share: float

    @property
    def edge_on_photons(self) -> float | None:
        """Photons behind the counts edge-on."""
        if self.photons_per_count is None:
            return None
        return self.edge_on_counts * self.photons_per_count


def measure_light(
    flats: Counts, darks: Counts, edge_on: Counts, others: Counts, *, full_counts: float | None
) -> LightLevels:
    """Measure flats, darks and views in the same rows.

    Parameters
    ----------
    flats, darks
        Shape (n_frames, n_rows, n_columns), counts.
    edge_on
        Views near edge-on, shape (n_views, n_rows, n_columns).
    others
        Views over the whole turn: they tell how often the sample is cut by the border.
    full_counts
        Top of the range of the detector; None where it has none.

    Raises
    ------
    ShapeError
        If a stack is empty or the frames differ in shape.
    """
    stacks = (flats, darks, edge_on, others)
    if any(not len(stack) for stack in stacks) or len({s.shape[1:] for s in stacks}) != 1:
        raise ShapeError(
            f"flats {flats.shape}, darks {darks.shape}, views {edge_on.shape} and {others.shape} "
            "given; give (frame, row, column) of the same rows, none of them empty"
        )
    dark = darks.mean(axis=0, dtype=np.float64)
    flat = flats.mean(axis=0, dtype=np.float64)
    beam = np.maximum(flat - dark, 1.0)
    single = flats.mean(axis=(1, 2), dtype=np.float64)
    shares = (edge_on.mean(axis=0, dtype=np.float64) - dark) / beam
    columns = np.median(shares, axis=0)
    darkest = np.argsort(columns)[: max(1, len(columns) // 10)]
    edge_counts = (edge_on.mean(axis=0, dtype=np.float64) - dark)[:, darkest]
    return LightLevels(
        flat_counts=float(np.median(flat)),
        dark_counts=float(np.median(dark)),
        flat_change=float(np.abs(single - single.mean()).max() / max(single.mean(), 1.0)),
        saturated_share=0.0
        if full_counts is None
        else float(np.mean(flats >= 0.99 * full_counts)),
        photons_per_count=_photons_per_count(flats, beam),
        edge_on_counts=float(np.median(edge_counts)),
        edge_on_transmission=float(np.median(columns[darkest])),
        truncated_share=_truncated_share(others, dark, beam),
    )


def _photons_per_count(flats: Counts, beam: NDArray[np.float64]) -> float | None:
    """Variance of counts is counts over photons a count; differences cancel what stays."""
    if len(flats) < 2:
        return None
    differences = np.diff(flats.astype(np.float64), axis=0)
    variance = float(np.mean((differences - differences.mean(axis=(1, 2), keepdims=True)) ** 2))
    return float(np.median(beam)) / (variance / 2) if variance > 0 else None


def _truncated_share(views: Counts, dark: NDArray[np.float64], beam: NDArray[np.float64]) -> float:
    width = max(1, round(_BORDER_SHARE * views.shape[2]))
    shares = (views - dark) / beam
    left, right = shares[:, :, :width], shares[:, :, -width:]
    levels = np.minimum(np.median(left, axis=(1, 2)), np.median(right, axis=(1, 2)))
    return float(np.mean(levels < _OPEN_SHARE))
