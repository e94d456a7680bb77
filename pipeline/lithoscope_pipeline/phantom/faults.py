"""Which projections of a simulated scan are hit by a fault, and in which order they arrive."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.fault_parameters import FaultParameters
from lithoscope_pipeline.phantom.texture import seeded

Hits = tuple[int, ...]

EDGE_ON_DEG: Final = 90.0  # the beam runs along the electrode planes
_FAULT_STREAM: Final = 61
_LOST, _REPEATED, _LATE, _SHUTTER, _BEAM = range(5)
_MIDDLE: Final = (0.2, 0.8)  # where in a scan the shutter closes or the beam fails


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """The truth about a scan: numbers of the projections that were hit, in rising order.

    Parameters
    ----------
    lost
        Never arrive.
    repeated
        Arrive twice.
    late
        Are overtaken by others.
    shutter_closed
        Were taken with the shutter closed.
    beam_down
        Were taken with a weak beam.
    """

    lost: Hits = ()
    repeated: Hits = ()
    late: Hits = ()
    shutter_closed: Hits = ()
    beam_down: Hits = ()

    @property
    def by_name(self) -> dict[str, list[int]]:
        """The faults that there were, ready for JSON."""
        return {name: list(hits) for name, hits in asdict(self).items() if hits}


def draw_faults(
    parameters: FaultParameters,
    thetas_deg: NDArray[np.floating],
    *,
    seed: int,
    scan: int,
    tile: int,
) -> FaultRecord:
    """Draw what is hit in a scan; one fault's size does not change what another hits.

    Parameters
    ----------
    parameters
        Sizes and seed.
    thetas_deg
        Angle of each projection in the order of acquisition, shape (n_angles,).
    seed
        Of the cell.
    scan, tile
        Which scan it is.

    Returns
    -------
    FaultRecord
        Numbers of projections; a share above 0 hits at least one.
    """
    if parameters.scans and scan not in parameters.scans:
        return FaultRecord()
    n_angles = len(thetas_deg)
    words = seed, parameters.seed, _FAULT_STREAM, scan, tile

    def some(fault: int, share: float, among: Sequence[int]) -> Hits:
        rng = seeded(*words, fault)
        order = rng.permutation(len(among))[: _count(share, len(among))]
        return tuple(sorted(among[place] for place in order))

    def block(fault: int, share: float) -> Hits:
        length = _count(share, n_angles)
        first, last = round(_MIDDLE[0] * n_angles), round(_MIDDLE[1] * n_angles) - length
        start = int(seeded(*words, fault).integers(first, max(first, last) + 1))
        return tuple(range(start, min(start + length, n_angles)))

    from_edge_on = np.abs(np.mod(np.asarray(thetas_deg) - EDGE_ON_DEG + 90.0, 180.0) - 90.0)
    near_edge_on = np.flatnonzero(from_edge_on < parameters.lost_edge_on_deg / 2.0)
    lost = set(near_edge_on.tolist()) | set(some(_LOST, parameters.lost_share, range(n_angles)))
    arriving = [number for number in range(n_angles) if number not in lost]
    return FaultRecord(
        lost=tuple(sorted(lost)),
        repeated=some(_REPEATED, parameters.repeated_share, arriving),
        late=some(_LATE, parameters.late_share, arriving),
        shutter_closed=block(_SHUTTER, parameters.shutter_closed_share),
        beam_down=block(_BEAM, parameters.beam_down_share),
    )


def arrivals(record: FaultRecord, n_angles: int, *, late_by_frames: int) -> list[int]:
    """Return the numbers of the projections in the order in which they arrive.

    Parameters
    ----------
    record
        What was hit.
    n_angles
        Projections that were to be taken.
    late_by_frames
        Places that a late one falls back.

    Returns
    -------
    list of int
        Without the lost ones, repeated ones twice; a repeated one that is late is so both times.
    """
    lost, repeated, late = set(record.lost), set(record.repeated), set(record.late)
    sent = [
        (number + (late_by_frames + 0.5) * (number in late), number)
        for number in range(n_angles)
        if number not in lost
        for _ in range(2 if number in repeated else 1)
    ]
    return [number for _, number in sorted(sent)]


def _count(share: float, total: int) -> int:
    return 0 if share <= 0 or total == 0 else max(1, round(share * total))
