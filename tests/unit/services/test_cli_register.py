"""``lithoscope register``: two volumes in, a transform with its verdict out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lithoscope_store.volumes import create_volume, finish_volume, write_slab

Run = Callable[..., tuple[int, str, str]]
SHAPE = (24, 48, 48)
VOXEL_UM = 2.0


def write(path: Path, volume: np.ndarray, voxel_um: float = VOXEL_UM) -> Path:
    create_volume(path, shape=volume.shape, voxel_um=voxel_um, name="test", slab_slices=24)
    write_slab(path, 0, np.ascontiguousarray(volume, dtype=np.float32))
    finish_volume(path)
    return path


@pytest.fixture
def wide() -> np.ndarray:
    """Soft noise, larger than the volumes: whole-voxel shifts of it are exact."""
    return gaussian_filter(np.random.default_rng(3).normal(size=(34, 58, 58)), 2.0)


@pytest.fixture
def fixed(tmp_path: Path, wide: np.ndarray) -> Path:
    return write(tmp_path / "fixed.zarr", wide[5:29, 5:53, 5:53])


@pytest.mark.parametrize("engine", ["gauss-newton", "simpleitk"])
def test_a_shift_of_whole_voxels_is_found(
    run: Run, fixed: Path, wide: np.ndarray, tmp_path: Path, engine: str
) -> None:
    # What lies at voxel i of the fixed volume lies at i + (2, -3, 1) of the moving one.
    moving = write(tmp_path / "moving.zarr", wide[3:27, 8:56, 4:52])

    code, out, _ = run("register", str(fixed), str(moving), "--engine", engine, "--json")

    found = json.loads(out)
    assert code == 0
    assert found["verdict"] == "resolved"
    assert found["engine"] == engine
    assert list(found["shift_px"].values()) == pytest.approx([2.0, -3.0, 1.0], abs=0.05)
    assert found["shift_um"]["y"] == pytest.approx(VOXEL_UM * found["shift_px"]["y"])
    assert max(map(abs, found["rotation_deg"].values())) < 0.1
    assert found["centre_px"] == {"z": 11.5, "y": 23.5, "x": 23.5}
    assert "first about y" in found["convention"]


def test_people_get_lines(run: Run, fixed: Path) -> None:
    code, out, _ = run("register", str(fixed), str(fixed))

    assert code == 0
    assert "resolved by gauss-newton" in out
    assert "shift   +0.000 voxels" in out


def test_what_cannot_be_registered_ends_with_its_reason(
    run: Run, fixed: Path, tmp_path: Path
) -> None:
    other = gaussian_filter(np.random.default_rng(9).normal(size=SHAPE), 2.0)
    moving = write(tmp_path / "other.zarr", other)

    code, out, err = run("register", str(fixed), str(moving), "--json")

    assert code == 1
    assert json.loads(out)["verdict"] == "unregistered"
    assert "not registered to" in err
    assert "texture" in err


def test_volumes_of_another_grid_are_refused(
    run: Run, fixed: Path, wide: np.ndarray, tmp_path: Path
) -> None:
    smaller = write(tmp_path / "smaller.zarr", wide[:24, :32, :48])
    coarser = write(tmp_path / "coarser.zarr", wide[:24, :48, :48], voxel_um=3.0)

    assert "shape is (24, 32, 48)" in run("register", str(fixed), str(smaller))[2]
    assert "voxel_um is 3.0" in run("register", str(fixed), str(coarser))[2]
