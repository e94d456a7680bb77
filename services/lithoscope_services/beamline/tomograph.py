"""The devices that take a scan together, as plans use them."""

from dataclasses import dataclass
from typing import Any

from ophyd_async.core import StandardDetector, StandardReadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Tomograph:
    """The devices of a tomograph.

    Any device of ophyd-async with the same faces will do. The values that shutter and sample are
    set to are whatever theirs need: ``Any`` by Bluesky, which sets anything.

    Parameters
    ----------
    detector
        With one external data key for images and one for angles that ends in ``theta_deg``.
    stage
        Flown with a :class:`~lithoscope_services.beamline.requests.Flight`.
    shutter, sample
        Movable: the one lets the beam in, the other takes the sample out of it.
    open, closed, sample_in, sample_out
        What they are set to.
    height, tile_heights
        Movable: takes the sample up and down for scans of several tiles; and what it is set to
        for each, the lowest rows first. Without it scans have one tile.
    exposure_timeout_s
        Longest silence of the detector.
    """

    detector: StandardDetector
    stage: StandardReadable
    shutter: StandardReadable
    sample: StandardReadable
    open: Any = "Open"
    closed: Any = "Closed"
    sample_in: Any = "In"
    sample_out: Any = "Out"
    height: StandardReadable | None = None
    tile_heights: tuple[Any, ...] = ()
    exposure_timeout_s: float = 600.0
