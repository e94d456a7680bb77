"""Two whole volumes: the short way to register them."""

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatVolume, MaskVolume
from lithoscope_pipeline.register.engine import GaussNewtonEngine
from lithoscope_pipeline.register.pairs import BlockPair, Comparison
from lithoscope_pipeline.register.protocol import RegistrationEngine, RegistrationLimits
from lithoscope_pipeline.rigid import RigidTransform, Triple


def register_rigid(
    fixed: FloatVolume,
    moving: FloatVolume,
    *,
    mask: MaskVolume | None = None,
    initial: RigidTransform | None = None,
    origin_px: Triple = (0.0, 0.0, 0.0),
    centre_px: Triple | None = None,
    max_shift_px: float = 15.0,
    engine: RegistrationEngine | None = None,
    limits: RegistrationLimits | None = None,
) -> RigidTransform:
    """Find the rigid transform that takes the fixed volume to the moving one.

    Parameters
    ----------
    fixed, moving
        Volumes of equal shape (z, y, x), cut from their scans at the same place; any grey scale,
        related linearly, finite.
    mask
        Voxels of ``fixed`` to compare: what does not move against the reference. All by default.
    initial
        Where to start, e.g. the transform of the previous scan; identity by default.
    origin_px
        Position of voxel (0, 0, 0) in the scan.
    centre_px
        Fixed point of the rotation (z, y, x) in the scan; the middle of the volume by default.
    max_shift_px
        How far to look from the start.
    engine
        Who looks; ours by default.
    limits
        What the answer must show.

    Returns
    -------
    RigidTransform
        Maps points of the fixed scan to the moving scan; with verdict ``failed`` the initial one.

    Raises
    ------
    ShapeError
        If shapes differ or fewer than 500 voxels are left to compare.
    NonFiniteError
        If a volume holds NaN or infinity.
    """
    if fixed.ndim != 3 or fixed.shape != moving.shape:
        raise ShapeError(
            f"fixed has shape {fixed.shape} and moving {moving.shape}; cut both alike"
        )
    n_z, n_y, n_x = fixed.shape
    z0, y0, x0 = origin_px
    middle = (z0 + (n_z - 1) / 2, y0 + (n_y - 1) / 2, x0 + (n_x - 1) / 2)
    comparison = Comparison(
        pairs=(
            BlockPair(
                fixed=fixed,
                moving=moving,
                fixed_origin_px=origin_px,
                moving_origin_px=origin_px,
                mask=mask,
            ),
        ),
        centre_px=centre_px or middle,
        max_shift_px=max_shift_px,
    )
    found = (engine or GaussNewtonEngine()).register(comparison, start=initial, limits=limits)
    return found.transform
