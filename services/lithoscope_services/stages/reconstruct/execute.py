"""The task of a scan: its axis, its slabs in the order of anchors, its volume."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from lithoscope_messages import (
    AxisFinding,
    CoverageFinding,
    Fact,
    SlabReady,
    StageName,
    TileFinding,
    VolumeReady,
)
from lithoscope_pipeline.coverage import Coverage, worst_coverage
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Task
from lithoscope_services.stages.inputs import fact_parts
from lithoscope_services.stages.reconstruct.early import EarlyTile
from lithoscope_services.stages.reconstruct.follow import LiveScan
from lithoscope_services.stages.reconstruct.slab_order import anchors_first
from lithoscope_services.stages.reconstruct.tile_scan import TileScan
from lithoscope_services.stages.reconstruct.tile_volume import TilesAhead
from lithoscope_services.stages.reconstruct.tile_work import prepare_tile
from lithoscope_services.stages.reconstruct.tiles import plan_stitch, tile_numbers
from lithoscope_store import ExperimentPaths, Store, create_volume, finish_volume, write_slab

STAGE: Final[StageName] = "reconstruct"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What the fact says beside where the volume lies."""

    axis: AxisFinding
    coverage: Coverage
    backend: str
    batch_reason: str
    flags: tuple[str, ...] = ()
    tiles: tuple[TileFinding, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Volume:
    """The volume of a scan while it is written; its slabs are announced one by one."""

    task: Task
    paths: ExperimentPaths
    algorithm_version: int
    shape: tuple[int, int, int]
    _digests: dict[int, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.paths.reconstruction(self.task.scan, self.task.key)

    def write(self, slab_of: Callable[[slice], FloatVolume]) -> Iterator[SlabReady]:
        """Write all slabs, those first that tell most."""
        slab_rows = self.task.parameters["slab_rows"]
        create_volume(
            self.path,
            shape=self.shape,
            voxel_um=self.task.parameters["voxel_um"],
            dtype="float32",
            name=f"scan {self.task.scan}",
            slab_slices=slab_rows,
            # The sample is wider than the view: what lies outside adds an unknown constant.
            offset_unknown=True,
            provenance={"work_key": self.task.key},
        )
        for rows in anchors_first(self.shape[0], slab_rows):
            self._digests[rows.start] = write_slab(self.path, rows.start, slab_of(rows))
            yield SlabReady(
                **fact_parts(self.task, STAGE, f"{self.task.key}:{rows.start}"),
                algorithm_version=self.algorithm_version,
                stage=STAGE,
                path=self.paths.relative(self.path),
                z0=rows.start,
                z1=rows.stop,
                sha256=self._digests[rows.start],
            )
        finish_volume(self.path)

    def ready(self, finding: _Finding) -> VolumeReady:
        """Announce the whole."""
        rising = "".join(self._digests[z0] for z0 in sorted(self._digests))
        return VolumeReady(
            **fact_parts(self.task, STAGE, self.task.key),
            algorithm_version=self.algorithm_version,
            stage=STAGE,
            path=self.paths.relative(self.path),
            shape=self.shape,
            voxel_um=self.task.parameters["voxel_um"],
            sha256=hashlib.sha256(rising.encode()).hexdigest(),
            backend=finding.backend,
            axis=finding.axis,
            batch_reason=finding.batch_reason[:300],
            tiles=finding.tiles,
            coverage=_coverage_finding(finding.coverage),
            flags=finding.flags,
        )


def reconstruct_scan(
    task: Task, store_root: str, live: LiveScan, ahead: TilesAhead, algorithm_version: int
) -> Iterator[Fact]:
    """Reconstruct a scan; each slab is announced when it is on disk.

    Parameters
    ----------
    task
        From the plan.
    store_root
        Folder of the store.
    live, ahead
        What was begun while the scan ran, of one tile or of several. It changes how long this
        takes and nothing else.
    algorithm_version
        For the facts.
    """
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    numbers = tile_numbers(task.arguments["sets"])
    for number in numbers:
        _check_account(task, number)
    if len(numbers) > 1:
        yield from _reconstruct_tiles(task, paths, ahead, algorithm_version, numbers)
        return

    def claim(tile: TileScan) -> tuple[EarlyTile | None, str]:
        early, reason = live.claim(paths.name, task.scan, task.parameters, tile)
        return early, task.arguments["batch_reason"] or reason

    work = prepare_tile(task, paths, numbers[0], claim)
    n_rows, n_columns = work.tile.shape
    volume = _Volume(
        task=task,
        paths=paths,
        algorithm_version=algorithm_version,
        shape=(n_rows, n_columns, n_columns),
    )
    yield from volume.write(work.slab)
    yield volume.ready(
        _Finding(
            axis=work.axis,
            coverage=work.coverage,
            backend=work.backend.name,
            batch_reason=work.batch_reason,
            flags=(*_unsure([work.axis]), *work.coverage.flags),
        )
    )


def _reconstruct_tiles(
    task: Task,
    paths: ExperimentPaths,
    ahead: TilesAhead,
    algorithm_version: int,
    numbers: Sequence[int],
) -> Iterator[Fact]:
    """Reconstruct the tiles that were not yet, then lay all together."""
    found = [ahead.is_begun(task, paths, number) for number in numbers]
    made = []
    for number in numbers:
        *_, tile = ahead.making(task, paths, number)
        if tile is None:
            raise ServiceError(f"tile {number} of scan {task.scan} came to no volume; try again")
        made.append(tile)
    stitch = plan_stitch(
        [tile.volume for tile in made], overlap_rows=task.parameters["tile_overlap_rows"]
    )
    volume = _Volume(
        task=task, paths=paths, algorithm_version=algorithm_version, shape=stitch.shape
    )
    yield from volume.write(lambda rows: stitch.slab(rows.start, rows.stop))
    coverage = worst_coverage([tile.coverage for tile in made])
    yield volume.ready(
        _Finding(
            axis=made[0].volume.axis,
            coverage=coverage,
            backend=made[0].backend,
            batch_reason=_tiles_reason(found),
            flags=(
                *_unsure([tile.volume.axis for tile in made]),
                *coverage.flags,
                *stitch.flags,
            ),
            tiles=stitch.findings,
        )
    )
    stitch.remove_tiles()


def _tiles_reason(was_begun: Sequence[bool]) -> str:
    """Say how many tiles had to wait; the last one is complete only when the scan is."""
    n_late = was_begun[:-1].count(False)
    if n_late == 0:
        return ""
    return f"{n_late} of {len(was_begun)} tiles were not begun while the next one was taken"


def _check_account(task: Task, tile: int) -> None:
    of_tile: list[dict[str, Any]] = [s for s in task.arguments["sets"] if s["tile"] == tile]
    for kind in ("flat", "dark", "projection"):
        if not any(each["stored"] for each in of_tile if each["kind"] == kind):
            where = f"tile {tile} of " if tile else ""
            raise ServiceError(
                f"{where}scan {task.scan} has no {kind}s, so its transmission is unknown; "
                f"take {kind}s and scan again"
            )


def _unsure(axes: Sequence[AxisFinding]) -> tuple[str, ...]:
    flags = (f"axis_{a.verdict}" for a in axes if a.verdict not in ("resolved", "given"))
    return tuple(dict.fromkeys(flags))


def _coverage_finding(coverage: Coverage) -> CoverageFinding:
    return CoverageFinding(
        n_expected=coverage.n_expected,
        n_stored=coverage.n_stored,
        n_low=coverage.n_low,
        completeness=coverage.completeness,
        largest_gap_deg=float(np.rad2deg(coverage.largest_gap_rad)),
        edge_on_coverage=coverage.edge_on_coverage,
        edge_on_gap_deg=float(np.rad2deg(coverage.edge_on_gap_rad)),
        reasons=coverage.reasons,
    )
