"""Which lithium hangs on which electrode."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.labels import LITHIUM, PLATING_SIDE, Label
from lithoscope_pipeline.measure.components import (
    Mask,
    Pieces,
    connect_runs,
    count_label,
    cut_by_border,
    runs_of,
)
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.metric import Metric, measured

STRIPPING: Final = 1
PLATING: Final = 2
NONE: Final = 3

# A smaller part of an electrode's voxels in a piece of its own is not the electrode.
_MIN_ELECTRODE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """All lithium by the electrode that it is connected to.

    Parameters
    ----------
    side
        What each run hangs on: 0 for what is no lithium, `STRIPPING`, `PLATING`, or `NONE` for
        lithium connected to neither electrode, pieces cut by the border of the region included;
        shape (n_runs,). A piece that touches both electrodes is shared out by class: its
        deposited lithium and dendrites belong to the plating side.
    n_disconnected, n_dead
        Voxels of what is connected to neither, and of its pieces wholly inside the region.
    is_bridged
        Whether one piece touches both electrodes.
    """

    side: NDArray[np.uint8]
    n_disconnected: int
    n_dead: int
    is_bridged: bool


def connect_lithium(runs: LabelRuns) -> Connectivity:
    """Sort all lithium by the electrode to which it is 26-connected.

    Parameters
    ----------
    runs
        Final labels.

    Returns
    -------
    Connectivity
        The side of each run.
    """
    pieces = connect_runs(runs, runs_of(runs, LITHIUM))
    on_stripping = holds_electrode(runs, pieces, Label.STRIPPING_ELECTRODE)
    on_plating = holds_electrode(runs, pieces, Label.PLATING_ELECTRODE)
    on_none = ~on_stripping & ~on_plating
    on_none[0] = False
    on_both = on_stripping & on_plating
    is_cut = cut_by_border(runs, pieces)

    of_piece = np.where(on_stripping, STRIPPING, np.where(on_plating, PLATING, NONE))
    side = np.zeros(len(runs.rows), np.uint8)
    side[pieces.run] = of_piece.astype(np.uint8)[pieces.number]
    if on_both.any():
        is_plating_class = runs_of(runs, (*PLATING_SIDE, Label.DENDRITE))
        side[pieces.mark(on_both, len(side)) & is_plating_class] = PLATING
    return Connectivity(
        side=side,
        n_disconnected=int(pieces.voxels[on_none].sum()),
        n_dead=int(pieces.voxels[on_none & ~is_cut].sum()),
        is_bridged=bool(on_both.any()),
    )


def measure_dead_lithium(connectivity: Connectivity, *, voxel_um: float) -> Metric:
    """Measure the lithium that hangs on neither electrode; what the border cuts is unknown."""
    voxels = connectivity.n_dead
    flags = ("cut_by_border",) if connectivity.n_disconnected > voxels else ()
    return measured(voxels * voxel_um**3, "um3", voxels=voxels, flags=flags)


def holds_electrode(runs: LabelRuns, pieces: Pieces, electrode: int) -> Mask:
    """Tell of each piece whether it holds a part of an electrode, and not just a splinter."""
    electrode_voxels = count_label(runs, pieces, electrode)
    total = electrode_voxels.sum()
    return np.asarray((electrode_voxels > 0) & (electrode_voxels >= _MIN_ELECTRODE_SHARE * total))
