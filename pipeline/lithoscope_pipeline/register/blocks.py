"""Which sub-volumes of two scans are read to register them: little of a large pair."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatVolume, MaskVolume, Roi
from lithoscope_pipeline.register.pairs import BlockPair, Comparison, Field
from lithoscope_pipeline.register.spans import Spans
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.rigid import Points, RigidTransform, Triple

FLOAT_BYTES = 4
_MARGIN_PX = 4.0  # for smoothing and interpolation
_UPRIGHT = 0.5  # less of a plane's normal along the rotation axis
_PICKS = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPlan:
    """What to look for where.

    Parameters
    ----------
    shape
        Of both scans, (z, y, x).
    frame
        Reference frame, in which the electrodes are level, to the fixed scan.
    spans
        What stays along y and what moves as a whole, in the reference frame.
    field
        What a scan sees at all angles, in voxels of a scan.
    max_shift_px, max_lift_px
        As for `~lithoscope_pipeline.register.pairs.Comparison`; they make the margin.
    max_bytes
        Limit of what all blocks of both scans hold, float32.

    Raises
    ------
    ParameterError
        If a span is empty.
    """

    shape: tuple[int, int, int]
    frame: RigidTransform
    spans: Spans
    field: Field
    max_shift_px: float = 15.0
    max_lift_px: float = 0.0
    max_bytes: int = 2**30

    def __post_init__(self) -> None:
        for span in (self.spans.stays_y_px, self.spans.lifts_y_px):
            if span is not None and not span[0] < span[1]:
                raise ParameterError(f"span {span} along y is empty; give (low, high)")

    @property
    def across(self) -> Points:
        """Direction of y of the reference frame, in the fixed scan (z, y, x)."""
        return np.asarray(self.frame.matrix[:, 1])

    @property
    def y_offset_px(self) -> float:
        """What to add to a point's way along ``across`` to get its y in the reference frame."""
        centre = np.array(self.frame.centre_px)
        return float(centre[1] - self.across @ (centre + np.array(self.frame.shift_px)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlock:
    """A sub-volume to read from two scans.

    Parameters
    ----------
    fixed, moving
        Boxes in voxels of each scan, inside it.
    is_lifted
        As for `~lithoscope_pipeline.register.pairs.BlockPair`.
    plan
        What it belongs to.
    """

    fixed: Roi
    moving: Roi
    is_lifted: bool
    plan: BlockPlan

    @property
    def n_bytes(self) -> int:
        """Bytes of both boxes, float32."""
        return FLOAT_BYTES * int(np.prod(self.fixed.shape) + np.prod(self.moving.shape))

    def pair(self, fixed: FloatVolume, moving: FloatVolume) -> BlockPair:
        """Put together what was read from the two boxes.

        Compared is what lies in the span and in the field.
        """
        up = self.plan.across
        return BlockPair(
            fixed=np.ascontiguousarray(fixed, dtype=np.float32),
            moving=np.ascontiguousarray(moving, dtype=np.float32),
            fixed_origin_px=_first(self.fixed),
            moving_origin_px=_first(self.moving),
            mask=self._mask(),
            is_lifted=self.is_lifted,
            lift_direction=(float(up[0]), float(up[1]), float(up[2])),
        )

    def _mask(self) -> MaskVolume:
        plan, roi = self.plan, self.fixed
        low, high = _span(plan, self.is_lifted)
        y = np.arange(roi.y0, roi.y1)[:, None]
        x = np.arange(roi.x0, roi.x1)[None, :]
        points = np.stack(np.broadcast_arrays(0.0, y, x), axis=-1)
        in_field = plan.field.holds(points)
        in_slice = plan.across[1] * y + plan.across[2] * x + plan.y_offset_px
        mask = np.empty(roi.shape, dtype=np.bool_)
        for index, z in enumerate(range(roi.z0, roi.z1)):
            height = in_slice + plan.across[0] * z
            mask[index] = (height >= low) & (height <= high) & in_field
        return mask


def plan_blocks(
    plan: BlockPlan, *, start: RigidTransform | None = None
) -> tuple[PlannedBlock, ...]:
    """Choose the sub-volumes of a pair of scans.

    A small pair is taken with all its rows, as far along y as it is of use. Of a large one the
    rows are thinned to blocks that are spread evenly from the first to the last, for the rotations
    need the distance.

    Parameters
    ----------
    plan
        What to look for where.
    start
        Fixed scan to where the moving one is thought to be; in place by default.

    Returns
    -------
    tuple of PlannedBlock
        Those that stay first, each kind by rows.

    Raises
    ------
    ParameterError
        If not even the smallest blocks fit ``max_bytes``.
    """
    n_z = plan.shape[0]
    for n_pieces, height in _heights(n_z):
        first = np.linspace(0, n_z - height, n_pieces).round().astype(int)
        rows = [(int(z0), int(z0) + height) for z0 in first]
        blocks = [_block(plan, span, False, start) for span in rows]
        if plan.spans.lifts_y_px is not None:
            blocks += [_block(plan, span, True, start) for span in rows]
        kept = [block for block in blocks if block is not None]
        if sum(block.n_bytes for block in kept) <= plan.max_bytes:
            return tuple(kept)
    raise ParameterError(
        f"blocks of volumes of {plan.shape} voxels do not fit {plan.max_bytes} bytes; allow more"
    )


def read_comparison(
    plan: BlockPlan,
    fixed: VolumeSource,
    moving: VolumeSource,
    *,
    start: RigidTransform | None = None,
) -> Comparison:
    """Read the blocks of a pair of scans, and nothing else of them.

    Parameters
    ----------
    plan
        What to look for where.
    fixed, moving
        The scans: arrays, or what reads boxes of stored volumes.
    start
        Fixed scan to where the moving one is thought to be; in place by default.

    Returns
    -------
    Comparison
        Rotations are about the middle of the scan.
    """
    n_z, n_y, n_x = plan.shape
    return Comparison(
        pairs=tuple(
            block.pair(fixed[block.fixed.slices], moving[block.moving.slices])
            for block in plan_blocks(plan, start=start)
        ),
        centre_px=((n_z - 1) / 2, (n_y - 1) / 2, (n_x - 1) / 2),
        field=plan.field,
        max_shift_px=plan.max_shift_px,
        max_lift_px=plan.max_lift_px,
        is_layered=plan.spans.lifts_y_px is not None and abs(plan.across[0]) < _UPRIGHT,
    )


def _heights(n_z: int) -> list[tuple[int, int]]:
    """Give numbers of pieces and rows of each, from all rows to few."""
    thinner = [(5, rows) for rows in (96, 64, 48, 32)] + [(3, rows) for rows in (48, 32, 24)]
    return [(1, n_z)] + [(n, rows) for n, rows in (*thinner, (2, 24)) if n * rows < n_z]


def _span(plan: BlockPlan, is_lifted: bool) -> tuple[float, float]:
    lifts = plan.spans.lifts_y_px
    return lifts if is_lifted and lifts is not None else plan.spans.stays_y_px


def _block(
    plan: BlockPlan, rows: tuple[int, int], is_lifted: bool, start: RigidTransform | None
) -> PlannedBlock | None:
    """Boxes around a span of some rows; None where the span leaves the scan."""
    span, (_, n_y, n_x) = _span(plan, is_lifted), plan.shape
    axis_y, axis_x = plan.field.axis_px
    radius = plan.field.radius_px
    y_low, y_high = max(axis_y - radius, 0.0), min(axis_y + radius, n_y - 1.0)
    x_low, x_high = max(axis_x - radius, 0.0), min(axis_x + radius, n_x - 1.0)
    up_z, up_y, up_x = plan.across
    if abs(up_y) > 0.5:
        ends = [
            (height - plan.y_offset_px - up_z * z - up_x * x) / up_y
            for height in span
            for z in (rows[0], rows[1] - 1)
            for x in (x_low, x_high)
        ]
        y_low, y_high = max(y_low, min(ends)), min(y_high, max(ends))
    if y_low >= y_high:
        return None
    low = np.array([rows[0], np.floor(y_low), np.floor(x_low)])
    high = np.array([rows[1] - 1, np.ceil(y_high), np.ceil(x_high)])
    corners = np.stack([low, high])[_PICKS, [0, 1, 2]]
    if start is not None:
        corners = start.to_scan(corners)
    reach = plan.max_shift_px + _MARGIN_PX
    margin = reach + (plan.max_lift_px if is_lifted else 0.0) * np.abs(plan.across)
    last = np.array(plan.shape) - 1.0
    first = np.clip(np.floor(corners.min(axis=0) - margin), 0.0, last)
    final = np.clip(np.ceil(corners.max(axis=0) + margin), first, last)
    return PlannedBlock(
        fixed=_roi(low, high), moving=_roi(first, final), is_lifted=is_lifted, plan=plan
    )


def _roi(first: Points, last: Points) -> Roi:
    z0, y0, x0 = (int(value) for value in first)
    z1, y1, x1 = (int(value) + 1 for value in last)
    return Roi(z0=z0, z1=z1, y0=y0, y1=y1, x0=x0, x1=x1)


def _first(roi: Roi) -> Triple:
    return float(roi.z0), float(roi.y0), float(roi.x0)
