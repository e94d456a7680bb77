"""Which rotation axis a tile is reconstructed about: given, that of the scan before, or found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from lithoscope_messages import AxisFinding
from lithoscope_pipeline.geometry import Angles, FloatStack, field_axis_px
from lithoscope_pipeline.rotation_axis import RotationAxis, find_rotation_axis
from lithoscope_pipeline.rotation_axis.mirror import find_by_mirror
from lithoscope_pipeline.rotation_axis.pairs import pairs_of
from lithoscope_pipeline.rotation_axis.tilt_correction import Straightening
from lithoscope_pipeline.rotation_axis.verdict import Prior, judge
from lithoscope_services.stages.reconstruct.tile_scan import TileScan, UprightAxis

#: A little more than noise makes of two findings of one axis. Within this the axis before is kept,
#: so that slices of one experiment do not shift against each other, and what was begun is used.
HELD_WITHIN_PX: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisBefore:
    """The axis of the last scan in which it was to be believed."""

    position_px: float
    tilt_deg: float = 0.0

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> Self | None:  # JSON
        """Read it from the parameters of a task; None if there is none."""
        return None if said is None else cls(**said)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledAxis:
    """The axis to be used, and what it means for what was begun about the one before.

    Parameters
    ----------
    finding
        For the fact.
    moved_px
        How far it is from the one before, at the border of the detector if it has turned; 0
        where that is kept or there is none.
    """

    finding: AxisFinding
    moved_px: float = 0.0

    def upright(self, tile: TileScan) -> UprightAxis:
        """Give the axis about which the rows of a tile are turned upright."""
        return upright_axis(tile, self.finding.position_px, self.finding.tilt_deg)


def upright_axis(tile: TileScan, position_px: float, tilt_deg: float) -> UprightAxis:
    """Place an axis in the rows in which it was looked for."""
    return UprightAxis(position_px=position_px, tilt_deg=tilt_deg, pivot_row_px=tile.middle_row_px)


def given_finding(position_px: float) -> AxisFinding:
    """Say that the axis was set."""
    return AxisFinding(position_px=position_px, confidence=1.0, verdict="given")


def settle_axis(tile: TileScan, attenuation: FloatStack, before: AxisBefore | None) -> SettledAxis:
    """Look for the axis, and keep that of the scan before where nothing speaks against it.

    Parameters
    ----------
    tile
        Which tile.
    attenuation
        Line integrals of its middle rows, shape (n_angles, n_rows, n_columns).
    before
        None in the first scan.
    """
    if before is not None:
        confirmed = _confirm(attenuation, tile.thetas_rad, before)
        if confirmed is not None:
            return SettledAxis(finding=_finding(confirmed, before.position_px, before.tilt_deg))
    found = find_rotation_axis(
        attenuation,
        tile.thetas_rad,
        prior_px=None if before is None else before.position_px,
    )
    tilt_deg = found.tilt_deg if found.is_tilted else 0.0
    if before is None:
        return SettledAxis(finding=_finding(found, found.position_px, tilt_deg))
    moved_px = found.position_px - before.position_px
    turned_px = 0.5 * tile.shape[0] * np.deg2rad(tilt_deg - before.tilt_deg)
    most_px = max((moved_px, moved_px + turned_px, moved_px - turned_px), key=abs)
    if found.verdict == "resolved" and abs(most_px) > HELD_WITHIN_PX:
        finding = _finding(found, found.position_px, tilt_deg)
        return SettledAxis(finding=finding, moved_px=float(most_px))
    # An axis that does not show is more likely where it was than anywhere else.
    return SettledAxis(finding=_finding(found, before.position_px, before.tilt_deg))


def _confirm(
    attenuation: FloatStack, thetas_rad: Angles, before: AxisBefore
) -> RotationAxis | None:
    """Ask views half a turn apart alone, which take a quarter of the time of a search.

    None if they do not clearly say that the axis is where it was.
    """
    n_rows, n_columns = attenuation.shape[1:]
    upright = None
    if before.tilt_deg:
        upright = Straightening(
            tilt_deg=before.tilt_deg,
            rotation_axis_px=before.position_px,
            pivot_row_px=field_axis_px(n_rows),
        )
    search_px = (0.25 * (n_columns - 1), 0.75 * (n_columns - 1))
    mirror = find_by_mirror(attenuation, pairs_of(thetas_rad), search_px, upright)
    expected = Prior(position_px=before.position_px, tolerance_px=HELD_WITHIN_PX)
    found = judge(mirror, None, expected)
    is_confirmed = found.verdict == "resolved" and expected.holds(found.position_px)
    return found if is_confirmed else None


def _finding(found: RotationAxis, position_px: float, tilt_deg: float) -> AxisFinding:
    return AxisFinding(
        position_px=position_px,
        confidence=found.confidence,
        verdict=found.verdict,
        tilt_deg=tilt_deg,
        methods=found.methods,
        reason=found.reason[:300],
    )
