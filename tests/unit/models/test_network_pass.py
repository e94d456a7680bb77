"""A network over a region: what it is shown, and what not."""

import numpy as np
import pytest

from lithoscope_models.cell_rows import cell_rows, known_rows
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.network_pass import (
    LoadedNetwork,
    NetworkChoice,
    NetworkPass,
    load_for,
    run_network,
)
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks import FACE_STEP_PX, ModelInputs, Which
from lithoscope_pipeline.segment import find_grey_references

VOXEL_UM = 2.25
POUCH, LITHIUM, ELECTROLYTE = 0.70, 0.09, 0.40


def _layers(edges: tuple[int, ...], n_y: int, *, seed: int = 3) -> FloatVolume:
    """A cell of flat layers between packaging; air is where the last one ends."""
    profile = np.zeros(n_y, np.float32)
    greys = (POUCH, LITHIUM, ELECTROLYTE, LITHIUM, POUCH)
    for start, stop, grey in zip((0, *edges[:-1]), edges, greys, strict=True):
        profile[start:stop] = grey
    noise = np.random.default_rng(seed).normal(0, 0.05, (4, n_y, 64))
    return (profile[None, :, None] + noise).astype(np.float32)


def _network(volume: FloatVolume) -> LoadedNetwork:
    choice = NetworkChoice(
        model="stream-unet",
        polarity="denser_is_brighter",
        engine="onnxruntime",
        precision="auto",
        n_threads=1,
    )
    return load_for(choice, find_grey_references(volume), volume.shape, VOXEL_UM)


def test_air_beyond_the_packaging_is_background_whatever_fills_the_tile() -> None:
    """Air is as dark as lithium; tiles are filled up to 32 rows, which may reach it."""
    volume = _layers((20, 45, 85, 110, 122), 160)
    references = find_grey_references(volume)
    rows = cell_rows(references, 160, VOXEL_UM, ModelInputs())
    assert known_rows(references, 160, VOXEL_UM)[1] <= 122 < rows[1]

    found = run_network(
        _network(volume),
        volume,
        references,
        (),
        voxel_um=VOXEL_UM,
        slab_rows=4,
    )

    assert (found.segments[:, 112:] == SegmentClass.BACKGROUND).all()


@pytest.mark.parametrize("top_px", [12, 20, 33, 47])
def test_slices_begin_where_the_network_learned_them_to(top_px: int) -> None:
    edges = (top_px, top_px + 46, top_px + 90, top_px + 130)
    references = find_grey_references(_layers((*edges, edges[-1] + 30), 220))
    inputs = ModelInputs(face_phase_px=5)

    first, stop = cell_rows(references, 220, VOXEL_UM, inputs)

    assert 0 <= first <= references.edges_px[0]
    assert (round(references.edges_px[1]) - first) % FACE_STEP_PX == 5
    assert stop >= known_rows(references, 220, VOXEL_UM)[1]
    assert stop == 220 or (stop - first) % 32 == 0


def test_a_region_too_tight_to_begin_there_loses_nothing_of_the_cell() -> None:
    references = find_grey_references(_layers((3, 49, 93, 133, 163), 220))
    for phase_px in range(FACE_STEP_PX):
        inputs = ModelInputs(face_phase_px=phase_px)
        assert 0 <= cell_rows(references, 220, VOXEL_UM, inputs)[0] <= references.edges_px[0]


def _with_earlier(*, stripping_px: float = 0.0, plating_px: float = 0.0) -> NetworkPass:
    """Segment a cell with 6 voxels of deposit, whose faces were found so far from their place."""
    first = _layers((20, 68, 170, 218, 234), 280, seed=4)
    now = _layers((20, 68, 170, 224, 240), 280)

    references = find_grey_references(first)
    still = FaceShifts.none((4, 64))
    moved = FaceShifts(
        stripping_px=still.stripping_px + np.float32(stripping_px),
        plating_px=still.plating_px + np.float32(6 + plating_px),
    )

    def laid(which: Which) -> EarlierScan:
        return lay_over(
            which,
            first,
            now=moved,
            then=still,
            references=references,
            plating_inner_px=references.edges_px[2],
        )

    return run_network(
        _network(now),
        now,
        find_grey_references(now),
        (laid("previous"), laid("first")),
        voxel_um=VOXEL_UM,
        slab_rows=4,
    )


@pytest.mark.parametrize("error_px", [(0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-2.5, 2.5)])
def test_an_error_of_the_map_of_a_face_changes_nothing(error_px: tuple[float, float]) -> None:
    right = _with_earlier()
    wrong = _with_earlier(stripping_px=error_px[0], plating_px=error_px[1])

    assert right.shown == wrong.shown == ("previous", "first")
    assert right.soft_voxels["deposited"] > 500
    np.testing.assert_allclose(
        list(wrong.soft_voxels.values()), list(right.soft_voxels.values()), rtol=0.01, atol=5.0
    )


def test_earlier_scans_that_lie_elsewhere_are_not_shown() -> None:
    assert _with_earlier(plating_px=9.0).shown == ()
