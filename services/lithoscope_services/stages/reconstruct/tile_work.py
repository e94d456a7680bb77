"""What is settled about a tile before its first slab is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lithoscope_messages import AxisFinding
from lithoscope_pipeline.correct import EigenBeam
from lithoscope_pipeline.coverage import Coverage
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_services.guarded_backend import GuardedBackend
from lithoscope_services.stage import Task
from lithoscope_services.stages.reconstruct.axis import (
    AxisBefore,
    SettledAxis,
    given_finding,
    settle_axis,
)
from lithoscope_services.stages.reconstruct.backend import choice_of, guarded
from lithoscope_services.stages.reconstruct.early import EarlyTile
from lithoscope_services.stages.reconstruct.judge import judge_views, level_rows, levels_of
from lithoscope_services.stages.reconstruct.tile_scan import (
    TileScan,
    UprightAxis,
    correction_of,
)
from lithoscope_store import ExperimentPaths, FrameReader

#: Gives what was begun of a tile, or why there is nothing to be used.
Claim = Callable[[TileScan], tuple[EarlyTile | None, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileWork:
    """How a tile is reconstructed.

    Parameters
    ----------
    tile
        The projections that count.
    coverage
        What they cover.
    axis
        About which it is reconstructed.
    upright
        The same, as rows are turned about it.
    beam
        Of each projection, where it is fitted.
    backend
        With which.
    voxel_um
        Edge of a voxel.
    early
        Slabs that were begun while the scan ran, if they are used.
    batch_reason
        Why not, if not.
    """

    tile: TileScan
    coverage: Coverage
    axis: AxisFinding
    upright: UprightAxis
    beam: EigenBeam | None
    backend: GuardedBackend
    voxel_um: float
    early: EarlyTile | None
    batch_reason: str

    def slab(self, rows: slice) -> FloatVolume:
        """Give the slices of some rows, shape (n_rows, n_columns, n_columns), 1/cm."""
        begun = None if self.early is None else self.early.finish(rows.start)
        if begun is not None:
            return begun
        corrected = self.tile.corrected(rows, axis=self.upright, beam=self.beam)
        return corrected.slices(self.backend, voxel_um=self.voxel_um)


def nothing_begun(_tile: TileScan) -> tuple[EarlyTile | None, str]:
    """Say that there is nothing to take over."""
    return None, ""


def prepare_tile(
    task: Task, paths: ExperimentPaths, number: int, claim: Claim = nothing_begun
) -> TileWork:
    """Judge the projections of a tile, find its axis, and see what of it was begun.

    Parameters
    ----------
    task
        Of the scan; of its key and inputs nothing depends on the tile.
    paths
        Of the experiment.
    number
        Which tile.
    claim
        Gives what was begun of it, or why there is nothing to be used.

    Raises
    ------
    ServiceError
        If the projections are too few for anything that may be believed.
    """
    parameters = task.parameters
    n_expected = sum(
        each["expected"] or each["stored"]
        for each in task.arguments["sets"]
        if each["kind"] == "projection" and each["tile"] == number
    )
    tile = TileScan.of(
        FrameReader(paths, task.scan, number),
        correction_of(parameters["correction"]),
        edge_on_deg=parameters["edge_on_deg"],
        n_expected=n_expected,
    )
    early, reason = claim(tile)
    if early is None:
        counts = tile.frames.read("projection", rows=level_rows(tile.shape[0]))
        levels = levels_of(tile, counts)
    else:
        levels = early.levels()
    is_low, coverage = judge_views(tile, levels, scan=task.scan, n_expected=n_expected)
    if is_low.any():
        early, reason = None, f"{is_low.sum()} of its projections have too little light"
        tile = tile.without(is_low)
    beam = tile.fitted_beam()
    settled = _settle_axis(tile, parameters, early, beam)
    if settled.moved_px and not reason:
        early = None
        reason = f"the rotation axis moved by {settled.moved_px:.2f} px since the scan before"
    elif early is not None and early.n_begun < early.n_slabs:
        reason = f"memory let {early.n_begun} of {early.n_slabs} slabs be begun early"
    return TileWork(
        tile=tile,
        coverage=coverage,
        axis=settled.finding,
        upright=settled.upright(tile),
        beam=beam,
        backend=guarded(
            choice_of(parameters),
            tile,
            slab_rows=parameters["slab_rows"],
            memory_share=task.arguments["memory_share"],
        ),
        voxel_um=parameters["voxel_um"],
        early=early,
        batch_reason=reason,
    )


def _settle_axis(
    tile: TileScan,
    parameters: Any,  # JSON
    early: EarlyTile | None,
    beam: EigenBeam | None,
) -> SettledAxis:
    given_px = parameters["rotation_axis_px"]
    if given_px is not None:
        return SettledAxis(finding=given_finding(given_px))
    attenuation = None if early is None else early.middle_attenuation()
    if attenuation is None:
        attenuation = tile.corrected(tile.middle, beam=beam).attenuation()
    before = AxisBefore.of(parameters["axes_before"].get(str(tile.frames.tile)))
    return settle_axis(tile, attenuation, before)
