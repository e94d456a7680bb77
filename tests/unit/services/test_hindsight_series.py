"""Volumes of others: found, numbered, turned, and what is missing in them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.hindsight.series import (
    Reading,
    find_series,
    missing_scans,
    open_volume,
)

SHAPE = (12, 10, 14)
Volume = NDArray[np.float32]


def volume_of(scan: int, sigma: float = 1.0) -> Volume:
    rng = np.random.default_rng(scan)
    z, y, x = np.indices(SHAPE)
    return (100.0 + 10 * y + 3 * x + z + rng.normal(0, sigma, SHAPE)).astype(np.float32)


def write_stack(folder: Path, volume: Volume, *, without: tuple[int, ...] = ()) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(volume, start=5):
        if number - 5 not in without:
            tifffile.imwrite(folder / f"slice_{number:04d}.tif", image)


def write_pages(path: Path, volume: Volume) -> None:
    tifffile.imwrite(path.with_suffix(".tif"), volume, photometric="minisblack")


def write_hdf5(path: Path, volume: Volume) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["entry/small"] = volume[:3, :3, :3]
        file["entry/result/volume"] = volume


def write_zarr(path: Path, volume: Volume) -> None:
    group = zarr.open_group(path.with_suffix(".zarr"), mode="w", zarr_format=3)
    group.create_array("0", data=volume)
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}


@pytest.mark.parametrize("write", [write_stack, write_pages, write_hdf5, write_zarr])
def test_volumes_of_each_kind_are_read_as_they_were_written(
    tmp_path: Path, write: Callable[[Path, Volume], None]
) -> None:
    for scan in (7, 8):
        write(tmp_path / f"scan_{scan:02d}", volume_of(scan))

    found = find_series(str(tmp_path), Reading())

    assert [(each.scan, each.shape, each.remarks) for each in found] == [
        (0, SHAPE, ()),
        (1, SHAPE, ()),
    ]
    with open_volume(found[1], Reading()) as file:
        np.testing.assert_array_equal(file.slab(3, 9), volume_of(8)[3:9])


def test_an_image_with_a_time_axis_is_a_series(tmp_path: Path) -> None:
    volumes = np.stack([volume_of(scan) for scan in range(3)])[:, None]
    group = zarr.open_group(tmp_path / "cell.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=volumes)
    axes = [{"name": name} for name in "tczyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]

    found = find_series(str(tmp_path / "cell.zarr"), Reading())

    assert [each.scan for each in found] == [0, 1, 2]
    with open_volume(found[2], Reading()) as file:
        np.testing.assert_array_equal(file.slab(0, 12), volumes[2, 0])


def test_missing_slices_are_named_and_lie_on_a_line_between_their_neighbours(
    tmp_path: Path,
) -> None:
    volume = volume_of(0)
    write_stack(tmp_path / "scan_000", volume, without=(4, 5))

    (found,) = find_series(str(tmp_path), Reading())

    assert found.missing == (4, 5)
    assert "2 slices missing (4, 5)" in found.remarks[0]
    with open_volume(found, Reading()) as file:
        slab = file.slab(3, 7)
    np.testing.assert_allclose(slab[1], volume[3] + (volume[6] - volume[3]) / 3, rtol=1e-6)
    np.testing.assert_allclose(slab[2], volume[3] + (volume[6] - volume[3]) * 2 / 3, rtol=1e-6)


def test_scans_that_are_missing_keep_their_number(tmp_path: Path) -> None:
    for scan in (3, 4, 6, 9):
        write_pages(tmp_path / f"cell7_{scan:03d}", volume_of(scan))

    scans = [each.scan for each in find_series(f"{tmp_path}/*.tif", Reading())]

    assert scans == [0, 1, 3, 6]
    assert missing_scans(scans) == (2, 4, 5)


def test_a_scan_at_half_the_dose_stands_out(tmp_path: Path) -> None:
    for scan in range(5):
        sigma = 2.0 * (2**0.5 if scan == 3 else 1.0)
        write_pages(tmp_path / f"scan_{scan:03d}", volume_of(scan, sigma))

    found = find_series(str(tmp_path), Reading())

    # 980 second differences each: the ratio of two scans scatters by 5 %.
    assert [each.scan for each in found if each.is_noisy] == [3]
    assert found[3].noise_ratio == pytest.approx(2**0.5, rel=0.15)


@pytest.mark.parametrize(
    ("through", "axes"), [("y", (0, 1, 2)), ("z", (1, 0, 2)), ("x", (0, 2, 1))]
)
def test_the_axis_through_the_cell_becomes_y(
    tmp_path: Path, through: str, axes: tuple[int, int, int]
) -> None:
    write_hdf5(tmp_path / "scan_0", volume_of(0))
    reading = Reading(through=through)  # type: ignore[arg-type] # one of three letters

    (found,) = find_series(str(tmp_path), reading)

    expected = volume_of(0).transpose(axes)
    assert found.shape == expected.shape
    with open_volume(found, reading) as file:
        np.testing.assert_array_equal(file.slab(1, 4), expected[1:4])


def test_inverted_and_turned_volumes_are_set_right(tmp_path: Path) -> None:
    write_pages(tmp_path / "scan_0", volume_of(0))
    reading = Reading(is_inverted=True, is_plating_low=True)

    (found,) = find_series(str(tmp_path), reading)

    with open_volume(found, reading) as file:
        np.testing.assert_array_equal(file.slab(0, 12), -volume_of(0)[:, ::-1])


def test_a_folder_without_volumes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(SourceError, match="no volumes"):
        find_series(str(tmp_path), Reading())


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    write_stack(tmp_path / "scan_0", volume_of(0))
    tifffile.imwrite(tmp_path / "scan_0" / "slice_0010.tif", np.zeros((3, 3), np.float32))

    with pytest.raises(SourceError, match="slices of one volume only"):
        find_series(str(tmp_path), Reading())
