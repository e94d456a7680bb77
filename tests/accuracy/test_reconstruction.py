"""Grey values of reconstructed slices against analytic truth and an independent program."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.transform import iradon

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.geometry import Angles, FloatStack, field_axis_px
from lithoscope_pipeline.reconstruct import FourierBackend

Disc = tuple[float, float, float, float]  # x, y, radius in voxels; attenuation in 1/cm
VOXEL_UM = 5.0


def detector_points(n_columns: int, axis_px: float) -> NDArray[np.float64]:
    """Eight points in each pixel: a detector averages over its pixels."""
    inside = (np.arange(8) - 3.5) / 8
    return np.arange(n_columns)[:, None] + inside - axis_px


def project_discs(discs: list[Disc], thetas: Angles, n_columns: int, axis_px: float) -> FloatStack:
    s = detector_points(n_columns, axis_px)
    total = np.zeros((thetas.size, n_columns))
    for x, y, radius, per_cm in discs:
        along = (x * np.cos(thetas) + y * np.sin(thetas))[:, None, None]
        total += per_cm * 2 * np.sqrt(np.maximum(radius**2 - (s - along) ** 2, 0)).mean(axis=2)
    return (total * VOXEL_UM * 1e-4).astype(np.float32)[:, None, :]


@pytest.mark.parametrize(
    ("n_columns", "axis_px", "span_rad", "n_angles"),
    [
        (192, 95.5, np.pi, 180),
        (191, 100.3, np.pi, 180),
        (193, 60.2, np.pi, 181),
        (192, 131.9, 2 * np.pi, 360),
    ],
)
def test_discs_keep_their_attenuation_within_one_percent(
    n_columns: int, axis_px: float, span_rad: float, n_angles: int
) -> None:
    reach = 0.85 * min(axis_px, n_columns - 1 - axis_px)
    discs: list[Disc] = [
        (0.0, 0.0, reach, 0.4),
        (0.4 * reach, 0.3 * reach, 0.25 * reach, -0.3),
        (-0.3 * reach, 0.5 * reach, 0.2 * reach, 0.6),
    ]
    thetas = np.arange(n_angles) * (span_rad / n_angles)

    volume = FourierBackend().reconstruct(
        project_discs(discs, thetas, n_columns, axis_px),
        thetas,
        rotation_axis_px=axis_px,
        voxel_um=VOXEL_UM,
    )

    y, x = np.indices(volume.shape[1:]) - field_axis_px(n_columns)
    away = [np.hypot(x - disc[0], y - disc[1]) - disc[2] for disc in discs]
    body = (away[0] < -3) & (away[1] > 3) & (away[2] > 3)
    assert volume[0][body].mean() == pytest.approx(0.4, rel=0.01)
    assert volume[0][away[1] < -3].mean() == pytest.approx(0.1, rel=0.01)
    assert volume[0][away[2] < -3].mean() == pytest.approx(1.0, rel=0.01)
    assert volume[0][(away[0] > 3) & (np.hypot(x, y) < reach / 0.85)].mean() == pytest.approx(
        0.0, abs=0.004
    )


def project_plates(
    faces_px: NDArray[np.float64],
    per_cm: list[float],
    half_width_px: float,
    thetas: Angles,
    n_columns: int,
    axis_px: float,
) -> FloatStack:
    """Chords of rectangles: trapezoids as high as the shorter way through."""
    s = detector_points(n_columns, axis_px)
    cos, sin = np.abs(np.cos(thetas)), np.abs(np.sin(thetas))
    total = np.zeros((thetas.size, n_columns))
    for low, high, attenuation in zip(faces_px[:-1], faces_px[1:], per_cm, strict=True):
        half = (high - low) / 2
        along = (0.5 * (low + high) * np.sin(thetas))[:, None, None]
        broad, narrow = half_width_px * cos, half * sin
        height = 2 * np.minimum(
            half_width_px / np.maximum(sin, 1e-12), half / np.maximum(cos, 1e-12)
        )
        ramp = (broad + narrow)[:, None, None] - np.abs(s - along)
        slope = np.maximum(2 * np.minimum(broad, narrow), 1e-9)[:, None, None]
        total += attenuation * (height[:, None, None] * np.clip(ramp / slope, 0, 1)).mean(axis=2)
    return (total * VOXEL_UM * 1e-4).astype(np.float32)[:, None, :]


def test_cell_wider_than_the_view_has_flat_lithium_and_the_right_contrast() -> None:
    n_columns, axis_px = 192, 97.2
    # A plate of 768 voxels asks for steps of 2/768 rad at edge-on; coarser ones leave bands along
    # y, of up to 6 % of the contrast at 1 degree, whatever the extension.
    thetas = np.arange(900) * (np.pi / 900)
    faces = np.cumsum([-62.0, 12.0, 20.0, 60.0, 20.0, 12.0])

    volume = FourierBackend().reconstruct(
        project_plates(
            faces, [0.7, 0.09, 0.4, 0.09, 0.7], 4.0 * n_columns / 2, thetas, n_columns, axis_px
        ),
        thetas,
        rotation_axis_px=axis_px,
        voxel_um=VOXEL_UM,
    )

    middle = field_axis_px(n_columns)
    radius = 0.7 * (n_columns - 1 - axis_px)
    # Within 0.7 of the radius lithium of the lower electrode is seen this far along x.
    half = int(np.sqrt(radius**2 - 45.0**2))
    columns = slice(int(middle) - half, int(middle) + half + 2)
    lithium = volume[0, int(middle - 44) : int(middle - 34), columns]
    electrolyte = volume[0, int(middle - 24) : int(middle + 24), columns]
    # Bars of the reconstruction issue: 0.02 1/cm and 5 %.
    assert np.ptp(lithium.mean(axis=0)) < 0.02
    assert electrolyte.mean() - lithium.mean() == pytest.approx(0.31, rel=0.05)


def test_tooth_agrees_with_an_independent_reconstruction(real_data: Path) -> None:
    axis_px = 295.7
    with h5py.File(real_data / "tooth_aps_2bm" / "tooth.h5") as file:
        projections = file["exchange/data"][:, :1]
        flats = file["exchange/data_white"][:, :1]
        darks = file["exchange/data_dark"][:, :1]
        theta_deg = file["exchange/theta"][:]
    attenuation = correct(projections, flats, darks)

    ours = FourierBackend().reconstruct(
        attenuation, np.deg2rad(theta_deg), rotation_axis_px=axis_px, voxel_um=1e4
    )

    half = int(axis_px)
    places = np.arange(-half, half + 1)
    centred = np.array(
        [np.interp(places + axis_px, np.arange(640), row) for row in attenuation[:, 0]]
    )
    # scikit-image counts rows against y.
    theirs = iradon(centred.T, theta=theta_deg, filter_name="ramp")[::-1]
    y, x = np.meshgrid(places, places, indexing="ij")
    aligned = map_coordinates(gaussian_filter(ours[0], 1.0), [y + 319.5, x + 319.5], order=3)
    inside = np.hypot(y, x) < 0.8 * half
    correlation = np.corrcoef(aligned[inside], gaussian_filter(theirs, 1.0)[inside])[0, 1]
    # A right axis gives above 0.999, one that is 5 px off 0.96.
    assert correlation > 0.999
