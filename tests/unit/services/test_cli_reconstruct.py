"""``reconstruct`` beyond the default: other backends, corrections, memory and the quick look."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lithoscope_services.preview_file import draw_slices
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_store.volumes import read_slab, volume_info

Run = Callable[..., tuple[int, str, str]]
VOXEL_UM = 100.0
DISC_PER_CM = 2.0
AXIS_PX = 301.4


def disc_counts(
    shape: tuple[int, int], thetas_deg: NDArray[np.float64], *, axis_px: float, voxel_um: float
) -> NDArray[np.uint16]:
    """Counts behind a disc of 2/cm as wide as 0.7 of the view, a fifth of its radius off axis."""
    n_rows, n_columns = shape
    radius_px = 0.35 * n_columns
    s_px = np.arange(n_columns) - axis_px
    middle_px = 0.2 * radius_px * np.cos(np.deg2rad(thetas_deg))
    chord_px = 2 * np.sqrt(np.maximum(0.0, radius_px**2 - (s_px[None] - middle_px[:, None]) ** 2))
    frames = 60000.0 * np.exp(-chord_px * DISC_PER_CM * voxel_um * 1e-4)
    return np.repeat(frames[:, None], n_rows, axis=1).astype(np.uint16)


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    """A disc on 65 columns and 4 rows, one column of the detector 2 % too bright."""
    thetas_deg = np.linspace(0.0, 178.0, 90)
    projections = disc_counts((4, 65), thetas_deg, axis_px=30.0, voxel_um=VOXEL_UM)
    projections[:, :, 40] = (1.02 * projections[:, :, 40].astype(np.float64)).astype(np.uint16)
    path = tmp_path / "narrow.h5"
    write_dxchange(
        path,
        projections=projections,
        thetas_deg=thetas_deg,
        flats=np.full((2, 4, 65), 60000, np.uint16),
        darks=np.zeros((1, 4, 65), np.uint16),
        voxel_size_um=VOXEL_UM,
    )
    return path


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A disc on 600 columns and 12 rows: three columns make one of the quick look."""
    thetas_deg = np.linspace(0.0, 179.5, 360)
    path = tmp_path / "wide.h5"
    write_dxchange(
        path,
        projections=disc_counts((12, 600), thetas_deg, axis_px=AXIS_PX, voxel_um=VOXEL_UM / 10),
        thetas_deg=thetas_deg,
        flats=np.full((2, 12, 600), 60000, np.uint16),
        darks=np.zeros((1, 12, 600), np.uint16),
        voxel_size_um=VOXEL_UM / 10,
    )
    return path


def test_what_was_chosen_and_why_is_said(run: Run, narrow: Path, tmp_path: Path) -> None:
    out = tmp_path / "volume.zarr"

    code, text, _ = run("reconstruct", str(narrow), "--out", str(out), "--axis", "30", "--json")

    assert code == 0
    result = json.loads(text)
    assert result["backend"] in result["backend_reason"]
    assert result["memory"].startswith("4 rows at a time (as many as asked for)")
    assert volume_info(out).provenance["backend_reason"] == result["backend_reason"]


@pytest.mark.parametrize("backend", ["astra", "tomopy"])
def test_another_backend_gives_the_same_grey_values(
    run: Run, narrow: Path, tmp_path: Path, backend: str
) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed; install it to run this test")
    out = tmp_path / "volume.zarr"

    code, text, _ = run(
        "reconstruct", str(narrow), "--out", str(out), "--axis", "30", "--backend", backend,
        "--rings", "none", "--json",
    )  # fmt: skip

    assert code == 0
    assert json.loads(text)["backend"] == backend
    # x = 4.5 px from the axis at voxel 32; gridrec is within 1 to 3 %. Ring removal takes 5 % of a
    # disc that moves by less than its window of 17 columns.
    inside = read_slab(out, 0, 4)[:, 24:41, 28:45]
    assert inside.mean() == pytest.approx(DISC_PER_CM, rel=0.03)


def test_a_backend_that_nobody_knows_is_wrong_usage_of_the_settings(
    run: Run, narrow: Path, tmp_path: Path
) -> None:
    code, _, err = run(
        "reconstruct", str(narrow), "--out", str(tmp_path / "v.zarr"), "--backend", "gridrec"
    )

    assert code == 1
    assert "reconstruct.backend" in err


def test_rings_and_direct_hits_are_taken_off_where_asked_for(
    run: Run, narrow: Path, tmp_path: Path
) -> None:
    arguments = ("reconstruct", str(narrow), "--axis", "30", "--json")

    run(*arguments, "--out", str(tmp_path / "with.zarr"), "--rings", "none")
    _, text, _ = run(
        *arguments, "--out", str(tmp_path / "without.zarr"), "--rings", "median", "--zingers", "2"
    )

    result = json.loads(text)
    assert (result["rings"], result["zingers"]) == ("median", 2.0)
    # How well they go is told by the tests of the correction.
    volumes = [read_slab(tmp_path / f"{name}.zarr", 0, 4) for name in ("with", "without")]
    assert np.abs(volumes[1] - volumes[0]).max() > 0.01


def test_a_small_share_of_the_memory_gives_the_same_volume_in_smaller_slabs(
    run: Run, wide: Path, tmp_path: Path
) -> None:
    (tmp_path / "little.toml").write_text("[reconstruct]\nmemory_share = 1e-6\n")
    arguments = ("reconstruct", str(wide), "--axis", str(AXIS_PX), "--rows", "0:4", "--json")

    run(*arguments, "--out", str(tmp_path / "whole.zarr"))
    _, text, _ = run(
        *arguments, "--out", str(tmp_path / "cut.zarr"),
        "--config", str(tmp_path / "little.toml"),
    )  # fmt: skip

    assert json.loads(text)["memory"].startswith("1 rows at a time (4 do not fit)")
    whole, cut = (read_slab(tmp_path / f"{name}.zarr", 0, 4) for name in ("whole", "cut"))
    assert whole.tobytes() == cut.tobytes()


def test_a_quick_look_is_a_coarse_volume_and_a_picture(
    run: Run, wide: Path, tmp_path: Path
) -> None:
    out = tmp_path / "look.zarr"

    code, text, _ = run(
        "reconstruct", str(wide), "--out", str(out), "--axis", str(AXIS_PX), "--preview", "--json"
    )

    assert code == 0
    result = json.loads(text)
    assert (result["binning"], result["shape"]) == (3, [4, 200, 200])
    assert volume_info(out).voxel_um == pytest.approx(3 * VOXEL_UM / 10)
    y, x = np.indices((200, 200)) - 99.5
    # 42 pixels from the axis are 14 binned ones; the disc has a radius of 70.
    volume = read_slab(out, 0, 4)
    inside = np.hypot(y, x - 14.0) < 60.0
    assert volume[:, inside].mean() == pytest.approx(DISC_PER_CM, rel=0.01)
    weights = np.where(volume[1] > 0.5 * DISC_PER_CM, volume[1], 0.0)
    # The axis is found again in binned pixels to a fraction of one.
    assert (weights * x).sum() / weights.sum() == pytest.approx(14.0, abs=0.1)
    with Image.open(result["picture"]) as picture:
        assert picture.size == (2 * 404, 2 * 200)


def test_a_picture_that_is_there_is_not_replaced(run: Run, wide: Path, tmp_path: Path) -> None:
    (tmp_path / "look.png").write_bytes(b"mine")

    code, _, err = run(
        "reconstruct", str(wide), "--out", str(tmp_path / "look.zarr"), "--axis", "300",
        "--preview",
    )  # fmt: skip

    assert code == 1
    assert "look.png: exists already" in err
    assert not (tmp_path / "look.zarr").exists()


def test_three_slices_share_one_grey_scale() -> None:
    volume = np.zeros((6, 40, 40), np.float32)
    volume[:, 10:30, 10:30] = 1.0

    pixels = np.asarray(draw_slices(volume))

    assert pixels.shape == (40, 84)
    assert pixels[20, 20] == 255  # across, in the middle of the block
    assert pixels[20, 5] == 0
    assert pixels[2, 44 + 20] == 255  # along x, above
    assert pixels[39, 44 + 5] == 0  # along y, below
