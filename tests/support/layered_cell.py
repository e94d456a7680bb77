"""A layered cell that is rendered at exactly moved places: no interpolation in the truth."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.rigid import RigidTransform, angles_deg

Map = NDArray[np.float64]

SHAPE: Final = (40, 160, 160)
CENTRE: Final = (19.5, 79.5, 79.5)
VOXEL_UM: Final = 4.5
#: Places of the planes along y; the cell is stripping side first.
PLANES_PX: Final = (16.3, 28.8, 49.1, 102.6, 122.2, 134.9)
GREYS: Final = (0.0, 0.7, 0.09, 0.4, 0.09, 0.7, 0.0)


def still(z: Map, x: Map) -> Map:
    """No motion."""
    return np.zeros(np.broadcast_shapes(z.shape, x.shape))


def render(
    transform: RigidTransform,
    *,
    seed: int,
    up_px: Callable[[Map, Map], Map] = still,
    noise: float = 0.15,
    shape: tuple[int, int, int] = SHAPE,
    missing_x: float = np.inf,
) -> FloatVolume:
    """Give a scan of the cell.

    Parameters
    ----------
    transform
        Cell to scan.
    seed
        Of the noise.
    up_px
        How far the plating side has moved out at (z, x) of the cell.
    noise
        Standard deviation; the step from lithium to pouch is 0.61.
    shape
        Of the scan.
    missing_x
        The plating side and its pouch end at this x: beyond there is electrolyte.
    """
    z, y, x = np.indices(shape).astype(np.float64)
    cell = transform.to_reference(np.stack([z, y, x], axis=-1))
    lift = up_px(cell[..., 0], cell[..., 2])
    volume = np.zeros(shape)
    for number, (plane, step) in enumerate(zip(PLANES_PX, np.diff(GREYS), strict=True)):
        height = cell[..., 1] - plane - (lift if number >= 3 else 0.0)
        share = 0.5 + 0.5 * np.tanh(1.5 * height)
        volume += step * (share * (cell[..., 2] < missing_x) if number >= 3 else share)
    volume += noise * np.random.default_rng(seed).normal(size=shape)
    return volume.astype(np.float32)


def followed_by(first: RigidTransform, second: RigidTransform) -> RigidTransform:
    """Apply one transform after the other."""
    centre = np.array(first.centre_px)
    z, y, x = second.to_scan(first.to_scan(centre)) - centre
    return RigidTransform(
        rotation_deg=angles_deg(second.matrix @ first.matrix),
        shift_px=(float(z), float(y), float(x)),
        centre_px=first.centre_px,
    )
