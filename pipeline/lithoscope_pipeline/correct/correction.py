"""What is done to the counts of a scan before it is reconstructed, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phase_retrieval import PaganinFilter

CountStack = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32] | FloatStack
FlatMode = Literal["before", "mean", "interpolate", "eigen"]
RingMethod = Literal["none", "median", "titarenko", "sorting", "wavelet"]

# A 16-bit detector cannot show less than 1.5e-5; below 1e-4 a pixel says only "dark".
MIN_TRANSMISSION: Final = 1.0e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatSet:
    """Flats that were taken one after the other.

    Parameters
    ----------
    frames
        Counts, shape (n_frames, n_rows, n_columns) or already averaged (n_rows, n_columns). A
        non-finite pixel counts as dead.
    position
        Projections that were taken before them: 0 for flats before, the number of projections of
        the scan for flats after.
    """

    frames: CountStack
    position: float = 0.0


Flats = CountStack | Sequence[FlatSet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """All that turns counts into line integrals.

    Parameters
    ----------
    flats
        Which beam a projection is referred to. ``before``: the mean of the first set of flats.
        ``mean``: the mean of all flats. ``interpolate``: linear between the sets before and after
        the projection. ``eigen``: the mean and the main variations of all flats, fitted to each
        projection [1]_.
    zinger_threshold
        Direct hits in projections: a pixel that exceeds its neighbours in the row by more than
        this, in units of the open beam, takes their value. 0 leaves all as it is: edge-on, the
        bright fringe of a plate may be as narrow, and reach 0.8. Flats and darks are freed from
        hits in any case, by comparison of their frames.
    air_columns
        Columns at either border that see the open beam in every projection; they tell its
        intensity in each row of each projection. 0 where the sample may be wider than the view.
    rings
        How what stays in the same column over all angles is taken off; see `remove_rings`.
        ``median`` and ``titarenko`` find one constant a column, by the first eleven twelfths of
        the scan, and can be taken off slices; the others change projections by all the rest.
    phase
        How the fringes of phase contrast are taken back; None leaves them.
    min_transmission
        Smallest transmission told apart, above zero.

    Raises
    ------
    ParameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] V. Van Nieuwenhove et al., Opt. Express 23, 27975 (2015). doi:10.1364/OE.23.027975
    """

    flats: FlatMode = "interpolate"
    zinger_threshold: float = 0.0
    air_columns: int = 0
    rings: RingMethod = "none"
    phase: PaganinFilter | None = None
    min_transmission: float = MIN_TRANSMISSION

    def __post_init__(self) -> None:
        for name, known in (("flats", get_args(FlatMode)), ("rings", get_args(RingMethod))):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"{name} is {getattr(self, name)!r}; one of {', '.join(known)} is needed"
                )
        if not self.zinger_threshold >= 0.0 or self.air_columns < 0:
            raise ParameterError(
                f"zinger_threshold is {self.zinger_threshold} and air_columns "
                f"{self.air_columns}; both must be at least 0"
            )
        if not self.min_transmission > 0.0:
            raise ParameterError(
                f"min_transmission is {self.min_transmission}, it must be above 0"
            )

    def for_flat_sets(self, n_sets: int) -> "Correction":
        """Return the same correction of a scan with that many sets of flats.

        With one set there is nothing to interpolate and no variation to learn: whatever was asked
        for, the beam is that before the projections, and the correction may thereby be causal.
        """
        return replace(self, flats="before") if n_sets == 1 else self

    @property
    def has_stripes(self) -> bool:
        """Whether rings are one constant a column, which can be taken off slices afterwards."""
        return self.rings in ("median", "titarenko")

    @property
    def why_not_causal(self) -> str:
        """What of it needs the whole scan; empty if each projection can be corrected at once."""
        needs = []
        if self.flats != "before":
            needs.append(f"flats after the projections are used (flats: {self.flats})")
        if self.rings != "none" and not self.has_stripes:
            needs.append(f"rings are told by statistics over all angles (rings: {self.rings})")
        return "; ".join(needs)

    @property
    def is_causal(self) -> bool:
        """Whether a projection can be corrected before those after it are known."""
        return not self.why_not_causal
