"""Which lithium hangs on which electrode."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.labels import LITHIUM, PLATING_SIDE, Label
from lithoscope_pipeline.measure.components import (
    Counts,
    Mask,
    connect_runs,
    count_label,
    cut_by_border,
    runs_of,
)
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.metric import Metric, measured

# A smaller part of an electrode's voxels in a piece of its own is not the electrode.
_MIN_ELECTRODE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """All lithium by the electrode that it is connected to.

    Parameters
    ----------
    stripping, plating
        Runs of lithium connected to each electrode, bool (n_runs,). A piece that touches both is
        shared out by class: its deposited lithium and dendrites belong to the plating side.
    disconnected
        Runs of lithium connected to neither, pieces cut by the border of the region included.
    n_disconnected, n_dead
        Voxels of these, and of those whose pieces lie wholly inside the region.
    is_bridged
        Whether one piece touches both electrodes.
    """

    stripping: Mask
    plating: Mask
    disconnected: Mask
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
        Masks of runs.
    """
    pieces = connect_runs(runs, runs_of(runs, LITHIUM))
    on_stripping = _holding(count_label(runs, pieces, Label.STRIPPING_ELECTRODE))
    on_plating = _holding(count_label(runs, pieces, Label.PLATING_ELECTRODE))
    on_none = ~on_stripping & ~on_plating
    on_none[0] = False
    on_both = on_stripping & on_plating
    is_cut = cut_by_border(runs, pieces)

    number = pieces.number
    stripping = (on_stripping & ~on_both)[number]
    plating = (on_plating & ~on_both)[number]
    if on_both.any():
        is_plating_class = runs_of(runs, (*PLATING_SIDE, Label.DENDRITE))
        stripping |= on_both[number] & ~is_plating_class
        plating |= on_both[number] & is_plating_class
    return Connectivity(
        stripping=stripping,
        plating=plating,
        disconnected=on_none[number],
        n_disconnected=int(pieces.voxels[on_none].sum()),
        n_dead=int(pieces.voxels[on_none & ~is_cut].sum()),
        is_bridged=bool(on_both.any()),
    )


def measure_dead_lithium(connectivity: Connectivity, *, voxel_um: float) -> Metric:
    """Measure the lithium that hangs on neither electrode; what the border cuts is unknown."""
    voxels = connectivity.n_dead
    flags = ("cut_by_border",) if connectivity.n_disconnected > voxels else ()
    return measured(voxels * voxel_um**3, "um3", voxels=voxels, flags=flags)


def _holding(electrode_voxels: Counts) -> Mask:
    """Tell of each piece whether it holds a part of an electrode, and not just a splinter."""
    total = electrode_voxels.sum()
    return np.asarray((electrode_voxels > 0) & (electrode_voxels >= _MIN_ELECTRODE_SHARE * total))
