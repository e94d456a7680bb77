"""What networks are shown: channels, earlier scans laid over the present one, ensembles."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import UNLABELLED, Label, SegmentClass, segments_of
from lithoscope_pipeline.networks import (
    ModelInputs,
    SeenScan,
    View,
    find_residual_px,
    network_inputs,
    warp_earlier,
)
from lithoscope_pipeline.networks.ensemble import ensemble_weights
from lithoscope_pipeline.segment import GreyReferences

SHAPE = (7, 24, 5)
VOXEL_UM = 2.0
REFERENCES = GreyReferences(
    electrode=0.1,
    electrolyte=0.4,
    pouch=0.5,
    noise=0.05,
    cnr=6.0,
    polarity="dense_bright",
    edges_px=(3.5, 8.5, 15.5, 20.5),
    verdict="resolved",
)


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(5).uniform(0.0, 0.6, SHAPE).astype(np.float32)


@pytest.fixture
def scan(volume: np.ndarray) -> SeenScan:
    return SeenScan(volume=volume, references=REFERENCES)


def test_default_network_sees_fifteen_channels() -> None:
    channels = ModelInputs().channels

    assert len(channels) == len(set(channels)) == 15


def test_slice_network_sees_one_channel() -> None:
    inputs = ModelInputs(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)

    assert inputs.channels == ("now+0",)
    assert inputs.halo == 0


def test_electrode_is_zero_and_electrolyte_one(scan: SeenScan) -> None:
    flat = np.full(SHAPE, 0.4, np.float32)
    flat[:, :8] = 0.1

    x = network_inputs(
        replace(scan, volume=flat), previous=None, first=None, inputs=ModelInputs(), voxel_um=1.0
    )

    np.testing.assert_allclose(x[:, 2, :8], 0.0, atol=1e-6)
    np.testing.assert_allclose(x[:, 2, 8:], 1.0, atol=1e-6)


def test_inverted_grey_gives_the_same_channels(scan: SeenScan) -> None:
    inverted = replace(REFERENCES, electrode=-0.1, electrolyte=-0.4, polarity="dense_dark")
    other = SeenScan(volume=-scan.volume, references=inverted)
    inputs = ModelInputs()

    straight = network_inputs(scan, previous=scan, first=None, inputs=inputs, voxel_um=1.0)
    turned = network_inputs(other, previous=other, first=None, inputs=inputs, voxel_um=1.0)

    np.testing.assert_allclose(straight, turned, atol=1e-5)


def test_missing_scans_are_zero_with_a_flag_of_zero(scan: SeenScan) -> None:
    inputs = ModelInputs()
    names = inputs.channels

    x = network_inputs(scan, previous=None, first=scan, inputs=inputs, voxel_um=1.0)

    absent = [i for i, name in enumerate(names) if "previous" in name]
    assert not x[:, absent].any()
    assert (x[:, names.index("has_first")] == 1.0).all()
    np.testing.assert_array_equal(x[:, names.index("first+0")], x[:, names.index("now+0")])


@pytest.mark.parametrize("view", ["cross-section", "in-plane"])
@pytest.mark.parametrize("more", [{}, {"n_around": 1, "has_faces": True}])
def test_a_slab_with_its_halo_gives_what_the_whole_gives(
    scan: SeenScan, view: View, more: dict[str, Any]
) -> None:
    inputs = ModelInputs(view=view, **more)
    whole = network_inputs(scan, previous=scan, first=scan, inputs=inputs, voxel_um=VOXEL_UM)
    low, high = 2 - inputs.halo, 4 + inputs.halo
    box = (slice(low, high),) if view == "cross-section" else (slice(None), slice(low, high))
    part = replace(scan, volume=scan.volume[box])

    slab = network_inputs(
        part,
        previous=part,
        first=part,
        inputs=inputs,
        voxel_um=VOXEL_UM,
        slices=(inputs.halo, inputs.halo + 2),
        first_row=low if view == "in-plane" else 0,
    )

    np.testing.assert_array_equal(slab, whole[2:4])


def test_depth_counts_from_the_outer_faces_in_hundreds_of_micrometres(scan: SeenScan) -> None:
    inputs = ModelInputs()

    x = network_inputs(scan, previous=None, first=None, inputs=inputs, voxel_um=VOXEL_UM)

    np.testing.assert_allclose(x[0, -2, :, 0], (np.arange(24) - 3.5) * 0.02, atol=1e-6)
    np.testing.assert_allclose(x[0, -1, :, 0], (20.5 - np.arange(24)) * 0.02, atol=1e-6)


def test_slices_around_are_averaged_and_repeated_at_the_ends(scan: SeenScan) -> None:
    inputs = ModelInputs(n_neighbours=0, n_around=2, has_previous=False, has_first=False)
    assert inputs.channels[:2] == ("now+0", "around")
    assert inputs.halo == 2

    x = network_inputs(scan, previous=None, first=None, inputs=inputs, voxel_um=VOXEL_UM)

    np.testing.assert_allclose(x[3, 1], x[1:6, 0].mean(axis=0), atol=1e-6)
    first = (3 * x[0, 0] + x[1, 0] + x[2, 0]) / 5
    np.testing.assert_allclose(x[0, 1], first, atol=1e-6)


def test_pristine_foils_end_where_their_thickness_says_from_the_outer_faces_of_today(
    scan: SeenScan,
) -> None:
    """The plating side moved out by three voxels; nothing that is registered enters."""
    inputs = ModelInputs(has_faces=True)
    now = replace(scan, references=replace(REFERENCES, edges_px=(3.5, 8.0, 14.5, 23.5)))

    x = network_inputs(now, previous=None, first=scan, inputs=inputs, voxel_um=VOXEL_UM)[0]

    names = inputs.channels
    rows = np.arange(24)
    expected = {
        "face_stripping": rows - 8.0,
        "face_plating": 14.5 - rows,
        # As thick as they were: 5 voxels each, from 3.5 up and from 23.5 down.
        "foil_stripping": rows - 8.5,
        "foil_plating": 18.5 - rows,
    }
    for name, distance_px in expected.items():
        distance = np.clip(distance_px * VOXEL_UM / 10.0, -2, 2)
        np.testing.assert_allclose(x[names.index(name), :, 0], distance, atol=1e-6)


def test_without_the_first_scan_nothing_is_said_of_pristine_foils(scan: SeenScan) -> None:
    inputs = ModelInputs(has_faces=True)

    x = network_inputs(scan, previous=None, first=None, inputs=inputs, voxel_um=VOXEL_UM)

    assert not x[:, list(inputs.earlier_channels)].any()
    assert x[:, inputs.channels.index("face_plating")].any()


def test_first_slice_stands_for_what_lies_before_it(scan: SeenScan) -> None:
    x = network_inputs(scan, previous=None, first=None, inputs=ModelInputs(), voxel_um=1.0)

    np.testing.assert_array_equal(x[0, 0], x[0, 2])
    np.testing.assert_array_equal(x[1, 1], x[0, 2])


def test_scans_of_different_shape_are_refused(scan: SeenScan) -> None:
    smaller = replace(scan, volume=scan.volume[:, :-1])

    with pytest.raises(ShapeError, match="one region"):
        network_inputs(scan, previous=smaller, first=None, inputs=ModelInputs(), voxel_um=1.0)


def test_a_scan_without_contrast_is_refused(scan: SeenScan) -> None:
    flat = replace(scan, references=replace(REFERENCES, electrode=0.4))

    with pytest.raises(ParameterError, match="same grey value"):
        network_inputs(flat, previous=None, first=None, inputs=ModelInputs(), voxel_um=1.0)


def _maps(value: float) -> np.ndarray:
    return np.full((SHAPE[0], SHAPE[2]), value, np.float32)


def test_a_scan_that_did_not_move_stays(volume: np.ndarray) -> None:
    warped = warp_earlier(volume, _maps(0.0), _maps(0.0), plating_inner_px=15.5)

    np.testing.assert_allclose(warped, volume, atol=1e-6)


def test_each_side_moves_with_its_own_face(volume: np.ndarray) -> None:
    warped = warp_earlier(volume, _maps(1.0), _maps(4.0), plating_inner_px=15.0)

    np.testing.assert_allclose(warped[:, 1:8], volume[:, 0:7], atol=1e-6)
    np.testing.assert_allclose(warped[:, 17:], volume[:, 13:-4], atol=1e-6)


def test_half_a_voxel_is_the_mean_of_two_rows(volume: np.ndarray) -> None:
    warped = warp_earlier(volume, _maps(0.5), _maps(0.5), plating_inner_px=15.0)

    np.testing.assert_allclose(
        warped[:, 1:], (volume[:, 1:] + volume[:, :-1]) / 2, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (0.0, -3.0), (2.0, -2.5)])
def test_rows_keep_their_order_between_the_sides(low: float, high: float) -> None:
    rows = np.broadcast_to(np.arange(24, dtype=np.float32)[None, :, None], SHAPE).copy()

    warped = warp_earlier(rows, _maps(low), _maps(high), plating_inner_px=16.0)

    assert (np.diff(warped, axis=1) >= -1e-5).all()


def test_a_face_that_was_not_found_is_refused(volume: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="plating_shift_px"):
        warp_earlier(volume, _maps(0.0), _maps(np.nan), plating_inner_px=15.0)


def test_networks_see_lithium_by_what_it_is_and_not_by_its_side() -> None:
    labels = np.array([Label.STRIPPING_ELECTRODE, Label.REDEPOSITED, Label.DENDRITE, 77], np.uint8)

    classes = segments_of(labels)

    assert classes.tolist() == [
        SegmentClass.ELECTRODE,
        SegmentClass.DEPOSITED,
        SegmentClass.DENDRITE,
        UNLABELLED,
    ]


def test_the_better_network_gets_all_the_weight() -> None:
    truth = np.arange(300, dtype=np.uint8) % 3
    right = np.eye(3, dtype=np.float32)[truth]
    wrong = np.eye(3, dtype=np.float32)[(truth + 1) % 3]

    assert ensemble_weights([wrong, right], truth)[1] >= 0.6


def test_networks_that_err_in_different_places_share_the_weight() -> None:
    truth = np.zeros(400, np.uint8)
    truth[200:] = 1
    sure, unsure = np.array([0.9, 0.1]), np.array([0.45, 0.55])
    first = np.where((np.arange(400) % 2)[:, None] == 0, sure, unsure)
    second = np.where((np.arange(400) % 2)[:, None] == 1, sure, unsure)
    both = [
        np.where(truth[:, None] == 0, p, p[:, ::-1]).astype(np.float32) for p in (first, second)
    ]

    weights = ensemble_weights(both, truth)

    assert all(0.2 <= weight <= 0.8 for weight in weights)
    assert sum(weights) == pytest.approx(1.0)


def _face(at_px: float, *, n_y: int = 80, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    """Packaging below a face and lithium above it, as blurred as a reconstruction."""
    rows = np.arange(n_y)
    clean = 1.3 / (1.0 + np.exp((rows - at_px) / 0.8))
    return clean + np.random.default_rng(seed).normal(0.0, noise, n_y)


@pytest.mark.parametrize("apart_px", [-3.0, -1.0, -0.37, 0.0, 0.25, 1.0, 2.6])
def test_how_far_a_face_lies_beside_itself_is_found_to_a_tenth_of_a_voxel(apart_px: float) -> None:
    now, earlier = _face(40.3), _face(40.3 - apart_px, seed=1)

    found = find_residual_px(now, earlier, face_px=40.3, voxel_um=2.25)

    assert found == pytest.approx(apart_px, abs=0.1)


def test_brightness_of_an_earlier_scan_does_not_move_it() -> None:
    found = find_residual_px(_face(40.0), _face(40.0, seed=1) + 0.2, face_px=40.0, voxel_um=2.25)

    assert found == pytest.approx(0.0, abs=0.1)


def test_a_face_at_the_end_of_the_region_says_nothing() -> None:
    assert find_residual_px(_face(5.0), _face(6.0), face_px=5.0, voxel_um=2.25) == 0.0


def test_a_face_that_is_not_near_is_not_found() -> None:
    assert find_residual_px(_face(40.0), _face(47.0), face_px=40.0, voxel_um=2.25) is None
