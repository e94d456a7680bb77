"""What of a layered cell stays along y while lithium moves, and what moves with it."""

from dataclasses import dataclass

AIR_PX = 2.0  # of air belong to what stays: the outer face of the pouch is as good a plane as any
STAYING_SHARE = 0.5  # of the stripping electrode: what is below is never stripped
LIFTED_SHARE = 0.5  # of the plating electrode: lithium grows on its other half
GROWTH_UM = 60.0  # the plating side moves out by 39 um in the reference cell
_N_PLANES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Spans along y in the reference frame, voxels.

    Parameters
    ----------
    stays_y_px
        Does not move against the reference.
    lifts_y_px
        Moves along y as a whole; None if there is nothing of the kind.
    """

    stays_y_px: tuple[float, float]
    lifts_y_px: tuple[float, float] | None = None


def spans_of_planes(
    planes_px: tuple[float, ...], whole_y_px: tuple[float, float], *, lift_px: float = 0.0
) -> Spans:
    """Say what stays along y and what lifts as a whole.

    Stationary are the lower pouch and the outer half of its electrode; the outer half of the other
    electrode and its pouch move with the lithium that grows.

    Parameters
    ----------
    planes_px
        The six planes along y of the first scan, lower pouch face first; of another number if
        they are not known.
    whole_y_px
        What counts as stationary then.
    lift_px
        How far the plating side has moved out since the first scan.
    """
    if len(planes_px) != _N_PLANES:
        return Spans(stays_y_px=whole_y_px)
    low_pouch, low_outer, low_inner, high_inner, high_outer, high_pouch = planes_px
    last = low_outer + STAYING_SHARE * (low_inner - low_outer)
    first = high_outer - LIFTED_SHARE * (high_outer - high_inner)
    return Spans(
        stays_y_px=(low_pouch - AIR_PX, last),
        lifts_y_px=(first + lift_px, high_pouch + AIR_PX + lift_px),
    )
