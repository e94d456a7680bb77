from pathlib import Path

import numpy as np
import pytest
import zarr

from lithoscope_store.errors import CorruptDataError, NotStoredError, UnsafePathError
from lithoscope_store.maps import read_maps, write_maps

GAP = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]], np.float32)
THICKNESS = np.ones((4, 1), np.float32)
UNITS = {"gap": "um", "thickness": "um"}


def test_maps_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.zarr", {"gap": GAP, "thickness": THICKNESS}, 1.33, UNITS)

    read = read_maps(tmp_path / "m.zarr")

    np.testing.assert_array_equal(read.maps["gap"], GAP)
    np.testing.assert_array_equal(read.maps["thickness"], THICKNESS)
    assert (read.units, read.voxel_um) == (UNITS, 1.33)


def test_zarr_reads_maps(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.zarr", {"gap": GAP}, 1.33, UNITS)

    array = zarr.open_array(tmp_path / "m.zarr" / "gap", mode="r")

    np.testing.assert_array_equal(np.asarray(array[:]), GAP)
    assert dict(array.attrs) == {"unit": "um", "pixel_um": 1.33}


def test_maps_that_were_cut_short_are_none(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.zarr", {"gap": GAP}, 1.33, UNITS)
    (tmp_path / "m.zarr" / "zarr.json").unlink()

    with pytest.raises(NotStoredError, match="there are no maps"):
        read_maps(tmp_path / "m.zarr")


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.zarr", {"gap": GAP}, 1.33, UNITS)
    chunk = tmp_path / "m.zarr" / "gap" / "c" / "0" / "0"
    damaged = bytearray(chunk.read_bytes())
    damaged[20] ^= 1
    chunk.write_bytes(damaged)

    with pytest.raises(CorruptDataError, match="gap is damaged"):
        read_maps(tmp_path / "m.zarr")


def test_a_name_never_leaves_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError, match="cannot name a map"):
        write_maps(tmp_path / "m.zarr", {"../gap": GAP}, 1.33, {"../gap": "um"})
