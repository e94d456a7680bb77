"""Balls rendered at exactly moved places: pairs of volumes without interpolation in the truth."""

import numpy as np

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.rigid import Points, RigidTransform

_EDGE_PX = 0.7
_MARGIN_PX = 8.0
BALLS_PER_300_CUBED = 1500


def middle_px(n: int) -> tuple[float, float, float]:
    """Middle of a cube of ``n`` voxels a side."""
    return ((n - 1) / 2, (n - 1) / 2, (n - 1) / 2)


def moved_balls(
    n: int, transform: RigidTransform, *, noise: float, seed: int, gone: float = 0.0
) -> FloatVolume:
    """Render soft balls of radius 3 to 7 in a cube.

    Parameters
    ----------
    n
        Voxels a side.
    transform
        Where the balls have gone.
    noise
        Standard deviation, in units of that of the volume without noise.
    seed
        Of the noise and of which balls are gone; the balls are always the same.
    gone
        Share of the balls that are left out.
    """
    rng = np.random.default_rng(1)
    count = round(BALLS_PER_300_CUBED * (n / 300) ** 3)
    centres = rng.uniform(-_MARGIN_PX, n + _MARGIN_PX, (count, 3))
    radii, heights = rng.uniform(3.0, 7.0, count), rng.uniform(0.5, 1.5, count)
    own = np.random.default_rng(seed)
    kept = own.uniform(size=count) >= gone
    volume = np.zeros((n, n, n), np.float32)
    for place, radius, height in zip(
        transform.to_scan(centres)[kept], radii[kept], heights[kept], strict=True
    ):
        _add(volume, place, float(radius), float(height))
    volume += np.float32(noise * volume.std()) * own.standard_normal(volume.shape, np.float32)
    return volume


def mean_error_px(found: RigidTransform, true: RigidTransform, n: int) -> tuple[float, float]:
    """Mean and largest distance from the truth over a lattice of 7 points a side."""
    line = np.linspace(0, n - 1, 7)
    lattice = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    apart = np.linalg.norm(found.to_scan(lattice) - true.to_scan(lattice), axis=1)
    return float(apart.mean()), float(apart.max())


def _add(volume: FloatVolume, place: Points, radius: float, height: float) -> None:
    reach = int(radius) + 6
    first = np.clip(np.floor(place).astype(int) - reach, 0, volume.shape)
    stop = np.clip(np.floor(place).astype(int) + reach + 1, 0, volume.shape)
    z, y, x = (np.arange(a, b) - p for a, b, p in zip(first, stop, place, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
    volume[box] += (height / (1.0 + np.exp((distance - radius) / _EDGE_PX))).astype(np.float32)
