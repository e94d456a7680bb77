"""Rows of a scan in files: flats in their places, a tilt taken off, the same from any slab."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.rotation_axis import given_axis
from lithoscope_services.file_rows import FileRows, fit_beam
from lithoscope_services.preview_file import enough_views
from lithoscope_services.sources.file_scan import FileScan

N_ANGLES, N_ROWS, N_COLUMNS = 24, 40, 32


@dataclass(frozen=True, slots=True)
class Block:
    """Frames in memory."""

    frames: NDArray[np.uint16]

    @property
    def shape(self) -> tuple[int, int, int]:
        n, rows, columns = self.frames.shape
        return n, rows, columns

    @property
    def dtype(self) -> np.dtype[np.uint16]:
        return self.frames.dtype

    def read(self, frames: slice, rows: slice) -> NDArray[np.uint16]:
        return self.frames[frames, rows]


def frames(n: int, counts: NDArray[np.float64] | float) -> Block:
    values = np.broadcast_to(np.asarray(counts), (n, N_ROWS, N_COLUMNS))
    return Block(np.round(values).astype(np.uint16))


def scan(projections: NDArray[np.float64] | float, *flats: float) -> FileScan:
    return FileScan(
        path=Path("scan.h5"),
        format="dxchange",
        projection_block=frames(N_ANGLES, projections),
        flat_blocks=tuple(frames(3, each) for each in flats),
        dark_blocks=(frames(2, 100.0),),
        thetas_deg=np.linspace(0.0, 180.0, N_ANGLES, endpoint=False),
        theta_source="table",
    )


def test_flats_after_the_projections_count_as_taken_after_them() -> None:
    # The beam rises evenly from 20000 to 40000 while projections are taken, half seen through.
    beam = np.linspace(20000.0, 40000.0, 2 * N_ANGLES + 1)[1::2, None, None]
    rising = scan(100.0 + 0.5 * beam, 20100.0, 40100.0)
    rows = FileRows(scan=rising, correction=Correction(flats="interpolate"))

    found = rows.attenuation(slice(4, 6))

    # Counts are whole numbers: half a count of 10000.
    np.testing.assert_allclose(found, np.log(2.0), atol=1e-4)


def test_projections_that_are_left_out_do_not_move_the_others_in_time() -> None:
    beam = np.linspace(20000.0, 40000.0, 2 * N_ANGLES + 1)[1::2, None, None]
    rising = scan(100.0 + 0.5 * beam, 20100.0, 40100.0)
    rows = FileRows(scan=rising, correction=Correction(flats="interpolate"))

    every_fifth = rows.attenuation(slice(4, 6), frames=slice(None, None, 5))

    np.testing.assert_array_equal(every_fifth, rows.attenuation(slice(4, 6))[::5])


def test_rows_are_the_same_from_any_slab_though_turned_upright() -> None:
    rng = np.random.default_rng(3)
    noisy = scan(rng.uniform(5000.0, 15000.0, (N_ANGLES, N_ROWS, N_COLUMNS)), 20000.0)
    rows = FileRows(
        scan=noisy,
        correction=Correction(flats="before"),
        axis=given_axis(15.2, tilt_deg=1.5),
        pivot_row_px=19.5,
    )

    whole = rows.attenuation(slice(0, N_ROWS))

    assert rows.attenuation(slice(7, 12)).tobytes() == whole[:, 7:12].tobytes()
    assert (
        np.abs(
            whole - FileRows(scan=noisy, correction=rows.correction).attenuation(slice(0, N_ROWS))
        ).max()
        > 0.1
    )


def test_tilt_and_phase_retrieval_both_ask_for_rows_beside() -> None:
    phase = PaganinFilter(distance_mm=100.0, energy_keV=20.0, voxel_um=1.0, delta_beta=1000.0)
    plain = scan(9000.0, 20000.0)
    tilted = given_axis(15.2, tilt_deg=1.5)

    n_rows = [
        FileRows(scan=plain, correction=Correction(phase=each), axis=axis).n_halo_rows
        for each, axis in ((None, None), (None, tilted), (phase, None), (phase, tilted))
    ]

    assert n_rows[0] == 0
    assert n_rows[1] > 0
    assert n_rows[2] > 0
    # As far as there are rows.
    assert n_rows[3] == min(n_rows[1] + n_rows[2], N_ROWS - 1)


@pytest.mark.parametrize("mode", ["before", "mean", "interpolate"])
def test_a_beam_is_fitted_for_eigen_flats_alone(mode: str) -> None:
    plain = scan(9000.0, 20000.0, 21000.0)

    assert fit_beam(plain, slice(0, 8), Correction(flats=mode)) is None  # type: ignore[arg-type] # as parametrised
    assert fit_beam(plain, slice(0, 8), Correction(flats="eigen")) is not None


def test_a_quick_look_takes_views_of_all_directions() -> None:
    linear = np.linspace(0.0, 179.9, 1500)
    golden = np.mod(np.linspace(0.0, 1499 * 111.246, 1500), 180.0)

    for thetas_deg in (linear, linear[::-1], golden):
        chosen = np.sort(thetas_deg[enough_views(thetas_deg, n_enough=512)])
        assert 400 <= chosen.size <= 800
        # Even steps of 512 views would be 0.35 degrees.
        assert np.diff(chosen).max() < 1.0


def test_a_quick_look_at_few_views_takes_all() -> None:
    assert enough_views(np.linspace(0.0, 178.0, 90), n_enough=512) == slice(None, None, 1)
