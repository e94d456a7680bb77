"""Plated lithium whose pores hold electrolyte loses its share of contrast, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lithoscope_models.data.image_level import object_volume
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import SegmentClass, segments_of
from lithoscope_pipeline.phantom import CellParameters, make_cell
from lithoscope_pipeline.phantom.materials import Material

SEED, SCAN, SHARE = 5, 1, 0.6


def test_plated_lithium_loses_its_share_of_the_contrast_and_foils_lose_nothing() -> None:
    dry = CellParameters(seed=SEED)
    growth = dry.growth
    soaked = replace(
        dry,
        growth=replace(growth, porosity=replace(growth.porosity, electrolyte_share=SHARE)),
    )
    cells = [make_cell("tiny", seed=SEED, n_scans=3, cell=each) for each in (dry, soaked)]
    full = cells[0].roi
    roi = Roi(z0=full.z0, z1=full.z0 + 4, y0=full.y0, y1=full.y1, x0=full.x0, x1=full.x0 + 60)
    before, after = (object_volume(each, SCAN, roi) for each in cells)
    classes = segments_of(cells[0].labels(SCAN, roi))

    optics = dry.optics
    contrast = optics.of(Material.POLYMER) - optics.of(Material.LITHIUM)
    for kind, lost in ((SegmentClass.DEPOSITED, SHARE), (SegmentClass.ELECTRODE, 0.0)):
        within = ndimage.binary_erosion(classes == kind, np.ones((1, 3, 3), bool))
        assert within.any()
        change = (after - before)[within].mean()
        assert change == pytest.approx(lost * contrast, abs=0.02 * abs(contrast))
    np.testing.assert_array_equal(cells[0].labels(SCAN, roi), cells[1].labels(SCAN, roi))
