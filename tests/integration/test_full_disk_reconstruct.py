"""A disk that fills up while a volume is written."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lithoscope_services.reconstruct_file import plan_reconstruction, run_reconstruction
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_services.sources.files import open_scan
from lithoscope_store.errors import StoreFullError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("needs the program mount")
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], timeout=10, check=True)


def test_a_full_disk_is_named_and_what_was_there_stays(small_disk: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "scan.h5"
    write_dxchange(
        path,
        projections=rng.integers(100, 900, (30, 16, 200)).astype(np.uint16),
        thetas_deg=np.linspace(0.0, 174.0, 30),
        flats=np.full((1, 16, 200), 1000, np.uint16),
        darks=np.zeros((1, 16, 200), np.uint16),
        voxel_size_um=1.0,
    )
    (small_disk / "mine.txt").write_text("mine")
    settings = replace_values(Settings(), {"scan.rotation_axis": 99.5})

    with open_scan(path) as scan:
        plan = plan_reconstruction(scan, settings, first_row=0, last_row=16)
        with pytest.raises(StoreFullError, match="no space left while writing"):
            run_reconstruction(plan, small_disk / "volume.zarr")

    assert [entry.name for entry in small_disk.iterdir()] == ["mine.txt"]
    assert (small_disk / "mine.txt").read_text() == "mine"
