"""Ask all methods for the rotation axis and its tilt, and weigh their answers."""

from dataclasses import dataclass, replace

import numpy as np

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import Angles, FloatStack, field_axis_px
from lithoscope_pipeline.rotation_axis.mirror import MirrorPeak, find_by_mirror
from lithoscope_pipeline.rotation_axis.pairs import Pairs, pairs_of
from lithoscope_pipeline.rotation_axis.sharpness import find_by_sharpness
from lithoscope_pipeline.rotation_axis.tilt import Tilt, find_tilt
from lithoscope_pipeline.rotation_axis.tilt_correction import Straightening
from lithoscope_pipeline.rotation_axis.verdict import MIN_MIRROR, Prior, RotationAxis, judge

MIN_COLUMNS = 16
BORDER_PX = 0.5  # from the end of the search range
SAME_AXIS_PX = 1.0  # up to which a tilt measured about one position holds for another


def find_rotation_axis(
    attenuation: FloatStack,
    thetas_rad: Angles,
    *,
    search_px: tuple[float, float] | None = None,
    prior_px: float | None = None,
    prior_tolerance_px: float = 2.0,
    is_quick: bool = False,
) -> RotationAxis:
    """Locate the rotation axis of a scan over 180 degrees or more.

    Views half a turn apart are compared, and slices are tried for sharpness. Where both say the
    same, one clear witness is enough; where only one of them sees anything, it must be very clear
    or be what was expected; where they disagree, the verdict is ``ambiguous``.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), finite. More rows make it surer, and
        a tilt is measured from 8 rows on. Rows must follow each other as on the detector.
    thetas_rad
        Angle of each projection, shape (n_angles,), in any order and over any number of turns.
    search_px
        First and last column to consider; the middle half of the detector by default.
    prior_px
        Column where the axis is expected, such as that of the scan before. A faint finding near
        it is believed, a faint one elsewhere is not; a clear one moves the axis all the same.
    prior_tolerance_px
        How far the axis may have moved from there.
    is_quick
        Whether to leave out slices and tilt: a tenth of the time, for previews. It is then
        resolved on clear scans only.

    Returns
    -------
    RotationAxis
        Detector column in the middle row, verdict, tilt, and what bears it out. If nothing is
        seen it is the expected column.

    Raises
    ------
    ShapeError
        If the number of angles differs from that of projections or a dimension is missing.
    ParameterError
        If ``search_px`` does not rise or leaves the detector, or ``prior_px`` leaves it.
    NonFiniteError
        If ``attenuation`` or an angle is NaN or infinite.
    AngularRangeError
        If no two views lie within four steps of half a turn apart.
    """
    n_columns = _check(attenuation, thetas_rad)
    search_px = search_px or (0.25 * (n_columns - 1), 0.75 * (n_columns - 1))
    if not 0.0 <= search_px[0] < search_px[1] <= n_columns - 1:
        raise ParameterError(
            f"search_px is ({search_px[0]}, {search_px[1]}), it must rise within "
            f"0..{n_columns - 1}"
        )
    prior = _prior(prior_px, prior_tolerance_px, n_columns)
    scan = _Scan(
        attenuation=attenuation,
        thetas_rad=thetas_rad,
        pairs=pairs_of(thetas_rad),
        search_px=search_px,
        prior=prior,
    )
    mirror = find_by_mirror(attenuation, scan.pairs, search_px)
    if is_quick:
        return scan.inside(judge(mirror, None, prior), mirror)
    tilt, upright = Tilt(), None
    if mirror.significance >= MIN_MIRROR:
        tilt, upright = scan.tilt_about(mirror.position_px)
        if upright is not None:
            mirror = find_by_mirror(attenuation, scan.pairs, search_px, upright)
    found = scan.judge(mirror, upright)
    if found.verdict == "flat":
        return found
    if upright is None and abs(found.position_px - mirror.position_px) > SAME_AXIS_PX:
        tilt, upright = scan.tilt_about(found.position_px)
        if upright is not None:
            mirror = find_by_mirror(attenuation, scan.pairs, search_px, upright)
            found = scan.judge(mirror, upright)
    return replace(
        found,
        tilt_deg=tilt.tilt_deg,
        tilt_error_deg=tilt.error_deg,
        is_tilted=upright is not None,
    )


def given_axis(position_px: float, *, tilt_deg: float = 0.0) -> RotationAxis:
    """Return an axis that somebody has set.

    Parameters
    ----------
    position_px
        Detector column in the middle row.
    tilt_deg
        Angle of the axis against the columns of the detector.

    Returns
    -------
    RotationAxis
        With the verdict ``given``.
    """
    return RotationAxis(
        position_px=position_px,
        confidence=1.0,
        verdict="given",
        error_px=0.0,
        tilt_deg=tilt_deg,
        is_tilted=tilt_deg != 0.0,
        methods=("given",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """What is asked of all methods."""

    attenuation: FloatStack
    thetas_rad: Angles
    pairs: Pairs
    search_px: tuple[float, float]
    prior: Prior | None

    def tilt_about(self, position_px: float) -> tuple[Tilt, Straightening | None]:
        """Measure the tilt, and say how to take it off if that is worth it."""
        tilt = find_tilt(self.attenuation, self.pairs, position_px)
        if not tilt.is_worth_correcting(self.attenuation.shape[1:]):
            return tilt, None
        return tilt, Straightening(
            tilt_deg=tilt.tilt_deg,
            rotation_axis_px=position_px,
            pivot_row_px=field_axis_px(self.attenuation.shape[1]),
        )

    def judge(self, mirror: MirrorPeak, upright: Straightening | None) -> RotationAxis:
        """Ask for sharpness too; before a doubtful verdict all positions are tried."""
        candidates: tuple[float, ...] = (mirror.position_px,)
        prior = self.prior
        if prior is not None and not prior.holds(mirror.position_px):
            candidates += (prior.position_px,)
        sharp = find_by_sharpness(
            self.attenuation, self.thetas_rad, candidates, self.search_px, upright
        )
        found = judge(mirror, sharp, prior)
        if found.verdict != "resolved" and sharp is not None:
            sharp = find_by_sharpness(
                self.attenuation,
                self.thetas_rad,
                candidates,
                self.search_px,
                upright,
                is_searched=True,
            )
            found = judge(mirror, sharp, prior)
        return self.inside(found, mirror)

    def inside(self, found: RotationAxis, mirror: MirrorPeak) -> RotationAxis:
        """Refuse to believe a position at the end of the search."""
        low_px, high_px = self.search_px[0] + BORDER_PX, self.search_px[1] - BORDER_PX
        is_outside = not low_px <= found.position_px <= high_px
        is_slope = mirror.is_at_border and found.methods[:1] == ("mirror",)
        if found.verdict == "flat" or not (is_outside or is_slope):
            return found
        reason = f"the best position, {found.position_px:.2f}, lies at the end of the search range"
        return replace(found, verdict="border", reason=reason)


def _prior(prior_px: float | None, tolerance_px: float, n_columns: int) -> Prior | None:
    if prior_px is None:
        return None
    if not (0.0 <= prior_px <= n_columns - 1 and tolerance_px > 0.0):
        raise ParameterError(
            f"prior_px is {prior_px} and prior_tolerance_px {tolerance_px}; a column in "
            f"0..{n_columns - 1} and a tolerance above 0 are needed"
        )
    return Prior(position_px=prior_px, tolerance_px=tolerance_px)


def _check(attenuation: FloatStack, thetas_rad: Angles) -> int:
    if attenuation.ndim != 3 or attenuation.shape[2] < MIN_COLUMNS:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) with at least "
            f"{MIN_COLUMNS} columns is needed"
        )
    if thetas_rad.shape != attenuation.shape[:1]:
        raise ShapeError(
            f"{thetas_rad.size} angles for {attenuation.shape[0]} projections given; leave out "
            "the angles of flats and darks"
        )
    if not (np.isfinite(attenuation).all() and np.isfinite(thetas_rad).all()):
        raise NonFiniteError("attenuation or thetas_rad holds NaN or infinity")
    return attenuation.shape[2]
