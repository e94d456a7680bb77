"""What missing views cost depends on where they are: the contrast of a plate against its place."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.coverage import CoverageVerdict, judge_coverage
from lithoscope_pipeline.geometry import field_axis_px
from lithoscope_pipeline.phantom import make_cell
from lithoscope_pipeline.reconstruct import FourierBackend

#: Inside each layer at scan 0, micrometres from the rotation axis, clear of its faces.
ELECTRODES_UM = ((-240.0, -170.0), (145.0, 220.0))
ELECTROLYTE_UM = (-110.0, 90.0)
#: The part of a slice along the plates that is averaged, as a share of the view on either side.
ALONG = 0.2


@cache
def contrasts_per_cm(first_deg: float, width_deg: float, seed: int) -> tuple[float, float]:
    """Give electrolyte minus either electrode, without the views from an angle on."""
    cell = make_cell("tiny", seed=seed, n_scans=3)
    thetas_deg = cell.scan_thetas_deg(0)
    kept = np.mod(thetas_deg - first_deg, 180.0) >= width_deg
    volume = FourierBackend().reconstruct(
        cell.line_integrals(0, n_rows=2)[kept],
        np.radians(thetas_deg[kept]),
        rotation_axis_px=cell.rotation_axis_px,
        voxel_um=cell.voxel_um,
    )
    edge = volume.shape[1]
    middle, reach = int(field_axis_px(edge)), int(ALONG * edge)
    profile = volume[:, :, middle - reach : middle + reach].mean(axis=(0, 2), dtype=np.float64)
    height_um = (np.arange(edge) - field_axis_px(edge)) * cell.voxel_um

    def mean_of(low_um: float, high_um: float) -> float:
        inside = (height_um > low_um) & (height_um < high_um)
        return float(profile[inside].mean())

    electrolyte = mean_of(*ELECTROLYTE_UM)
    first, second = (electrolyte - mean_of(*each) for each in ELECTRODES_UM)
    return first, second


def verdict(first_deg: float, width_deg: float) -> CoverageVerdict:
    thetas_deg = np.arange(180.0)
    kept: NDArray[np.int64] = np.flatnonzero(np.mod(thetas_deg - first_deg, 180.0) >= width_deg)
    return judge_coverage(kept, np.radians(thetas_deg[kept]), n_expected=180).verdict


@pytest.mark.parametrize("seed", [1, 2])
def test_four_percent_of_the_views_at_edge_on_take_the_contrast_of_lithium(seed: int) -> None:
    whole = contrasts_per_cm(0.0, 0.0, seed)

    # Views from 87 to 93 degrees: 7 of 180.
    holed = contrasts_per_cm(86.5, 7.0, seed)

    # Lithium and polymer differ by 0.3 / cm or so; of that nothing is left to be told.
    assert min(whole) > 0.2
    assert max(holed) < 0.35 * min(whole)
    assert verdict(86.5, 7.0) == "refused"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fifth_of_the_views_face_on_does_not(seed: int) -> None:
    whole = contrasts_per_cm(0.0, 0.0, seed)

    # Views from -18 to 17 degrees: 36 of 180.
    holed = contrasts_per_cm(-18.0, 36.0, seed)

    assert holed == pytest.approx(whole, rel=0.05)
    assert verdict(-18.0, 36.0) == "flagged"
