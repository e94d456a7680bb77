"""What people paint: stored as OME-Zarr labels that anybody reads, with who and when."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from lithoscope_store import CorruptDataError, LabelClass, NotStoredError, Store, WrongVolumeError
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.painted_labels import (
    paint,
    painted_marks,
    painted_scans,
    read_painted,
    replace_planes,
)
from lithoscope_store.painted_planes import UNPAINTED, PaintLayer
from lithoscope_store.volumes import create_volume, finish_volume, write_slab

SHAPE = (7, 130, 20)
CLASSES = (
    LabelClass(0, "background", (1, 2, 3, 255)),
    LabelClass(3, "deposited", (4, 5, 6, 255)),
    LabelClass(4, "dendrite", (7, 8, 9, 255)),
)
ADA = PaintLayer(axis="y", person="<b>ada</b>", round=1)


@pytest.fixture
def paths(tmp_path: Path) -> ExperimentPaths:
    made = Store(tmp_path).experiment("cell")
    made.create()
    return made


@pytest.fixture
def volume(paths: ExperimentPaths) -> Path:
    path = paths.volume(2, "a" * 64)
    create_volume(path, shape=SHAPE, voxel_um=1.5, name="test")
    write_slab(path, 0, np.zeros(SHAPE, np.float32))
    finish_volume(path)
    return path


def test_runs_are_the_pixels_and_everybodys_zarr_reads_them(
    paths: ExperimentPaths, volume: Path
) -> None:
    counts = paint(volume, ADA, 5, [(0, 4, 3), (20, 2, 0), (1, 1, UNPAINTED)], CLASSES, time_ns=8)

    read = read_painted(paths, 2)
    array = np.asarray(zarr.open_array(volume / "labels" / ADA.label_name / "0", mode="r")[:])
    expected = np.full((7, 20), UNPAINTED)
    expected[0, [0, 2, 3]] = 3
    expected[1, :2] = 0
    assert counts == {"background": 2, "deposited": 3}
    np.testing.assert_array_equal(read.planes[0].classes, expected)
    np.testing.assert_array_equal(array[:, 5], expected)
    np.testing.assert_array_equal(read.merged(), array)
    assert (np.delete(array, 5, axis=1) == UNPAINTED).all()
    assert painted_scans(paths) == (2,)
    assert (read.shape, read.voxel_um, read.volume) == (SHAPE, 1.5, volume)


def test_labels_tell_their_author_round_and_time(volume: Path) -> None:
    paint(volume, ADA, 5, [(0, 4, 3)], CLASSES, time_ns=1_700_000_000 * 10**9)

    told = json.loads((volume / "labels" / ADA.label_name / "zarr.json").read_text())["attributes"]
    listed = json.loads((volume / "labels" / "zarr.json").read_text())["attributes"]["ome"]
    described = told["ome"]["image-label"]["properties"]
    image = json.loads((volume / "zarr.json").read_text())["attributes"]["ome"]
    assert listed["labels"] == [ADA.label_name]
    assert {(p["author"], p["round"], p["time"]) for p in described} == {
        ("<b>ada</b>", 1, "2023-11-14T22:13:20.000+00:00")
    }
    n_levels = len(image["multiscales"][0]["datasets"])
    assert len(told["ome"]["multiscales"][0]["datasets"]) == n_levels == 2


def test_lower_levels_keep_a_thin_stroke(volume: Path) -> None:
    paint(volume, ADA, 5, [(0, 4, 3)], CLASSES, time_ns=1)

    coarse = np.asarray(zarr.open_array(volume / "labels" / ADA.label_name / "1", mode="r")[:])
    assert coarse[0, 2].tolist()[:3] == [3, 3, UNPAINTED]
    assert (coarse != UNPAINTED).sum() == 2


def test_later_rounds_and_strokes_stand_over_earlier_ones_and_all_are_kept(
    paths: ExperimentPaths, volume: Path
) -> None:
    bob = PaintLayer(axis="y", person="bob", round=2)
    paint(volume, bob, 5, [(0, 1, 4)], CLASSES, time_ns=5)
    paint(volume, ADA, 5, [(0, 3, 3)], CLASSES, time_ns=9)

    read = read_painted(paths, 2)

    assert read.plane("y", 5)[0, :4].tolist() == [4, 3, 3, UNPAINTED]
    assert [(p.person, p.round, p.time_ns) for p in read.planes] == [
        ("<b>ada</b>", 1, 9),
        ("bob", 2, 5),
    ]
    assert read.planes[0].classes[0, 0] == 3


def test_what_was_erased_is_no_label(paths: ExperimentPaths, volume: Path) -> None:
    paint(volume, ADA, 5, [(0, 3, 3)], CLASSES, time_ns=1)
    paint(volume, ADA, 5, [(0, 3, UNPAINTED)], CLASSES, time_ns=2)

    assert read_painted(paths, 2).planes == ()
    assert [mark.time_ns for mark in painted_marks(volume)] == [2]


@pytest.mark.parametrize(
    ("index", "run"), [(130, (0, 1, 3)), (5, (139, 2, 3)), (5, (0, 1, 9)), (-1, (0, 1, 3))]
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    volume: Path, index: int, run: tuple[int, int, int]
) -> None:
    with pytest.raises(WrongVolumeError):
        paint(volume, ADA, index, [run], CLASSES, time_ns=1)

    assert painted_marks(volume) == ()


def test_whole_planes_come_from_files(paths: ExperimentPaths, volume: Path) -> None:
    layer = PaintLayer(axis="z", person="napari", round=1)
    plane = np.full(SHAPE[1:], UNPAINTED, np.uint8)
    plane[3] = 4

    replace_planes(volume, layer, {0: plane, 6: plane}, CLASSES, time_ns=3)

    merged = read_painted(paths, 2).merged()
    assert (merged[[0, 6], 3] == 4).all()
    assert (merged == 4).sum() == 2 * SHAPE[2]
    with pytest.raises(WrongVolumeError, match="no classes"):
        replace_planes(volume, layer, {0: plane + np.uint8(6)}, CLASSES, time_ns=4)


def test_damage_is_named(paths: ExperimentPaths, volume: Path) -> None:
    paint(volume, ADA, 5, [(0, 3, 3)], CLASSES, time_ns=1)
    file = volume / "labels" / ADA.label_name / "0" / "c" / "0" / "5" / "0"
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)

    with pytest.raises(CorruptDataError, match=str(file)):
        read_painted(paths, 2)


def test_a_scan_that_nobody_painted_says_what_to_do(paths: ExperimentPaths, volume: Path) -> None:
    with pytest.raises(NotStoredError, match="labels import"):
        read_painted(paths, 2)
