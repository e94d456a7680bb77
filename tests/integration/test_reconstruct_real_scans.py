"""Real scans become volumes that others open and that agree with an independent method.

The data are measured: a tooth (APS 2-BM, from TomoPy) and a diamond scan (I13, from Savu).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import iradon

from lithoscope_services.sources.file_scan import FileScan
from lithoscope_services.sources.files import open_scan
from lithoscope_store.volumes import read_slab

TOOTH = "tooth_aps_2bm/tooth.h5"
DIAMOND = "diamond_i13"


def lithoscope(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lithoscope_services.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def independent_slice(scan: FileScan, row: int, axis_px: float) -> NDArray[np.float64]:
    """Reconstruct one row by scikit-image, on our grid: axis at (n - 1) / 2, y upwards."""
    rows = slice(row, row + 1)
    dark, flat = scan.darks(rows).mean(axis=0)[0], scan.flats(rows).mean(axis=0)[0]
    beam = np.where(flat > dark, flat - dark, np.nan)
    transmission = (scan.projections(rows)[:, 0] - dark) / beam
    transmission = np.where(np.isfinite(transmission) & (transmission > 1e-4), transmission, 1.0)
    sinogram = -np.log(transmission)

    n = sinogram.shape[1]
    # scikit-image has its axis at column n // 2.
    centred = ndimage.shift(sinogram, (0, n // 2 - axis_px), order=3, mode="nearest")
    image = iradon(centred.T, theta=scan.thetas_deg, circle=True, filter_name="ramp")
    middle = (n - 1) / 2 - n // 2
    return np.asarray(ndimage.shift(image[::-1], (-middle, middle), order=3))


def correlation_inside(first: NDArray[Any], second: NDArray[Any], share: float) -> float:
    n = first.shape[0]
    offsets = np.arange(n) - (n - 1) / 2
    y, x = offsets[:, None], offsets[None, :]
    inside = x**2 + y**2 < (share * n / 2) ** 2
    smooth = [ndimage.gaussian_filter(image, 1.0)[inside] for image in (first, second)]
    return float(np.corrcoef(*smooth)[0, 1])


@pytest.mark.parametrize(
    ("scan_name", "row", "axis_px", "tolerance_px"),
    [(TOOTH, 0, 295.7, 0.4), (DIAMOND, 67, 85.8, 0.5)],
    ids=["tooth", "diamond"],
)
def test_a_real_scan_agrees_with_an_independent_reconstruction(
    real_data: Path, tmp_path: Path, scan_name: str, row: int, axis_px: float, tolerance_px: float
) -> None:
    path, out = real_data / scan_name, tmp_path / "volume.zarr"

    done = lithoscope("reconstruct", str(path), "--out", str(out), "--json")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["rotation_axis_px"] == pytest.approx(axis_px, abs=tolerance_px)
    ours = read_slab(out, row, row + 1)[0]
    with open_scan(path) as scan:
        theirs = independent_slice(scan, row, axis_px)
    # A right axis gives more than 0.999, one that is 5 px off 0.96.
    assert correlation_inside(ours, theirs, 0.8) >= 0.99


def test_ome_zarr_opens_the_volume_of_a_real_scan(real_data: Path, tmp_path: Path) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    out = tmp_path / "tooth.zarr"
    done = lithoscope(
        "reconstruct", str(real_data / TOOTH), "--out", str(out), "--voxel-um", "3.6"
    )

    assert done.returncode == 0, done.stderr
    nodes = list(Reader(parse_url(out))())
    assert nodes[0].data[0].shape == (2, 640, 640)
    assert nodes[0].data[0].compute(scheduler="synchronous").std() > 0
    scale = nodes[0].metadata["coordinateTransformations"][0][0]["scale"]
    assert scale == [3.6, 3.6, 3.6]


def test_a_master_file_with_a_dead_external_link_is_named(real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "volume.zarr"

    done = lithoscope("reconstruct", str(real_data / DIAMOND / "24888.nxs"), "--out", str(out))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "external link" in done.stderr
    assert not out.exists()
