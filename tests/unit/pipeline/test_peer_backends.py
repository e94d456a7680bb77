"""ASTRA and TomoPy keep our conventions: sign, unit, axis, pixel centres, weights."""

import builtins
from typing import Any

import numpy as np
import pytest

from lithoscope_pipeline.errors import MissingLibraryError, NonFiniteError, ParameterError
from lithoscope_pipeline.geometry import Angles, FloatStack
from lithoscope_pipeline.reconstruct import (
    AstraBackend,
    Backend,
    FourierBackend,
    TomopyBackend,
    gridrec_gain,
)
from lithoscope_pipeline.reconstruct.tomopy_backend import gridrec_width

THETAS = np.arange(90) * (np.pi / 90)
ASTRA = [
    AstraBackend(),
    AstraBackend(method="sirt", extension="zero"),
    AstraBackend(method="cgls"),
]
TOMOPY = [
    TomopyBackend(),
    TomopyBackend(method="fbp"),
    TomopyBackend(method="sirt"),
    TomopyBackend(method="osem", extension="zero", n_iterations=20),
]
BOTH = [
    *(pytest.param(backend, "astra", id=backend.name) for backend in ASTRA),
    *(pytest.param(backend, "tomopy", id=backend.name) for backend in TOMOPY),
]
FILTERED = [
    pytest.param(ASTRA[0], "astra", id="astra"),
    pytest.param(TOMOPY[0], "tomopy", id="tomopy"),
    pytest.param(TOMOPY[1], "tomopy", id="tomopy-fbp"),
]


def needs(program: str) -> None:
    """Skip without a program: `pip install astra-toolbox`, `conda install tomopy`."""
    pytest.importorskip(program, reason=f"{program} is not installed; install it to run this test")


def spot(
    x: float, y: float, *, axis_px: float, thetas: Angles = THETAS, n_columns: int = 48
) -> FloatStack:
    """Line integrals of a Gaussian spot of width 2 voxels at (x, y) from the axis, peak 1."""
    s = np.arange(n_columns) - axis_px
    along = x * np.cos(thetas) + y * np.sin(thetas)
    return np.exp(-0.125 * (s - along[:, None]) ** 2).astype(np.float32)[:, None, :]


def centroid(image: FloatStack) -> tuple[float, float]:
    """Centre of mass (y, x) of what exceeds half the peak, from the middle."""
    weights = np.where(image > 0.5 * image.max(), image, 0.0)
    y, x = np.indices(image.shape) - (image.shape[0] - 1) / 2
    return float((weights * y).sum() / weights.sum()), float((weights * x).sum() / weights.sum())


@pytest.mark.parametrize("size", [48, 49])
@pytest.mark.parametrize("axis_px", [23.5, 26.2])
@pytest.mark.parametrize(("backend", "program"), BOTH)
def test_spot_appears_where_the_conventions_put_it(
    backend: Backend, program: str, size: int, axis_px: float
) -> None:
    needs(program)

    volume = backend.reconstruct(
        spot(7.0, -5.0, axis_px=axis_px), THETAS, rotation_axis_px=axis_px, voxel_um=1.0, size=size
    )

    # Ray-driven programs leave the grain of their rays; half a voxel wrong would be 0.5.
    assert centroid(volume[0]) == pytest.approx((-5.0, 7.0), abs=0.11)


@pytest.mark.parametrize(("backend", "program"), BOTH)
def test_grey_values_are_attenuation_per_centimetre(backend: Backend, program: str) -> None:
    needs(program)
    attenuation = spot(7.0, -5.0, axis_px=24.0)

    volume = backend.reconstruct(
        np.repeat(attenuation, 3, axis=1), THETAS, rotation_axis_px=24.0, voxel_um=4.0, size=49
    )

    y, x = np.indices((49, 49)) - 24
    near = np.hypot(x - 7.0, y + 5.0) < 7.0
    # A Gaussian of width 2 voxels whose line integral through the middle is 1.
    peak_per_cm = 1.0 / (np.sqrt(2.0 * np.pi) * 2.0 * 4.0e-4)
    assert volume.shape == (3, 49, 49)
    assert volume.dtype == np.float32
    # Gridrec is within 1 to 3 % (see its module), and iterations are not at their end.
    assert volume[:, near].sum(axis=1) / (8.0 * np.pi) == pytest.approx(peak_per_cm, rel=0.03)


@pytest.mark.parametrize(("backend", "program"), FILTERED)
def test_a_missing_projection_is_stood_in_for_by_its_neighbours(
    backend: Backend, program: str
) -> None:
    needs(program)
    gone = np.r_[20:24, 61:64]
    kept = np.delete(THETAS, gone)

    def middle(thetas: Angles) -> float:
        volume = backend.reconstruct(
            spot(0.0, 0.0, axis_px=24.0, thetas=thetas),
            thetas,
            rotation_axis_px=24.0,
            voxel_um=1.0,
            size=49,
        )
        return float(volume[0, 24, 24])

    # Without weights 7 of 90 views gone would only scale what is left: all see the same here.
    assert middle(kept) == pytest.approx(middle(THETAS), rel=2e-3)


@pytest.mark.parametrize(("backend", "program"), FILTERED)
def test_other_programs_agree_with_ours(backend: Backend, program: str) -> None:
    needs(program)
    thetas = THETAS + 0.3
    attenuation = spot(9.0, 4.0, axis_px=22.3, thetas=thetas)
    attenuation += 0.5 * spot(-6.0, 8.0, axis_px=22.3, thetas=thetas)

    theirs = backend.reconstruct(attenuation, thetas, rotation_axis_px=22.3, voxel_um=4.5)
    ours = FourierBackend().reconstruct(attenuation, thetas, rotation_axis_px=22.3, voxel_um=4.5)

    y, x = np.indices(ours.shape[1:]) - 23.5
    inside = np.hypot(y, x) < 20.0
    # Gridrec's 1 to 3 % of contrast; ASTRA's linear interpolation of a spot of 2 voxels.
    assert np.abs(theirs - ours)[0, inside].max() < 0.04 * ours.max()


@pytest.mark.parametrize(
    ("backend", "program"), [pytest.param(ASTRA[0], "astra"), pytest.param(TOMOPY[0], "tomopy")]
)
def test_what_no_method_can_work_with_is_refused_alike(backend: Backend, program: str) -> None:
    needs(program)
    attenuation = spot(0.0, 0.0, axis_px=24.0)

    with pytest.raises(ParameterError, match="rotation_axis_px is 60"):
        backend.reconstruct(attenuation, THETAS, rotation_axis_px=60.0, voxel_um=1.0)
    attenuation[3, 0, 4] = np.nan
    with pytest.raises(NonFiniteError, match="NaN"):
        backend.reconstruct(attenuation, THETAS, rotation_axis_px=24.0, voxel_um=1.0)


def test_the_gain_of_gridrec_is_the_one_that_was_seen() -> None:
    needs("tomopy")

    # 1.117 to 1.119 by version 1.15 with FFTW, whatever the size and the number of angles.
    assert gridrec_gain() == pytest.approx(1.118, abs=0.005)


@pytest.mark.parametrize(("n_columns", "size"), [(100, 100), (1024, 1024), (1025, 900), (64, 512)])
def test_rows_for_gridrec_are_a_power_of_two_and_padded_well(n_columns: int, size: int) -> None:
    width = gridrec_width(n_columns, size)

    assert width & (width - 1) == 0
    assert 3 * n_columns < width or width == 1 << (size + 1).bit_length()
    assert width > size + 1


@pytest.mark.parametrize("backend", [ASTRA[0], TOMOPY[0]], ids=["astra", "tomopy"])
def test_a_program_that_is_not_installed_is_named(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def without_peers(name: str, *rest: Any, **more: Any) -> Any:  # as of __import__
        if name in ("astra", "tomopy"):
            raise ImportError(name)
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_peers)

    with pytest.raises(MissingLibraryError, match="install it, or take another backend"):
        backend.reconstruct(
            spot(0.0, 0.0, axis_px=24.0), THETAS, rotation_axis_px=24.0, voxel_um=1.0
        )
