"""A network over a region: what it is not shown."""

import numpy as np

from lithoscope_models.network_pass import (
    NetworkChoice,
    cell_rows,
    known_rows,
    load_network,
    run_network,
)
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.segment import find_grey_references

VOXEL_UM = 2.25
POUCH, LITHIUM, ELECTROLYTE = 0.70, 0.09, 0.40


def test_air_beyond_the_packaging_is_background_whatever_fills_the_tile() -> None:
    """Air is as dark as lithium; tiles are filled up to 32 rows, which may reach it."""
    profile = np.zeros(160, np.float32)
    for start, stop, grey in (
        (0, 20, POUCH), (20, 45, LITHIUM), (45, 85, ELECTROLYTE), (85, 110, LITHIUM),
        (110, 122, POUCH),
    ):  # fmt: skip
        profile[start:stop] = grey
    noise = np.random.default_rng(3).normal(0, 0.05, (4, 160, 64))
    volume = (profile[None, :, None] + noise).astype(np.float32)
    references = find_grey_references(volume)
    rows = cell_rows(references, 160, VOXEL_UM)
    assert known_rows(references, 160, VOXEL_UM)[1] <= 122 < rows[1]
    choice = NetworkChoice(
        model="stream-unet",
        polarity="denser_is_brighter",
        engine="onnxruntime",
        precision="auto",
        n_threads=1,
    )

    found = run_network(
        load_network(choice, (rows[1] - rows[0], 64)),
        volume,
        references,
        (),
        voxel_um=VOXEL_UM,
        slab_rows=4,
    )

    assert (found.segments[:, 112:] == SegmentClass.BACKGROUND).all()
