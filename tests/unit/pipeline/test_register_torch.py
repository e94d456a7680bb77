"""Registration on a torch device against the loops of the processor."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.register import (
    BlockPair,
    Comparison,
    GaussNewtonEngine,
    RigidTransform,
)
from lithoscope_pipeline.register.numerics import CpuNumerics
from lithoscope_pipeline.resample import resample_region

torch = pytest.importorskip("torch", reason="install the extra gpu to run this test")

from lithoscope_pipeline.register.texture import line_along  # noqa: E402 - needs torch
from lithoscope_pipeline.register.torch_numerics import TorchNumerics  # noqa: E402 - needs torch

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
SHAPE = (26, 41, 38)
CENTRE = (12.5, 20.0, 18.5)
TRUE = RigidTransform(rotation_deg=(0.4, -0.2, 0.3), shift_px=(1.2, -2.1, 0.6), centre_px=CENTRE)
NO_THIN = (False, False, False)


def texture() -> FloatVolume:
    rng = np.random.default_rng(5)
    return (10.0 * gaussian_filter(rng.normal(size=SHAPE), 2.0)).astype(np.float32)


def on(device: str) -> TorchNumerics:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device; run this on a machine with one")
    return TorchNumerics(device=device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("thin_axes", [NO_THIN, (True, False, False)])
def test_levels_and_looks_are_those_of_the_processor(
    device: str, thin_axes: tuple[bool, bool, bool]
) -> None:
    ours, theirs = CpuNumerics(), on(device)
    rng = np.random.default_rng(1)
    mine, other = (
        numerics.levels(texture(), (4, 2, 1), thin_axes=thin_axes) for numerics in (ours, theirs)
    )

    for factor in (1, 2, 4):
        shape = ours.shape(mine[factor])
        assert theirs.shape(other[factor]) == shape
        index = rng.integers(0, shape, (500, 3))
        at = rng.uniform(-1.0, np.array(shape), (500, 3))
        for here, there in zip(
            (*ours.look_up(mine[factor], index), *ours.sample(mine[factor], at)),
            (*theirs.look_up(other[factor], index), *theirs.sample(other[factor], at)),
            strict=True,
        ):
            np.testing.assert_allclose(
                there.astype(float), here.astype(float), atol=1e-4 * np.abs(texture()).max()
            )


@pytest.mark.parametrize("device", DEVICES)
def test_texture_without_layers_is_that_of_the_processor(device: str) -> None:
    ours, theirs = CpuNumerics(), on(device)
    line = line_along(np.array([0.0, 1.0, 0.03]))
    mine, other = (numerics.without_line(texture(), *line) for numerics in (ours, theirs))

    np.testing.assert_allclose(other.cpu().numpy(), mine, atol=1e-4 * np.abs(texture()).max())
    at = np.random.default_rng(1).uniform(-1.0, np.array(SHAPE), (500, 3))
    for here, there in zip(
        (ours.blurred(mine), *ours.sample_blurred(mine, at)),
        (theirs.blurred(other).cpu().numpy(), *theirs.sample_blurred(other, at)),
        strict=True,
    ):
        np.testing.assert_allclose(
            there.astype(float), here.astype(float), atol=1e-4 * np.abs(texture()).max()
        )


@pytest.mark.parametrize("device", DEVICES)
def test_the_transform_is_that_of_the_processor(device: str) -> None:
    volume = texture()
    roi = Roi(z0=0, z1=SHAPE[0], y0=0, y1=SHAPE[1], x0=0, x1=SHAPE[2])
    moved = resample_region(volume, TRUE, roi=roi).volume
    comparison = Comparison(
        pairs=(BlockPair(fixed=moved, moving=volume),), centre_px=CENTRE, max_shift_px=6.0
    )

    found, reference = (
        GaussNewtonEngine(numerics=numerics).register(comparison)
        for numerics in (on(device), CpuNumerics())
    )

    assert found.is_resolved
    corners = comparison.corners_px
    apart = found.transform.to_scan(corners) - reference.transform.to_scan(corners)
    assert np.abs(apart).max() < 1e-3
