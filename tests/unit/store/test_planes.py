"""Planes of volumes, read past Zarr."""

from pathlib import Path

import numpy as np
import pytest

from lithoscope_store import CorruptDataError, LabelClass, NotStoredError, read_region
from lithoscope_store.planes import read_plane
from lithoscope_store.volumes import create_labels, create_volume, finish_volume, write_slab

SHAPE = (70, 45, 50)
_WHOLE = slice(None)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planes") / "volume.zarr"
    info = create_volume(path, shape=SHAPE, voxel_um=1.0, name="planes", levels=2)
    create_labels(path, "cell", (LabelClass(1, "one", (1, 2, 3, 255)),))
    rng = np.random.default_rng(1)
    for z0 in range(0, SHAPE[0], info.slab_slices):
        shape = (min(info.slab_slices, SHAPE[0] - z0), *SHAPE[1:])
        write_slab(path, z0, rng.random(shape, np.float32))
        write_slab(path, z0, rng.integers(0, 9, shape).astype(np.uint8), label="cell")
    finish_volume(path)
    return path


@pytest.mark.parametrize("label", [None, "cell"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("normal", [0, 1, 2])
def test_a_plane_is_what_zarr_reads(
    volume: Path, normal: int, level: int, label: str | None
) -> None:
    for index in (0, 17, -(-SHAPE[normal] // (1 << level)) - 1):
        region = [_WHOLE, _WHOLE, _WHOLE]
        region[normal] = slice(index, index + 1)
        box = read_region(volume, (region[0], region[1], region[2]), level=level, label=label)

        plane = read_plane(volume, normal, index, level=level, label=label)

        assert np.array_equal(plane, np.squeeze(box, axis=normal))


def test_a_part_of_a_plane_is_cut_out_of_it(volume: Path) -> None:
    whole = read_plane(volume, 1, 20)

    part = read_plane(volume, 1, 20, rows=slice(30, 65), columns=slice(5, 6))

    assert np.array_equal(part, whole[30:65, 5:6])


def test_a_plane_or_a_level_that_is_not_there_is_refused(volume: Path) -> None:
    with pytest.raises(NotStoredError, match="planes 0 to 44"):
        read_plane(volume, 1, 45)
    with pytest.raises(NotStoredError):
        read_plane(volume, 1, 0, level=7)


def test_a_damaged_chunk_is_named_and_not_shown(volume: Path, tmp_path: Path) -> None:
    copy = tmp_path / "volume.zarr"
    for source in volume.rglob("*"):
        target = copy / source.relative_to(volume)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    shard = next(
        path for path in sorted((copy / "0").rglob("*")) if path.suffix == "" and path.is_file()
    )
    data = bytearray(shard.read_bytes())
    data[40] ^= 0xFF
    shard.write_bytes(bytes(data))

    with pytest.raises(CorruptDataError, match="damaged"):
        read_plane(copy, 0, 0)


def test_a_slab_that_was_never_written_is_an_error_and_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "empty.zarr"
    create_volume(path, shape=SHAPE, voxel_um=1.0, name="empty")

    with pytest.raises(NotStoredError, match="not written"):
        read_plane(path, 0, 0)
