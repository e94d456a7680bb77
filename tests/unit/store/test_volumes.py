import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from lithoscope_store.checksums import array_sha256
from lithoscope_store.errors import (
    CorruptDataError,
    NotStoredError,
    StoreFormatError,
    UnsafePathError,
    WrongVolumeError,
)
from lithoscope_store.pyramid import halve_image, halve_labels, level_shape, plan_levels
from lithoscope_store.volumes import (
    LabelClass,
    create_labels,
    create_volume,
    finish_volume,
    label_classes,
    read_region,
    read_slab,
    volume_info,
    volume_sha256,
    write_slab,
)

SHAPE = (21, 40, 130)
CLASSES = (
    LabelClass(1, "stripping_electrode", (0, 114, 178, 255)),
    LabelClass(5, "dendrite", (213, 94, 0, 255)),
)


def image_of(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def labels_of(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.uint8]:
    return np.random.default_rng(2).choice(np.array([0, 1, 5], np.uint8), shape)


def write_volume(path: Path, *, slab_slices: int = 8, with_labels: bool = True) -> None:
    create_volume(
        path,
        shape=SHAPE,
        voxel_um=1.33,
        name="scan 0",
        slab_slices=slab_slices,
        window=(-1.0, 2.0),
        offset_unknown=True,
        provenance={"scan": 0},
    )
    for z0 in range(0, SHAPE[0], slab_slices):
        write_slab(path, z0, image_of()[z0 : z0 + slab_slices])
    if with_labels:
        create_labels(path, "cell", CLASSES)
        for z0 in range(0, SHAPE[0], slab_slices):
            write_slab(path, z0, labels_of()[z0 : z0 + slab_slices], label="cell")
    finish_volume(path)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("volumes") / "0000-abcdef01.zarr"
    write_volume(path)
    return path


def test_slabs_are_read_as_they_were_written(volume: Path) -> None:
    np.testing.assert_array_equal(read_slab(volume, 0, SHAPE[0]), image_of())
    np.testing.assert_array_equal(read_slab(volume, 5, 17, label="cell"), labels_of()[5:17])


def test_any_plane_can_be_read(volume: Path) -> None:
    plane = read_region(volume, (slice(None), slice(11, 12), slice(3, 99)))

    np.testing.assert_array_equal(plane, image_of()[:, 11:12, 3:99])


def test_a_volume_tells_what_it_is(volume: Path) -> None:
    info = volume_info(volume)

    assert (info.name, info.shape, info.dtype) == ("scan 0", SHAPE, np.dtype("float32"))
    assert (info.voxel_um, info.levels, info.slab_slices) == (1.33, 2, 8)
    assert (info.unit, info.polarity, info.offset_unknown) == ("1/cm", "denser_is_brighter", True)
    assert (info.window, info.provenance, info.labels) == ((-1.0, 2.0), {"scan": 0}, ("cell",))
    assert label_classes(volume, "cell") == CLASSES


def test_the_hash_of_a_slab_is_that_of_its_voxels(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    create_volume(path, shape=(8, 9, 10), voxel_um=1.0, name="v", slab_slices=8)
    slab = image_of((8, 9, 10))

    assert write_slab(path, 0, slab) == array_sha256(slab)


def test_hashes_tell_dtype_and_shape_apart() -> None:
    zeros = np.zeros((2, 6), np.uint16)

    hashes = {
        array_sha256(zeros),
        array_sha256(zeros.reshape(3, 4)),
        array_sha256(zeros.view(np.uint8)),
        array_sha256(zeros.view(np.int16)),
    }

    assert len(hashes) == 4
    assert array_sha256(zeros.astype(">u2")) == array_sha256(zeros)
    assert array_sha256(np.asfortranarray(zeros)) == array_sha256(zeros)


def test_the_hash_of_a_volume_is_that_of_its_array(volume: Path) -> None:
    assert volume_sha256(volume) == array_sha256(image_of())
    assert volume_sha256(volume, label="cell") == array_sha256(labels_of())


def test_lower_levels_are_means_and_modes(volume: Path) -> None:
    image = read_slab(volume, 0, 11, level=1)
    labels = read_slab(volume, 0, 11, level=1, label="cell")

    assert image.shape == labels.shape == (11, 20, 65)
    block = (slice(2, 4), slice(6, 8), slice(10, 12))
    assert image[1, 3, 5] == pytest.approx(image_of()[block].mean(), abs=1e-6)
    assert image[10, 3, 5] == pytest.approx(image_of()[20, 6:8, 10:12].mean(), abs=1e-6)
    assert labels[1, 3, 5] in np.unique(labels_of()[block])


def test_slabs_of_another_height_give_the_same_voxels(volume: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"

    write_volume(other, slab_slices=16)

    for level in range(2):
        depth = volume_info(volume).level_shape(level)[0]
        for label in (None, "cell"):
            np.testing.assert_array_equal(
                read_slab(other, 0, depth, level=level, label=label),
                read_slab(volume, 0, depth, level=level, label=label),
            )


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    write_volume(path)
    first = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    write_volume(path)

    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == first


def test_a_slab_of_zeros_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    create_volume(path, shape=(8, 9, 10), voxel_um=1.0, name="v", slab_slices=8)

    write_slab(path, 0, np.zeros((8, 9, 10), np.float32))

    assert not read_slab(path, 0, 8).any()


def test_a_slab_that_was_not_written_is_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    create_volume(path, shape=(16, 9, 10), voxel_um=1.0, name="v", slab_slices=8)
    write_slab(path, 8, image_of((8, 9, 10)))

    with pytest.raises(NotStoredError, match="slices 0 to 8 of level 0 were not written"):
        read_slab(path, 4, 12)
    with pytest.raises(NotStoredError, match="were not written"):
        volume_sha256(path)


@pytest.mark.parametrize(
    ("z0", "array"),
    [
        (4, np.zeros((8, 9, 10), np.float32)),
        (0, np.zeros((4, 9, 10), np.float32)),
        (8, np.zeros((4, 9, 11), np.float32)),
        (8, np.zeros((4, 9, 10), np.float64)),
        (16, np.zeros((0, 9, 10), np.float32)),
    ],
)
def test_a_slab_off_the_grid_is_refused(tmp_path: Path, z0: int, array: NDArray[Any]) -> None:
    path = tmp_path / "v.zarr"
    create_volume(path, shape=(12, 9, 10), voxel_um=1.0, name="v", slab_slices=8)

    with pytest.raises(WrongVolumeError, match="does not fit"):
        write_slab(path, z0, array)


def test_slabs_that_cannot_be_cut_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongVolumeError, match="multiple of 8"):
        create_volume(
            tmp_path / "v.zarr", shape=(200, 9, 10), voxel_um=1.0, name="v", slab_slices=67
        )


def test_a_flipped_byte_is_found_and_its_place_named(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    create_volume(path, shape=(16, 9, 10), voxel_um=1.0, name="v", slab_slices=8)
    write_slab(path, 0, image_of((8, 9, 10)))
    write_slab(path, 8, image_of((8, 9, 10)))
    shard = path / "0" / "c" / "1" / "0" / "0"
    sound = shard.read_bytes()

    for offset in range(0, len(sound), 97):
        damaged = bytearray(sound)
        damaged[offset] ^= 0x01
        shard.write_bytes(damaged)
        with pytest.raises(CorruptDataError, match="is damaged in slices 8 to 16"):
            read_slab(path, 8, 16)
        read_slab(path, 0, 8)


def test_metadata_that_ask_for_pickle_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    write_volume(path, with_labels=False)
    metadata = path / "0" / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"blosc"', '"pickle"'))

    with pytest.raises(ValueError, match="codec 'pickle'"):
        read_slab(path, 0, 8)


def test_a_label_name_never_leaves_the_volume(volume: Path) -> None:
    with pytest.raises(UnsafePathError, match="cannot name labels"):
        read_slab(volume, 0, 1, label="../..")


def test_what_is_no_volume_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="there is nothing at"):
        volume_info(tmp_path / "none.zarr")
    (tmp_path / "zarr.json").write_text(json.dumps({"attributes": {"ome": {}}}))
    with pytest.raises(StoreFormatError, match="is no volume of ours"):
        volume_info(tmp_path)


def test_ome_zarr_opens_image_and_labels(volume: Path) -> None:
    location = parse_url(volume, mode="r")
    assert location is not None

    image, labels = [node for node in Reader(location)() if node.data]

    assert [level.shape for level in image.data] == [SHAPE, (11, 20, 65)]
    np.testing.assert_array_equal(image.data[0].compute(scheduler="synchronous"), image_of())
    assert [axis["name"] for axis in image.metadata["axes"]] == ["z", "y", "x"]
    assert image.metadata["coordinateTransformations"][1][0]["scale"] == [2.66, 2.66, 2.66]
    assert [level.shape for level in labels.data] == [SHAPE, (11, 20, 65)]
    np.testing.assert_array_equal(labels.data[0].compute(scheduler="synchronous"), labels_of())
    assert labels.metadata["properties"] == {
        1: {"class": "stripping_electrode"},
        5: {"class": "dendrite"},
    }
    np.testing.assert_allclose(labels.metadata["color"][5], [213 / 255, 94 / 255, 0, 1])


def test_levels_end_when_the_longest_side_is_short() -> None:
    assert plan_levels((24, 192, 96)) == 2
    assert plan_levels((24, 96, 96)) == 1
    assert plan_levels((24, 97, 96)) == 2
    assert level_shape((24, 193, 1), 2) == (6, 49, 1)


def test_integers_are_halved_without_overflow() -> None:
    block = np.full((2, 2, 2), 65535, np.uint16)
    block[0, 0, 0] = 65530  # mean 65534.375

    assert halve_image(block).tolist() == [[[65534]]]


def test_equal_counts_go_to_the_lowest_label_but_background() -> None:
    tie = np.array([[[7, 7], [5, 5]], [[0, 0], [0, 5]]], np.uint8)
    background_tie = np.array([[[7, 7], [7, 7]], [[0, 0], [0, 0]]], np.uint8)
    mostly_background = np.array([[[7, 7], [7, 0]], [[0, 0], [0, 0]]], np.uint8)

    assert halve_labels(tie).item() == 5
    assert halve_labels(background_tie).item() == 7
    assert halve_labels(mostly_background).item() == 0
