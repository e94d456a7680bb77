"""``reconstruct``, ``measure``, ``simulate --out`` and the bad input of ``ingest``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from lithoscope_services.cli.run_commands import name_after
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_store.volumes import read_slab, volume_info

Run = Callable[..., tuple[int, str, str]]
WriteScan = Callable[..., Path]
N_COLUMNS = 65
DISC_PER_CM = 2.0
VOXEL_UM = 100.0


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """Exact projections of a disc of 2/cm, radius 20 px, 5 px off the axis at column 30."""
    thetas_deg = np.linspace(0.0, 178.0, 90)
    s_px = np.arange(N_COLUMNS) - 30.0
    centre_px = 5.0 * np.cos(np.deg2rad(thetas_deg))
    half_chord_px = np.sqrt(np.maximum(0.0, 400.0 - (s_px[None] - centre_px[:, None]) ** 2))
    attenuation = 2.0 * half_chord_px * DISC_PER_CM * VOXEL_UM * 1e-4
    frames = np.repeat((60000.0 * np.exp(-attenuation))[:, None], 4, axis=1)
    path = tmp_path / "disc.h5"
    write_dxchange(
        path,
        projections=frames.astype(np.uint16),
        thetas_deg=thetas_deg,
        flats=np.full((2, 4, N_COLUMNS), 60000, np.uint16),
        darks=np.zeros((1, 4, N_COLUMNS), np.uint16),
        voxel_size_um=VOXEL_UM,
    )
    return path


def test_a_disc_is_reconstructed_in_its_grey_value(run: Run, disc: Path, tmp_path: Path) -> None:
    out = tmp_path / "disc.zarr"

    # Of a disc that nearly stands still ring removal takes a part.
    options = ("--axis", "30", "--rings", "none")
    code, _, err = run("reconstruct", str(disc), "--out", str(out), *options)

    assert code == 0
    assert "4 x 65 x 65 voxels of 100 um" in err
    volume = read_slab(out, 0, 4)
    # x = 5 px from the axis, which lies at voxel 32; 10 px around it are all disc.
    inside = volume[:, 27:37, 32:42]
    # Half a per cent: quantisation of the counts, and a sampled ramp on a band-limited disc.
    np.testing.assert_allclose(inside.mean(), DISC_PER_CM, rtol=0.005)
    assert volume_info(out).offset_unknown is False


def test_the_axis_of_a_disc_is_found(run: Run, disc: Path, tmp_path: Path) -> None:
    out = tmp_path / "disc.zarr"

    code, text, _ = run("reconstruct", str(disc), "--out", str(out), "--json")

    assert code == 0
    result = json.loads(text)
    assert result["rotation_axis_px"] == pytest.approx(30.0, abs=0.25)
    assert result["voxel_um"] == VOXEL_UM
    assert volume_info(out).provenance["rotation_axis_px"] == result["rotation_axis_px"]


def test_rows_are_the_same_alone_and_together(run: Run, disc: Path, tmp_path: Path) -> None:
    arguments = ("reconstruct", str(disc), "--axis", "30")
    run(*arguments, "--out", str(tmp_path / "all.zarr"))
    run(*arguments, "--out", str(tmp_path / "some.zarr"), "--rows", "1:3")

    some = read_slab(tmp_path / "some.zarr", 0, 2)
    np.testing.assert_array_equal(some, read_slab(tmp_path / "all.zarr", 1, 3))


def test_a_known_distance_brings_phase_retrieval(run: Run, disc: Path, tmp_path: Path) -> None:
    arguments = ("reconstruct", str(disc), "--axis", "30", "--rings", "none", "--json")
    distance = ("--config", str(tmp_path / "beam.toml"), "--distance-mm", "500")
    (tmp_path / "beam.toml").write_text("[scan]\nenergy_keV = 20.0\n")

    _, plain, _ = run(*arguments, "--out", str(tmp_path / "plain.zarr"))
    _, smooth, _ = run(*arguments, *distance, "--out", str(tmp_path / "smooth.zarr"))
    _, off, _ = run(*arguments, *distance, "--phase", "none", "--out", str(tmp_path / "off.zarr"))

    assert json.loads(plain)["phase"] is None
    assert json.loads(smooth)["phase"]["distance_mm"] == 500.0
    assert json.loads(off)["phase"] is None
    volumes = [read_slab(tmp_path / f"{name}.zarr", 0, 4) for name in ("plain", "smooth", "off")]
    np.testing.assert_array_equal(volumes[0], volumes[2])
    # sqrt(500 mm x 0.62 A x 1840 / 4 pi) is 0.7 px: the rim is smooth, the disc is not touched.
    assert np.abs(volumes[1] - volumes[0]).max() > 0.1
    assert volumes[1][:, 30:34, 35:39].mean() == pytest.approx(DISC_PER_CM, rel=0.01)


def test_phase_retrieval_without_a_distance_is_refused(
    run: Run, disc: Path, tmp_path: Path
) -> None:
    code, _, err = run(
        "reconstruct", str(disc), "--out", str(tmp_path / "v.zarr"), "--phase", "paganin"
    )

    assert code == 1
    assert "scan.distance_mm" in err


def test_a_volume_that_is_there_is_not_replaced(run: Run, disc: Path, tmp_path: Path) -> None:
    (tmp_path / "disc.zarr").mkdir()

    code, _, err = run("reconstruct", str(disc), "--out", str(tmp_path / "disc.zarr"))

    assert code == 1
    assert "exists already" in err


@pytest.mark.parametrize(
    ("option", "value"), [("--axis", "middle"), ("--rows", "3:1"), ("--rows", "a:b")]
)
def test_a_wrong_option_is_wrong_usage(
    run: Run, disc: Path, tmp_path: Path, option: str, value: str
) -> None:
    code, _, err = run("reconstruct", str(disc), "--out", str(tmp_path / "v.zarr"), option, value)

    assert code == 2
    assert option in err


def test_an_axis_outside_the_detector_is_named(run: Run, disc: Path, tmp_path: Path) -> None:
    code, _, err = run(
        "reconstruct", str(disc), "--out", str(tmp_path / "v.zarr"), "--axis", "500"
    )

    assert code == 1
    assert "rotation_axis_px is 500.0, it must lie on the detector" in err
    assert list(tmp_path.glob("*v.zarr*")) == []


def test_a_scan_without_structure_asks_for_the_axis(
    run: Run, write_scan: WriteScan, tmp_path: Path
) -> None:
    flat = np.full((12, 3, 32), 1000, np.uint16)
    path = write_scan(
        {"exchange/data": flat, "exchange/data_white": flat, "exchange/data_dark": flat // 10}
    )

    code, _, err = run("reconstruct", str(path), "--out", str(tmp_path / "v.zarr"))

    assert code == 1
    assert "give --axis COLUMN" in err


@pytest.mark.parametrize("command", ["reconstruct", "ingest"])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"exchange/data_white": None}, "no flats"),
        ({"exchange/data_white": np.zeros((2, 3, 7), np.uint16)}, "flats of 3 x 7 pixels"),
        ({"exchange/theta": np.arange(11.0)}, "11 angles for 12 projections"),
        ({"exchange/theta": np.full(12, np.nan)}, "no finite number"),
    ],
)
def test_a_bad_scan_ends_in_one_line(
    run: Run,
    write_scan: WriteScan,
    tmp_path: Path,
    command: str,
    changes: dict[str, Any],
    text: str,
) -> None:
    path = write_scan(changes)
    where = ("--out", "v.zarr") if command == "reconstruct" else ("--store", "store")

    code, out, err = run(command, str(path), where[0], str(tmp_path / where[1]))

    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith(f"lithoscope: error: {path}")
    assert text in err
    assert not (tmp_path / where[1]).exists()


@pytest.mark.parametrize("command", ["reconstruct", "ingest"])
def test_files_that_are_no_scan_end_in_one_line(run: Run, tmp_path: Path, command: str) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no scan")
    where = ("--out", "v.zarr") if command == "reconstruct" else ("--store", "store")
    tail = (where[0], str(tmp_path / where[1]))

    assert "no HDF5 file" in run(command, str(text), *tail)[2]
    assert "no such file or folder" in run(command, str(tmp_path / "absent.h5"), *tail)[2]


def test_ingest_asks_for_a_voxel_size_that_nothing_tells(
    run: Run, write_scan: WriteScan, tmp_path: Path
) -> None:
    code, _, err = run("ingest", str(write_scan()), "--store", str(tmp_path / "store"))

    assert code == 1
    assert "give --voxel-um" in err
    assert not (tmp_path / "store").exists()


def test_nan_in_a_scan_ends_in_one_line_and_leaves_nothing(
    run: Run, write_scan: WriteScan, tmp_path: Path
) -> None:
    counts = np.full((12, 3, 8), 500, np.float32)
    counts[5] = np.nan

    code, _, err = run(
        "reconstruct",
        str(write_scan({"exchange/data": counts})),
        "--axis",
        "4",
        "--out",
        str(tmp_path / "v.zarr"),
    )

    assert code == 1
    assert "NaN or infinity, first in frame 5" in err
    assert list(tmp_path.glob("*v.zarr*")) == []


def test_a_place_that_cannot_be_written_to_is_named(run: Run, disc: Path) -> None:
    code, _, err = run("reconstruct", str(disc), "--out", "/proc/v.zarr", "--axis", "30")

    assert code == 1
    assert err.startswith("lithoscope: error: /proc/")


def test_a_simulated_experiment_is_written_with_its_truth(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "simulated"

    code, text, _ = run("simulate", "--out", str(out), "--scans", "1", "--seed", "5")

    assert (code, text) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == [
        "electrochemistry.csv",
        "labels_000.zarr",
        "scan_000.h5",
        "truth.json",
    ]
    truth = json.loads((out / "truth.json").read_text())
    assert truth["scans"][0]["metrics"]["plating_side_thickness_um"]["unit"] == "um"

    # The counting of labelled voxels agrees with the truth to less than a voxel.
    _, measured, _ = run("measure", str(out / "labels_000.zarr"), "--json")
    value = json.loads(measured)["metrics"]["plating_side_thickness_um"]["value"]
    true_um = truth["scans"][0]["metrics"]["plating_side_thickness_um"]["value"]
    assert value == pytest.approx(true_um, abs=truth["voxel_um"])


def test_a_simulation_does_not_write_into_a_folder_in_use(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    code, _, err = run("simulate", "--out", str(tmp_path), "--scans", "1")

    assert code == 1
    assert "not empty" in err


def write_labels(path: Path, labels: np.ndarray[Any, Any]) -> Path:
    array = zarr.create_array(path, shape=labels.shape, dtype=labels.dtype, chunks=labels.shape)
    array[...] = labels
    return path


def two_electrodes() -> np.ndarray[Any, Any]:
    """Give 10 voxels of stripping electrode, 20 of electrolyte, 12 of plating electrode."""
    labels = np.zeros((4, 50, 6), np.uint8)
    labels[:, 2:12], labels[:, 12:32], labels[:, 32:44] = 1, 7, 2
    return labels


def test_labels_from_elsewhere_are_measured(run: Run, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.zarr", two_electrodes())

    code, out, err = run("measure", str(path), "--voxel-um", "2", "--json")

    assert (code, err) == (0, "")
    metrics = json.loads(out)["metrics"]
    assert metrics["stripping_side_thickness_um"]["value"] == 20.0
    assert metrics["plating_side_thickness_um"]["value"] == 24.0
    assert metrics["electrolyte_thickness_um"]["value"] == 40.0
    assert metrics["remaining_gap_um"]["unit"] == "um"


def test_metrics_as_csv_have_a_heading(run: Run, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.zarr", two_electrodes())

    code, out, _ = run("measure", str(path), "--voxel-um", "2", "--csv")

    assert code == 0
    assert out.startswith("metric,value,unit,low95,high95,voxels,flags\n")


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.zeros((2, 2, 2), np.float32), "no labels"),
        (np.full((2, 2, 2), 9, np.uint8), "classes are 0 to 8"),
        (np.zeros((2, 2), np.uint8), "a volume (z, y, x) is needed"),
    ],
)
def test_what_is_no_label_volume_is_named(
    run: Run, tmp_path: Path, labels: np.ndarray[Any, Any], text: str
) -> None:
    path = write_labels(tmp_path / "labels.zarr", labels)

    code, out, err = run("measure", str(path), "--voxel-um", "2", "--json")

    assert (code, out) == (1, "")
    assert text in err


def test_labels_without_a_voxel_size_ask_for_it(run: Run, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.zarr", two_electrodes())

    code, _, err = run("measure", str(path), "--json")

    assert code == 1
    assert "give --voxel-um" in err


def test_a_missing_label_volume_is_named(run: Run, tmp_path: Path) -> None:
    code, _, err = run("measure", str(tmp_path / "absent.zarr"), "--voxel-um", "2")

    assert code == 1
    assert "absent.zarr: no such volume" in err


def test_a_file_is_no_label_volume(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    with h5py.File(path, "w") as file:
        file["labels"] = two_electrodes()

    code, _, err = run("measure", str(path), "--voxel-um", "2")

    assert code == 1
    assert "a file, no Zarr volume" in err


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("scan_000.h5", "scan_000"),
        ("my cell (7).h5", "my-cell-7"),
        ("µ.h5", "experiment"),
    ],
)
def test_an_experiment_is_named_after_its_first_file(file: str, name: str) -> None:
    assert name_after(Path("/data") / file) == name
