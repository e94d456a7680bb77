"""Rotation axis of the two real scans and of simulated cells wider than the view."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.phantom import make_cell
from lithoscope_pipeline.phase_retrieval import PaganinFilter, retrieve_phase
from lithoscope_pipeline.rotation_axis import find_rotation_axis


def test_axis_of_the_tooth(real_data: Path) -> None:
    with h5py.File(real_data / "tooth_aps_2bm" / "tooth.h5") as file:
        projections, flats, darks = (
            file[f"exchange/{name}"][:] for name in ("data", "data_white", "data_dark")
        )
        theta_deg = file["exchange/theta"][:]

    found = find_rotation_axis(correct(projections, flats, darks), np.deg2rad(theta_deg))

    assert found.position_px == pytest.approx(295.7, abs=0.4)
    assert found.verdict == "resolved"


@pytest.mark.parametrize("n_angles", [91, 90], ids=["both ends", "end left out"])
def test_axis_of_the_diamond(real_data: Path, n_angles: int) -> None:
    folder = real_data / "diamond_i13"
    files = sorted((folder / "projections").glob("*.tiff"))[:n_angles]
    theta_deg = np.loadtxt(folder / "angles.txt")[10:-10][:n_angles]
    attenuation = correct(
        np.stack([tifffile.imread(file) for file in files]),
        tifffile.imread(folder / "flat_00001.tiff"),
        tifffile.imread(folder / "dark_00001.tiff"),
    )

    found = find_rotation_axis(attenuation, np.deg2rad(theta_deg))

    assert found.position_px == pytest.approx(85.8, abs=0.5)
    assert found.verdict == "resolved"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scan", range(3))
def test_axis_of_a_plate_wider_than_the_view(seed: int, scan: int, is_soak: bool) -> None:
    if seed > 1 and not is_soak:
        pytest.skip("this seed too with --soak")
    # Both ends of the scan see the plates face-on, the hard case.
    cell = make_cell("tiny", seed=seed, n_scans=3)
    frames = cell.frames(scan)
    attenuation = correct(np.stack(list(frames.projections)), frames.flats, frames.darks)
    optics = cell.cell.optics
    paganin = PaganinFilter(
        distance_mm=optics.distance_mm, energy_keV=optics.energy_keV, voxel_um=cell.voxel_um
    )

    found = find_rotation_axis(retrieve_phase(attenuation, paganin), np.deg2rad(cell.thetas_deg))

    assert found.position_px == pytest.approx(cell.rotation_axis_px, abs=0.25)
    assert found.verdict == "resolved"
