"""Runs, pieces and ways against SciPy, and the same numbers however a volume is read."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import LITHIUM, Label
from lithoscope_pipeline.measure import Measurement, Reading, measure_labels
from lithoscope_pipeline.measure.columns import count_columns, find_faces
from lithoscope_pipeline.measure.components import (
    Pieces,
    connect_runs,
    measure_extents,
    runs_of,
)
from lithoscope_pipeline.measure.nearest import (
    FAR,
    make_target,
    nearest_of_columns,
    nearest_of_groups,
)
from lithoscope_pipeline.measure.runs import LabelRuns, encode_runs
from lithoscope_pipeline.measure.solids import Solid, make_solid

Labels = NDArray[np.uint8]
ALL_NEIGHBOURS = np.ones((3, 3, 3))
PLATED = (Label.PLATING_ELECTRODE, Label.DEPOSITED, Label.DENDRITE)
STRIPPED = (Label.STRIPPING_ELECTRODE, Label.REDEPOSITED)


class Slabbed:
    """Labels that are read box by box, as from a file."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self.largest = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self._labels.shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[Any]:  # of labels
        part = self._labels[box]
        self.largest = max(self.largest, len(part))
        return part


def made_up(seed: int, *, filling: float = 0.3) -> Labels:
    """Scatter blocks of all classes through electrolyte: solids with overhangs and islands."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 9, rng.integers(1, 7, 3), dtype=np.uint8)
    coarse = np.where(rng.random(coarse.shape) < filling, coarse, np.uint8(Label.ELECTROLYTE))
    blocks = [rng.integers(1, 4, n) for n in coarse.shape]
    for axis, counts in enumerate(blocks):
        coarse = np.repeat(coarse, counts, axis=axis)
    return coarse.astype(np.uint8)


def painted(runs: LabelRuns, values: NDArray[Any]) -> NDArray[Any]:
    """Write a value of each run into its voxels."""
    out = np.empty(runs.shape, values.dtype)
    for column in range(runs.n_columns):
        z, x = divmod(column, runs.shape[2])
        first, stop = runs.begins[column], runs.begins[column + 1]
        ends = [*runs.rows[first + 1 : stop].tolist(), runs.shape[1]]
        for run, end in zip(range(first, stop), ends, strict=True):
            out[z, runs.rows[run] : end, x] = values[run]
    return out


def in_voxels(runs: LabelRuns, pieces: Pieces) -> NDArray[np.int32]:
    """Write the number of each piece into its voxels."""
    return painted(runs, pieces.of(np.arange(len(runs.rows), dtype=np.int32)))


def filled(solid: Solid, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.zeros(shape, bool)
    for column in range(len(solid.begins) - 1):
        z, x = divmod(column, shape[2])
        for stretch in range(solid.begins[column], solid.begins[column + 1]):
            out[z, solid.first[stretch] : solid.stop[stretch], x] = True
    return out


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), slab=st.integers(1, 8), workers=st.integers(1, 3))
def test_runs_are_the_volume(seed: int, slab: int, workers: int) -> None:
    labels = made_up(seed)

    runs = encode_runs(labels, slab_slices=slab, n_workers=workers)

    np.testing.assert_array_equal(painted(runs, runs.labels), labels)
    turned = runs.turned_over()
    np.testing.assert_array_equal(painted(turned, turned.labels), labels[:, ::-1])
    for label in Label:
        counted = count_columns(runs).columns[label]
        np.testing.assert_array_equal(counted, (labels == label).sum(axis=1))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pieces_are_those_of_scipy(seed: int) -> None:
    labels = made_up(seed, filling=0.5)
    runs = encode_runs(labels)

    pieces = connect_runs(runs, runs_of(runs, LITHIUM))

    expected, n = ndimage.label(np.isin(labels, LITHIUM), ALL_NEIGHBOURS)
    found = in_voxels(runs, pieces)
    assert pieces.n == n
    assert len(np.unique(np.stack([expected.ravel(), found.ravel()]), axis=1).T) == len(
        np.unique(found)
    )
    np.testing.assert_array_equal(
        pieces.voxels[1:], np.bincount(found.ravel(), minlength=n + 1)[1:]
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_extents_are_those_of_the_voxels(seed: int) -> None:
    labels = made_up(seed, filling=0.5)
    runs = encode_runs(labels)
    pieces = connect_runs(runs, runs_of(runs, LITHIUM))
    found = in_voxels(runs, pieces)

    extents = measure_extents(runs, pieces)

    for piece in range(1, pieces.n + 1):
        places = np.argwhere(found == piece)
        np.testing.assert_array_equal(extents.first[piece], places.min(axis=0))
        np.testing.assert_array_equal(extents.last[piece], places.max(axis=0))
        np.testing.assert_allclose(extents.sums[piece], places.sum(axis=0))
        assert extents.columns[piece] == len(np.unique(places[:, [0, 2]], axis=0))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ways_are_those_of_a_distance_transform(seed: int) -> None:
    labels = made_up(seed)
    runs = encode_runs(labels)
    chosen = runs_of(runs, PLATED)
    queries, target = (
        make_solid(runs, chosen),
        make_target(make_solid(runs, runs_of(runs, STRIPPED))),
    )

    squares, _ = nearest_of_columns(queries, target)
    pieces = connect_runs(runs, chosen)
    unknown = np.full(pieces.n + 1, FAR, np.int64)
    of_pieces = nearest_of_groups(queries, pieces.of(queries.run), target, unknown)

    plated, stripped = np.isin(labels, PLATED), np.isin(labels, STRIPPED)
    if not stripped.any():
        assert (squares == FAR).all()
        return
    distance = ndimage.distance_transform_edt(~stripped)
    expected = np.where(plated, distance, np.inf).min(axis=1)
    found = np.where(squares == FAR, np.inf, np.sqrt(squares.astype(float)))
    np.testing.assert_allclose(found, expected)
    numbers = in_voxels(runs, pieces)
    nearest = [distance[numbers == piece].min() for piece in range(1, pieces.n + 1)]
    np.testing.assert_allclose(np.sqrt(of_pieces[1:].astype(float)), nearest)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_bumps_are_the_voxels_with_few_around_them(seed: int) -> None:
    labels = made_up(seed)
    runs = encode_runs(labels)

    solid = make_solid(runs, runs_of(runs, PLATED), without_bumps=True)

    mask = np.isin(labels, PLATED)
    around = ndimage.convolve(
        mask.astype(np.int64), ALL_NEIGHBOURS.astype(np.int64), mode="nearest"
    )
    np.testing.assert_array_equal(filled(solid, labels.shape), mask & (around >= 11))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("slab", [1, 7, 64, 1000])
def test_the_way_a_volume_is_read_changes_nothing(slab: int, workers: int) -> None:
    labels = layered(seed=3)
    whole = measure_labels(labels, voxel_um=2.0, active_area_cm2=0.5)

    source = Slabbed(labels)
    found = measure_labels(
        source,
        voxel_um=2.0,
        active_area_cm2=0.5,
        reading=Reading(slab_slices=slab, n_workers=workers),
    )

    assert_same(found, whole)
    assert source.largest == min(slab, len(labels))


def layered(seed: int) -> Labels:
    """Stack electrodes with a rough layer, dendrites and pits between them."""
    rng = np.random.default_rng(seed)
    labels = np.full((75, 60, 40), Label.ELECTROLYTE, np.uint8)
    labels[:, :4], labels[:, 56:] = Label.BACKGROUND, Label.BACKGROUND
    labels[:, 4:16], labels[:, 44:56] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    depth = ndimage.gaussian_filter(rng.standard_normal((75, 40)), 2)
    rows = np.arange(60)[None, :, None]
    labels[(rows >= 16 - np.rint(20 * depth)[:, None]) & (rows < 16)] = Label.PIT
    labels[(rows >= 44 - np.rint(20 * depth)[:, None]) & (rows < 44)] = Label.DEPOSITED
    for z, x in rng.integers(2, 36, (12, 2)):
        labels[2 * z : 2 * z + 3, 44 - rng.integers(5, 24) : 44, x : x + 3] = Label.DENDRITE
    return labels


def assert_same(found: Measurement, expected: Measurement) -> None:
    assert found.metrics == expected.metrics
    assert found.objects == expected.objects
    assert found.maps.keys() == expected.maps.keys()
    for name, image in expected.maps.items():
        np.testing.assert_array_equal(found.maps[name], image, err_msg=name)


def test_faces_of_a_column_are_found() -> None:
    column = np.array([0, 1, 1, 4, 6, 7, 7, 5, 7, 3, 2, 2, 0], np.uint8)

    faces = find_faces(encode_runs(column[None, :, None]))

    rows = (
        faces.stripping_outer,
        faces.stripping_inner,
        faces.stripping_surface,
        faces.plating_surface,
        faces.plating_inner,
        faces.plating_outer,
    )
    assert [int(each[0, 0]) for each in rows] == [1, 2, 3, 7, 10, 11]
    # One pit and three of electrolyte; nothing beyond the outer faces.
    assert int(faces.n_electrolyte[0, 0]) == 4


def test_a_volume_is_read_by_at_least_one_slice_and_worker() -> None:
    with pytest.raises(ParameterError, match="at least 1"):
        encode_runs(made_up(1), slab_slices=0)
    with pytest.raises(ParameterError, match="at least 1"):
        encode_runs(made_up(1), n_workers=0)


def test_columns_that_no_run_can_count_are_refused() -> None:
    with pytest.raises(ShapeError, match="at most 65535"):
        encode_runs(np.zeros((1, 65_536, 1), np.uint8))


def test_an_empty_set_of_runs_has_no_pieces() -> None:
    runs = encode_runs(made_up(4))

    pieces = connect_runs(replace(runs), np.zeros(len(runs.rows), np.bool_))

    assert pieces.n == 0
    assert not len(pieces.number)
