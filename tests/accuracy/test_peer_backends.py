"""Our slices and those of other programs, from the same sinograms, against analytic truth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import AstraBackend, Backend, FourierBackend, TomopyBackend

VOXEL_UM = 5.0
DISCS = (  # x, y, radius in shares of half the view; attenuation in 1/cm
    (0.0, 0.0, 0.84, 0.4),
    (0.4, 0.3, 0.2, -0.3),
    (-0.3, 0.4, 0.15, 0.6),
    (0.1, -0.5, 0.06, 0.8),
)
PEERS = [
    pytest.param(AstraBackend(), "astra", id="astra"),
    pytest.param(TomopyBackend(), "tomopy", id="tomopy"),
    pytest.param(TomopyBackend(method="fbp"), "tomopy", id="tomopy-fbp"),
]


def needs(program: str) -> None:
    pytest.importorskip(program, reason=f"{program} is not installed; install it to run this test")


def project_discs(thetas: Angles, n_columns: int, axis_px: float) -> FloatStack:
    """Exact line integrals, averaged over the pixels of the detector."""
    half = n_columns / 2
    s = np.arange(n_columns)[:, None] + (np.arange(8) - 3.5) / 8 - axis_px
    total = np.zeros((thetas.size, n_columns))
    for x, y, radius, per_cm in DISCS:
        along = half * (x * np.cos(thetas) + y * np.sin(thetas))[:, None, None]
        chord = 2 * np.sqrt(np.maximum((half * radius) ** 2 - (s - along) ** 2, 0))
        total += per_cm * chord.mean(axis=2)
    return (total * VOXEL_UM * 1e-4).astype(np.float32)[:, None, :]


def true_slice(n_columns: int) -> NDArray[np.float64]:
    """Attenuation averaged over the voxels, 1/cm."""
    fine = (np.arange(8 * n_columns) - (8 * n_columns - 1) / 2) / (4 * n_columns)
    y, x = np.meshgrid(fine, fine, indexing="ij")
    total = np.zeros_like(x)
    for x0, y0, radius, per_cm in DISCS:
        total += per_cm * (np.hypot(x - x0, y - y0) < radius)
    return total.reshape(n_columns, 8, n_columns, 8).mean(axis=(1, 3))


@pytest.mark.parametrize(("peer", "program"), PEERS)
@pytest.mark.parametrize(
    ("n_columns", "axis_px"), [(160, 79.5), (160, 72.2), (161, 84.3), (255, 127.0)]
)
def test_our_error_is_at_most_a_twentieth_above_that_of_a_peer(
    peer: Backend, program: str, n_columns: int, axis_px: float
) -> None:
    needs(program)
    thetas = np.arange(240) * (np.pi / 240)
    attenuation = project_discs(thetas, n_columns, axis_px)
    truth = true_slice(n_columns)
    y, x = np.indices(truth.shape) - (n_columns - 1) / 2
    inside = np.hypot(y, x) < 0.93 * min(axis_px, n_columns - 1 - axis_px)

    def error(backend: Backend) -> float:
        volume = backend.reconstruct(
            attenuation, thetas, rotation_axis_px=axis_px, voxel_um=VOXEL_UM
        )
        return float(np.sqrt(np.mean((volume[0] - truth)[inside] ** 2)))

    # Bar of the reconstruction: 1.05 of the best. Measured: 0.78 to 0.86 of ASTRA's.
    assert error(FourierBackend()) <= 1.05 * error(peer)


def project_slab(
    low_px: float, high_px: float, half_width_px: float, thetas: Angles, s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Chords of a rectangle along y from low to high: trapezoids, voxels."""
    cos, sin = np.abs(np.cos(thetas)), np.abs(np.sin(thetas))
    half = (high_px - low_px) / 2
    along = (0.5 * (low_px + high_px) * np.sin(thetas))[:, None, None]
    broad, narrow = half_width_px * cos, half * sin
    height = 2 * np.minimum(half_width_px / np.maximum(sin, 1e-12), half / np.maximum(cos, 1e-12))
    ramp = (broad + narrow)[:, None, None] - np.abs(s - along)
    slope = np.maximum(2 * np.minimum(broad, narrow), 1e-9)[:, None, None]
    return np.asarray((height[:, None, None] * np.clip(ramp / slope, 0, 1)).mean(axis=2))


@pytest.mark.parametrize(("peer", "program"), PEERS)
def test_a_cell_wider_than_the_view_has_the_right_contrast_by_peers_padded_alike(
    peer: Backend, program: str
) -> None:
    needs(program)
    n_columns, axis_px = 128, 64.4
    thetas = np.arange(600) * (np.pi / 600)
    s = np.arange(n_columns)[:, None] + (np.arange(4) - 1.5) / 4 - axis_px
    faces = np.cumsum([-41.0, 8.0, 13.0, 40.0, 13.0, 8.0])
    total = np.zeros((thetas.size, n_columns))
    for low, high, per_cm in zip(faces[:-1], faces[1:], [0.7, 0.09, 0.4, 0.09, 0.7], strict=True):
        total += per_cm * project_slab(low, high, 2.0 * n_columns, thetas, s)
    attenuation = (total * VOXEL_UM * 1e-4).astype(np.float32)[:, None, :]

    def layers(backend: Backend) -> FloatVolume:
        volume = backend.reconstruct(
            attenuation, thetas, rotation_axis_px=axis_px, voxel_um=VOXEL_UM
        )
        return volume[0, :, 44:84]

    def contrast(layer: FloatVolume) -> float:
        # Lithium from -33 to -20, electrolyte from -20 to 20 voxels from the axis at 63.5.
        return float(layer[48:79].mean() - layer[33:41].mean())

    # True is 0.31; 5 % is the bar, and gridrec has its 1 to 3 % beside.
    assert contrast(layers(peer)) == pytest.approx(0.31, rel=0.05)
    assert contrast(layers(peer)) == pytest.approx(contrast(layers(FourierBackend())), rel=0.05)
