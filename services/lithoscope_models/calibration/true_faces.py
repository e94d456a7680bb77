"""Where the outer faces of a cell truly lie: whole voxels say it only to half a voxel each."""

from collections.abc import Sequence

from lithoscope_models.calibration.images import CalibrationScans

ScanValues = dict[str, float | None]


def with_true_faces(
    values: Sequence[ScanValues], scans: CalibrationScans, area_um2: float
) -> list[ScanValues]:
    """Put the outer faces of true labels where the simulator has them.

    The faces are flat, so all their voxels are cut alike: the true labels err by up to a voxel in
    the thickness of the stack, and in all lithium by that times the area.

    Parameters
    ----------
    values
        Metrics of the true labels of each scan.
    scans
        The scans.
    area_um2
        Of the region.
    """
    found = [each["stack_thickness_um"] for each in values]
    cut_um = [
        0.0 if labelled is None else true - labelled
        for true, labelled in zip(scans.stack_um, found, strict=True)
    ]
    out = []
    for i, each in enumerate(values):
        start = _start(scans, i)
        # The outer face of the stripping side stays where it is, and is cut alike in all scans.
        is_plating = scans.charges[i].receiving_side == "plating"
        moved_um = {
            "stack_thickness_um": cut_um[i],
            "li_total_volume_um3": cut_um[i] * area_um2,
            "li_conservation_residual_um3": (cut_um[i] - cut_um[0]) * area_um2,
            "li_travelled_volume_um3": is_plating * (cut_um[i] - cut_um[start]) * area_um2,
        }
        out.append(each | {name: _sum(each.get(name), by) for name, by in moved_um.items()})
    return out


def _start(scans: CalibrationScans, index: int) -> int:
    """Give the last scan of the half-cycle before, or the first of all."""
    here = scans.half_cycles[index]
    before = [at for at in range(index) if scans.half_cycles[at] < here]
    return before[-1] if before else 0


def _sum(value: float | None, by: float) -> float | None:
    return None if value is None else value + by
