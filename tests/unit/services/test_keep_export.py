"""What leaves an experiment is read by programs of others, and comes to the same."""

import subprocess
import sys
from pathlib import Path

import dask
import numpy as np
import pytest
import tifffile
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from pyarrow import parquet
from small_experiment import LOST, N_VIEWS, SHAPE, VOXEL_UM, make_experiment, make_one_scan
from typer.testing import CliRunner

from lithoscope_services.cli.app import make_app
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.scans import choose_scans
from lithoscope_services.report import make_report
from lithoscope_services.sources.files import open_scan
from lithoscope_store import ExperimentPaths, FrameReader, Store, read_journal, read_slab

RUNNER = CliRunner()
#: A program of somebody who knows DXchange and Algotom, and nothing of this project.
ALGOTOM = """
import sys
import numpy as np
import algotom.io.loadersaver as io
import algotom.prep.calculation as calculation
import algotom.prep.correction as correction
import algotom.rec.reconstruction as reconstruction

path, out = sys.argv[1:]
projections = io.load_hdf(path, "exchange/data")[:].astype(np.float32)
flat = np.mean(io.load_hdf(path, "exchange/data_white")[:], axis=0)
dark = np.mean(io.load_hdf(path, "exchange/data_dark")[:], axis=0)
angles = np.deg2rad(io.load_hdf(path, "exchange/theta")[:])
row = projections.shape[1] // 2
sinogram = (projections[:, row] - dark[row]) / (flat[row] - dark[row])
centre = calculation.find_center_vo(sinogram, start=40, stop=56)
slice_ = reconstruction.fbp_reconstruction(sinogram, centre, angles=angles, gpu=False)
assert not any(name.startswith("lithoscope") for name in sys.modules)
np.savez(out, slice=slice_, centre=centre)
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


def run(*words: str) -> str:
    """Run a command that must succeed."""
    done = RUNNER.invoke(make_app(), words)
    assert done.exit_code == 0, done.output
    return done.output


def export(paths: ExperimentPaths, to: str, out: Path, *more: str) -> None:
    store = str(paths.root.parent)
    run("export", paths.name, "--to", to, "--out", str(out), "--store", store, *more)


def test_dxchange_holds_the_frames_that_are_stored_and_their_angles(
    paths: ExperimentPaths, tmp_path: Path
) -> None:
    export(paths, "dxchange", tmp_path)

    reader = FrameReader(paths, 1, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan_0000.h5", "scan_0001.h5"]
    with open_scan(tmp_path / "scan_0001.h5") as scan:
        sent = [frame for frame in scan.frames() if frame.kind == "projection"]
        assert scan.voxel_size_um == VOXEL_UM
        assert scan.energy_keV == 27.5
        assert scan.phase is not None
        assert scan.phase.experiment_time_s == 19.0
    wanted = [15.0 * index for index in range(N_VIEWS) if index != LOST]
    assert [frame.theta_deg for frame in sent] == wanted
    np.testing.assert_array_equal(np.stack([f.pixels for f in sent]), reader.read("projection"))


@pytest.mark.timeout(300)
def test_an_independent_program_reads_and_reconstructs_an_exported_scan(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    paths = rod_experiment(store)
    export(paths, "DXchange", tmp_path / "out")
    script = tmp_path / "program.py"
    script.write_text(ALGOTOM)

    subprocess.run(
        [sys.executable, script, tmp_path / "out" / "scan_0000.h5", tmp_path / "slice.npz"],
        check=True,
        timeout=280,
    )

    with np.load(tmp_path / "slice.npz") as file:
        found = dict(file)
    y, x = np.mgrid[:96, :96]
    # The rod that was drawn: radius 12, 20 pixels beside the axis at angle 0, 0.02 a pixel.
    # Algotom draws y downwards; the rod lies on the x axis, where that makes no difference.
    distance = np.hypot(y - found["centre"], x - (found["centre"] + 20))
    assert abs(float(found["centre"]) - 47.5) < 0.5
    assert abs(found["slice"][distance < 9].mean() - 0.02) < 0.002
    assert abs(found["slice"][(distance > 15) & (distance < 20)].mean()) < 0.002


def rod_experiment(store: Store) -> ExperimentPaths:
    """Take a rod beside the axis through a whole scan; its projections are known exactly."""
    thetas_deg = np.arange(90, dtype=np.float64) * 2
    columns = np.arange(96)
    views = []
    for theta_rad in np.deg2rad(thetas_deg):
        offset = columns - 47.5 - 20 * np.cos(theta_rad)
        chord = 2 * np.sqrt(np.clip(12.0**2 - offset**2, 0, None))
        counts = 100 + 50_000 * np.exp(-0.02 * chord)
        views.append(np.tile(counts, (4, 1)).astype(np.uint16))
    flat, dark = np.full((4, 96), 50_100, np.uint16), np.full((4, 96), 100, np.uint16)
    return make_one_scan(store, "rod", views, thetas_deg, flat=flat, dark=dark)


def test_ome_zarr_opens_with_its_labels(paths: ExperimentPaths, tmp_path: Path) -> None:
    export(paths, "OME-Zarr", tmp_path, "--scans", "1")

    (made,) = tmp_path.iterdir()
    location = parse_url(made)
    assert location is not None
    with dask.config.set(scheduler="synchronous"):  # its threads would outlive the test
        image, labels = [np.asarray(node.data[0]) for node in Reader(location)() if node.data]
    assert image.shape == SHAPE
    assert set(np.unique(labels)) == {1, 2}


def test_tiff_stacks_hold_the_voxels_and_their_size(
    paths: ExperimentPaths, tmp_path: Path
) -> None:
    export(paths, "TIFF", tmp_path, "--scans", "0")

    volume = next(paths.root.glob("volumes/0000-*"))
    with tifffile.TiffFile(tmp_path / "scan_0000_volume.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), read_slab(volume, 0, SHAPE[0]))
        assert f'PhysicalSizeZ="{VOXEL_UM}"' in (file.ome_metadata or "")
    with tifffile.TiffFile(tmp_path / "scan_0000_labels_cell.ome.tif") as file:
        labels = read_slab(volume, 0, SHAPE[0], label="cell")
        np.testing.assert_array_equal(file.asarray(), labels)


def test_parquet_tables_say_what_the_report_says(paths: ExperimentPaths, tmp_path: Path) -> None:
    export(paths, "Parquet", tmp_path)

    metrics = parquet.read_table(tmp_path / "metrics.parquet").to_pylist()
    report = make_report(paths.name, read_journal(paths.journal))
    assert [row["value"] for row in metrics] == [200.0, 199.0]
    assert metrics[1]["low95"] == report["scans"][1]["metrics"]["remaining_gap_um"]["low95"]
    assert len(parquet.read_table(tmp_path / "electrochemistry.parquet")) == 20
    frames = parquet.read_table(tmp_path / "frames.parquet").to_pylist()
    assert len(frames) == 2 * (2 + 2 + N_VIEWS - 1)
    assert {row["kind"] for row in frames} == {"dark", "flat", "projection"}


@pytest.mark.parametrize(
    ("text", "wanted"), [("all", (0, 1, 2)), ("1", (1,)), ("0,1-2", (0, 1, 2)), ("2, 0", (0, 2))]
)
def test_scans_are_read_as_people_write_them(text: str, wanted: tuple[int, ...]) -> None:
    assert choose_scans(text, [0, 1, 2]) == wanted


@pytest.mark.parametrize("text", ["", "x", "1-", "-1", "3", "0-9"])
def test_scans_that_are_not_there_are_named(text: str) -> None:
    with pytest.raises(KeepError):
        choose_scans(text, [0, 1, 2])
