"""Error of slices against exact truth, beside that of other programs on the same sinogram."""

from functools import cache

import numpy as np
import pytest

from lithoscope_pipeline.geometry import Angles, FloatImage, FloatStack, field_axis_px
from lithoscope_pipeline.reconstruct import Backend, FourierBackend
from lithoscope_pipeline.reconstruct.astra_backend import AstraBackend

# x, y, radius in units of the reach, attenuation a voxel.
DISCS = (
    (0.0, 0.0, 0.90, 1.0),
    (0.35, 0.30, 0.20, -0.7),
    (-0.40, 0.10, 0.30, 0.5),
    (0.10, -0.50, 0.06, 1.5),
)
_FINE = (np.arange(8) - 3.5) / 8  # a detector averages over its pixels, truth over voxels


def sinogram(thetas: Angles, n_columns: int, axis_px: float, reach_px: float) -> FloatStack:
    s = np.arange(n_columns)[:, None] + _FINE - axis_px
    total = np.zeros((thetas.size, n_columns))
    for x, y, radius, value in DISCS:
        along = reach_px * (x * np.cos(thetas) + y * np.sin(thetas))[:, None, None]
        chord = 2 * np.sqrt(np.maximum((radius * reach_px) ** 2 - (s - along) ** 2, 0.0))
        total += value * chord.mean(axis=2)
    return total.astype(np.float32)[:, None, :]


@cache
def truth(n: int, reach_px: float) -> FloatImage:
    points = ((np.arange(n) - field_axis_px(n))[:, None] + _FINE).ravel()
    y, x = np.meshgrid(points, points, indexing="ij")
    total = sum(
        value * (np.hypot(x - reach_px * cx, y - reach_px * cy) < radius * reach_px)
        for cx, cy, radius, value in DISCS
    )
    return np.asarray(total).reshape(n, 8, n, 8).mean(axis=(1, 3)).astype(np.float32)


def error(image: FloatImage, reach_px: float) -> float:
    n = image.shape[0]
    y, x = np.indices(image.shape) - field_axis_px(n)
    inside = np.hypot(x, y) < 0.95 * reach_px
    return float(np.sqrt(np.mean((image - truth(n, reach_px))[inside] ** 2)))


@pytest.mark.parametrize(
    ("n_columns", "axis_px", "span_rad", "n_angles"),
    [
        pytest.param(112, 55.5, np.pi, 112, id="even width"),
        pytest.param(113, 56.0, np.pi, 112, id="odd width"),
        pytest.param(128, 39.3, np.pi, 129, id="axis at a quarter"),
        pytest.param(129, 88.6, 2 * np.pi, 256, id="whole turn"),
        # Where columns lie about the edge of the large disc decides how well a linear
        # interpolation does: in these geometries it does best.
        pytest.param(160, 79.5, 2 * np.pi, 320, id="even width, whole turn"),
        pytest.param(142, 97.96, np.pi, 154, id="axis at two thirds"),
        pytest.param(187, 113.6, np.pi, 196, id="axis at three fifths"),
    ],
)
def test_error_is_at_most_that_of_the_best_peer(
    n_columns: int, axis_px: float, span_rad: float, n_angles: int
) -> None:
    pytest.importorskip("astra", reason="needs ASTRA: pip install '.[peers]'")
    pytest.importorskip("algotom", reason="needs algotom: pip install '.[peers]'")
    from algotom.rec.reconstruction import dfi_reconstruction

    reach_px = min(axis_px, n_columns - 1 - axis_px)
    thetas = np.arange(n_angles) * (span_rad / n_angles)
    attenuation = sinogram(thetas, n_columns, axis_px, reach_px)

    def error_of(backend: Backend) -> float:
        volume = backend.reconstruct(attenuation, thetas, rotation_axis_px=axis_px, voxel_um=1e4)
        return error(volume[0], reach_px)

    peers = [error_of(AstraBackend())]
    if (axis_px, span_rad) == (field_axis_px(n_columns), np.pi) and n_columns % 2 == 1:
        # Direct Fourier inversion takes half a turn with both ends, and a middle on a pixel.
        closed = np.append(thetas, np.pi)
        both_ends = sinogram(closed, n_columns, axis_px, reach_px)[:, 0]
        found = dfi_reconstruction(
            both_ends, axis_px, angles=closed, filter_name=None, apply_log=False, ncore=1
        )
        peers.append(error(found[::-1], reach_px))  # it counts rows against y

    assert error_of(FourierBackend()) <= 1.05 * min(peers)
