"""What the errors of a metric go with: its size, and what its scan shows of itself."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

#: Volumes of a scan that say what kind of cell it is; each counts per area, in micrometres.
VOLUMES: Final = (
    "dendrite_volume_um3",
    "deposited_volume_um3",
    "redeposited_volume_um3",
    "pit_volume_um3",
    "void_volume_um3",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenScans:
    """One metric of many scans, and what else is known of them.

    Parameters
    ----------
    size
        Its values, shape (n,), finite.
    cnr, blur_px
        Contrast-to-noise of each scan, and blur of its outer faces, shape (n,).
    grain
        Of its noise, shape (n,); NaN where it is not known.
    volumes_um
        Of `VOLUMES`, divided by the area of the region, shape (n, 5); NaN where not measured.
    """

    size: Vector
    cnr: Vector
    blur_px: Vector
    grain: Vector
    volumes_um: Matrix

    def __post_init__(self) -> None:
        lengths = {
            len(each) for each in (self.size, self.cnr, self.blur_px, self.grain, self.volumes_um)
        }
        if len(lengths) != 1:
            raise ShapeError(
                f"what is seen of scans has lengths {sorted(lengths)}; one value a scan is needed"
            )

    def where(self, chosen: NDArray[np.bool_]) -> "SeenScans":
        """Keep some scans."""
        return SeenScans(
            size=self.size[chosen],
            cnr=self.cnr[chosen],
            blur_px=self.blur_px[chosen],
            grain=self.grain[chosen],
            volumes_um=self.volumes_um[chosen],
        )


def bias_features(seen: SeenScans) -> Matrix:
    """Give what the bias of labels goes with, shape (n, 11): size, noise, blur, volumes."""
    noise, blur = seen.cnr**-2.0, seen.blur_px**2
    own = [seen.size, noise, blur, seen.size * noise, seen.size * blur, noise**2]
    return np.column_stack([*own, seen.volumes_um])


def scale_features(seen: SeenScans) -> Matrix:
    """Give what errors grow with, shape (n, 6): size, noise, blur, and both with size."""
    size, blur = np.abs(seen.size), seen.blur_px**2
    # Below a contrast-to-noise of 3 the errors of labels rise as steeply, measured.
    noise = seen.cnr**-4.0
    return np.column_stack([np.ones_like(size), size, noise, size * noise, blur, size * blur])
