"""Stored scans: what is read from each layout, and how each fault is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_services.sources.files import open_scan

WriteScan = Callable[..., Path]
KEYS = [2, 1, 1, 0, 0, 0, 0, 0, 0, 1, 3]


def write_nxtomo(path: Path, keys: list[int], **changes: Any) -> Path:
    arrays = {
        "data": np.arange(len(keys) * 6, dtype=np.uint16).reshape(len(keys), 2, 3),
        "image_key": np.array(keys),
        "rotation_angle": np.arange(len(keys)) * 20.0,
    } | changes
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector["data"] = arrays["data"]
        detector["image_key"] = arrays["image_key"]
        detector["x_pixel_size"] = [1.33e-6]
        entry["sample/rotation_angle"] = arrays["rotation_angle"]
        entry["sample/rotation_angle"].attrs["units"] = "deg"
        entry["sample/name"] = np.array([b"cell 7"], "S256")
    return path


def write_tiffs(folder: Path, angles: list[float], n: int = 4) -> Path:
    (folder / "projections").mkdir(parents=True)
    for index in range(n):
        image = np.full((2, 3), index, np.uint16)
        tifffile.imwrite(folder / "projections" / f"raw_{index}.tiff", image)
    tifffile.imwrite(folder / "flat_1.tiff", np.full((2, 3), 100, np.float32))
    tifffile.imwrite(folder / "dark_1.tiff", np.zeros((2, 3), np.float32))
    (folder / "angles.txt").write_text("\n".join(map(str, angles)))
    return folder


def failure_of(path: Path) -> str:
    with pytest.raises(SourceError) as caught, open_scan(path) as scan:
        list(scan.frames())
    assert "\n" not in str(caught.value)
    assert str(path.parent) in str(caught.value)
    return str(caught.value)


def test_dxchange_gives_frames_as_they_were_stored(write_scan: WriteScan) -> None:
    with open_scan(write_scan()) as scan:
        assert (scan.format, scan.n_projections, scan.frame_shape) == ("dxchange", 12, (3, 8))
        assert scan.dtype == "uint16"
        assert scan.projections(slice(1, 3)).shape == (12, 2, 8)
        assert scan.projections(frames=slice(2, 4)).shape == (2, 3, 8)
        assert scan.flats().shape == (2, 3, 8)
        assert scan.darks(slice(0, 1)).shape == (1, 1, 8)
        np.testing.assert_allclose(scan.thetas_deg, np.arange(12) * 15.0)


def test_frames_come_in_the_order_of_a_scan(write_scan: WriteScan) -> None:
    with open_scan(write_scan()) as scan:
        frames = list(scan.frames())

    assert [frame.kind for frame in frames] == ["dark", "flat", "flat"] + ["projection"] * 12
    assert frames[-1].theta_deg == 165.0
    assert frames[0].theta_deg is None
    assert [(e.kind, e.count) for e in scan.expected] == [
        ("dark", 1),
        ("flat", 2),
        ("projection", 12),
    ]


def test_angles_in_radians_become_degrees(write_scan: WriteScan) -> None:
    path = write_scan({"exchange/theta": np.deg2rad(np.arange(12) * 15.0)})

    with open_scan(path) as scan:
        np.testing.assert_allclose(scan.thetas_deg, np.arange(12) * 15.0)


def test_unwrapped_radians_with_a_unit_become_degrees(write_scan: WriteScan) -> None:
    path = write_scan({"exchange/theta": np.deg2rad(np.arange(12) * 150.0)})
    with h5py.File(path, "r+") as file:
        file["exchange/theta"].attrs["units"] = "radians"

    with open_scan(path) as scan:
        np.testing.assert_allclose(scan.thetas_deg, np.arange(12) * 150.0)


def test_angles_are_made_from_start_and_step(write_scan: WriteScan) -> None:
    rotation = "process/acquisition/rotation"
    path = write_scan(
        {
            "exchange/theta": None,
            f"{rotation}/rotation_start": [10.0],
            f"{rotation}/rotation_step": [0.5],
        }
    )

    with open_scan(path) as scan:
        assert scan.theta_source == "formula"
        np.testing.assert_allclose(scan.thetas_deg[:3], [10.0, 10.5, 11.0])


def test_an_energy_of_minus_one_is_not_known(write_scan: WriteScan) -> None:
    path = write_scan({"measurement/instrument/monochromator/energy": -1.0})

    with open_scan(path) as scan:
        assert scan.energy_keV is None


def test_nxtomo_parts_frames_by_their_key(tmp_path: Path) -> None:
    with open_scan(write_nxtomo(tmp_path / "scan.nxs", KEYS)) as scan:
        kinds = [(e.kind, e.set, e.count) for e in scan.expected]

        assert kinds == [("dark", 0, 1), ("flat", 0, 2), ("projection", 0, 6), ("flat", 1, 1)]
        np.testing.assert_allclose(scan.thetas_deg, np.arange(3, 9) * 20.0)
        assert scan.projections()[0, 0, 0] == 18
        assert scan.voxel_size_um == pytest.approx(1.33)
        assert scan.sample == "cell 7"


def test_a_tiff_folder_leaves_out_the_angles_of_flats_and_darks(tmp_path: Path) -> None:
    angles = [0.0, 0.0, 0.0, 45.0, 90.0, 135.0, 135.0, 135.0]

    with open_scan(write_tiffs(tmp_path / "scan", angles)) as scan:
        np.testing.assert_allclose(scan.thetas_deg, [0.0, 45.0, 90.0, 135.0])
        assert (scan.format, scan.dtype) == ("tiff_folder", "uint16")
        assert scan.flats().dtype == np.float32


def test_tiffs_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [i * 15.0 for i in range(12)], n=12)

    with open_scan(folder) as scan:
        np.testing.assert_array_equal(scan.projections()[:, 0, 0], np.arange(12))


def test_a_written_scan_reads_back_the_same(tmp_path: Path, write_scan: WriteScan) -> None:
    path = tmp_path / "copy.h5"
    with open_scan(write_scan()) as scan:
        original = scan.projections()
        write_dxchange(
            path,
            projections=original,
            thetas_deg=scan.thetas_deg,
            flats=scan.flats(),
            darks=scan.darks(),
            voxel_size_um=4.5,
            energy_keV=27.5,
            sample="cell 7",
        )

    with open_scan(path) as copy:
        np.testing.assert_array_equal(copy.projections(), original)
        assert (copy.voxel_size_um, copy.energy_keV, copy.sample) == (4.5, 27.5, "cell 7")


def test_too_few_projections_leave_no_file(tmp_path: Path) -> None:
    frames = np.ones((2, 3, 4), np.uint16)

    with pytest.raises(SourceError, match="2 projections for 5 angles"):
        write_dxchange(
            tmp_path / "scan.h5",
            projections=frames,
            thetas_deg=np.arange(5.0),
            flats=frames,
            darks=frames,
            voxel_size_um=1.0,
        )

    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file or folder" in failure_of(tmp_path / "absent.h5")


def test_text_instead_of_hdf5_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    path.write_text("theta, counts\n1, 2\n" * 100)

    assert "no HDF5 file (it begins with b'theta, counts" in failure_of(path)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    path.touch()

    assert "HDF5" in failure_of(path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_named(write_scan: WriteScan, kept: float) -> None:
    path = write_scan()
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])

    assert "truncated" in failure_of(path)


def test_an_hdf5_file_without_a_scan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)

    assert "neither /exchange (DXchange) nor an image_key (NXtomo)" in failure_of(path)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"exchange/data_white": None}, "no flats"),
        ({"exchange/data_white": np.zeros((0, 3, 8), np.uint16)}, "no flats"),
        ({"exchange/data_dark": None}, "no darks"),
        ({"exchange/data": None}, "no /exchange/data"),
        ({"exchange/data": np.zeros((0, 3, 8), np.uint16)}, "no projections"),
        ({"exchange/theta": None}, "no angles"),
        ({"exchange/theta": np.arange(11.0)}, "11 angles for 12 projections"),
        ({"exchange/theta": np.full(12, np.nan)}, "angle 0 is no finite number"),
        ({"exchange/data_white": np.zeros((2, 3, 7), np.uint16)}, "flats of 3 x 7 pixels"),
        ({"exchange/data_dark": np.zeros((2, 4, 8), np.uint16)}, "darks of 4 x 8 pixels"),
        ({"exchange/data": np.zeros((12, 24), np.uint16)}, "shape (12, 24)"),
        ({"exchange/data": "no numbers"}, "numbers of 3 dimensions are needed"),
    ],
)
def test_a_part_that_is_missing_or_does_not_fit_is_named(
    write_scan: WriteScan, changes: dict[str, Any], text: str
) -> None:
    assert text in failure_of(write_scan(changes))


@pytest.mark.parametrize("name", ["data", "data_white", "data_dark"])
def test_nan_is_named_with_its_frame(write_scan: WriteScan, name: str) -> None:
    counts = np.full((12, 3, 8), 500, np.float32)
    counts[7, 1, 2] = np.nan

    assert "NaN or infinity, first in frame 7" in failure_of(
        write_scan({f"exchange/{name}": counts})
    )


def test_an_external_link_out_of_the_folder_is_refused(
    tmp_path: Path, write_scan: WriteScan
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    write_scan(name="elsewhere/secret.h5")
    path = write_scan({"exchange/data": None})
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = h5py.ExternalLink("../secret.h5", "exchange/data")

    assert "outside the folder" in failure_of(path)


def test_a_symlink_does_not_lead_out_of_the_folder_either(
    tmp_path: Path, write_scan: WriteScan
) -> None:
    (tmp_path / "a").mkdir()
    write_scan(name="secret.h5")
    path = write_scan({"exchange/data": None}, name="a/scan.h5")
    (tmp_path / "a" / "near.h5").symlink_to(tmp_path / "secret.h5")
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = h5py.ExternalLink("near.h5", "exchange/data")

    assert "outside the folder" in failure_of(path)


def test_an_external_link_to_a_missing_file_is_named(write_scan: WriteScan) -> None:
    path = write_scan({"exchange/data": None})
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = h5py.ExternalLink("absent.h5", "exchange/data")

    assert "leads to absent.h5, which is missing" in failure_of(path)


def test_an_external_link_inside_the_folder_is_followed(write_scan: WriteScan) -> None:
    write_scan(name="data.h5")
    path = write_scan({"exchange/data": None})
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = h5py.ExternalLink("data.h5", "/exchange/data")

    with open_scan(path) as scan:
        assert scan.projections().shape == (12, 3, 8)


def test_links_in_a_circle_are_named(write_scan: WriteScan) -> None:
    path = write_scan({"exchange/data": None})
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = h5py.SoftLink("/exchange/other")
        file["exchange/other"] = h5py.SoftLink("/exchange/data")

    assert "circle" in failure_of(path)


@pytest.mark.parametrize(
    ("source", "text"), [("../secret.h5", "outside the folder"), ("absent.h5", "missing")]
)
def test_a_virtual_dataset_keeps_to_its_folder(
    tmp_path: Path, write_scan: WriteScan, source: str, text: str
) -> None:
    (tmp_path / "a").mkdir()
    write_scan(name="secret.h5")
    path = write_scan({"exchange/data": None}, name="a/scan.h5")
    layout = h5py.VirtualLayout(shape=(12, 3, 8), dtype=np.uint16)
    layout[...] = h5py.VirtualSource(source, "exchange/data", shape=(12, 3, 8))
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("exchange/data", layout)

    assert text in failure_of(path)


def test_external_storage_out_of_the_folder_is_refused(
    tmp_path: Path, write_scan: WriteScan
) -> None:
    (tmp_path / "a").mkdir()
    secret = tmp_path / "secret.raw"
    secret.write_bytes(bytes(12 * 3 * 8 * 2))
    path = write_scan({"exchange/data": None}, name="a/scan.h5")
    with h5py.File(path, "r+") as file:
        file.create_dataset(
            "exchange/data", (12, 3, 8), np.uint16, external=[(str(secret), 0, 576)]
        )

    assert "outside the folder" in failure_of(path)


def test_nxtomo_without_flats_is_named(tmp_path: Path) -> None:
    assert "no flats" in failure_of(write_nxtomo(tmp_path / "scan.nxs", [2, 0, 0, 0]))


def test_nxtomo_with_too_few_keys_is_named(tmp_path: Path) -> None:
    path = write_nxtomo(tmp_path / "scan.nxs", KEYS, image_key=np.array(KEYS[:-1]))

    assert "image_key has 10 values for 11 frames" in failure_of(path)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()

    assert "no TIFF projections" in failure_of(folder)


def test_a_tiff_folder_without_angles_is_named(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [])
    (folder / "angles.txt").unlink()

    assert "no angles" in failure_of(folder)


def test_angles_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [])
    (folder / "angles.txt").write_text("0\nfour\n")

    assert "angles.txt: no list of numbers" in failure_of(folder)


def test_surplus_angles_that_move_are_named(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [0.0, 30.0, 60.0, 90.0, 120.0])

    assert "5 angles for 4 projections" in failure_of(folder)


def test_a_tiff_of_another_size_is_named(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [0.0, 45.0, 90.0, 135.0])
    tifffile.imwrite(folder / "projections" / "raw_2.tiff", np.zeros((5, 3), np.uint16))

    assert "raw_2.tiff: (5, 3) pixels" in failure_of(folder)


def test_a_damaged_tiff_is_named(tmp_path: Path) -> None:
    folder = write_tiffs(tmp_path / "scan", [0.0, 45.0, 90.0, 135.0])
    (folder / "projections" / "raw_0.tiff").write_bytes(b"no image")

    assert "raw_0.tiff: no TIFF that can be read" in failure_of(folder)
