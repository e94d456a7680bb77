"""The task of a scan: its axis, its slabs in the order of anchors, its volume."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import Fact
from lithoscope_pipeline.coverage import worst_coverage
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Task
from lithoscope_services.stages.reconstruct.early import EarlyTile
from lithoscope_services.stages.reconstruct.follow import LiveScan
from lithoscope_services.stages.reconstruct.tile_scan import TileScan
from lithoscope_services.stages.reconstruct.tile_volume import TilesAhead
from lithoscope_services.stages.reconstruct.tile_work import prepare_tile
from lithoscope_services.stages.reconstruct.tiles import plan_stitch, tile_numbers
from lithoscope_services.stages.reconstruct.written_volume import (
    Finding,
    WrittenVolume,
    coverage_finding,
    unsure,
)
from lithoscope_store import ExperimentPaths, Store


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
        check_account(task, number)
    if len(numbers) > 1:
        yield from _reconstruct_tiles(task, paths, ahead, algorithm_version, numbers)
        return

    def claim(tile: TileScan) -> tuple[EarlyTile | None, str]:
        early, reason = live.claim(paths.name, task.scan, task.parameters, tile)
        return early, task.arguments["batch_reason"] or reason

    work = prepare_tile(task, paths, numbers[0], claim)
    n_rows, n_columns = work.tile.shape
    volume = WrittenVolume(
        task=task,
        paths=paths,
        algorithm_version=algorithm_version,
        shape=(n_rows, n_columns, n_columns),
    )
    volume.create()
    yield from volume.write(work.slab, volume.slabs)
    yield volume.finish(
        Finding(
            axis=work.axis,
            coverage=coverage_finding(work.coverage),
            backend=work.backend.name,
            batch_reason=work.batch_reason,
            flags=(*unsure([work.axis]), *work.coverage.flags, *work.backend.flags),
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
    volume = WrittenVolume(
        task=task, paths=paths, algorithm_version=algorithm_version, shape=stitch.shape
    )
    volume.create()
    yield from volume.write(lambda rows: stitch.slab(rows.start, rows.stop), volume.slabs)
    coverage = worst_coverage([tile.coverage for tile in made])
    yield volume.finish(
        Finding(
            axis=made[0].volume.axis,
            coverage=coverage_finding(coverage),
            backend=made[0].backend,
            batch_reason=_tiles_reason(found),
            flags=(
                *unsure([tile.volume.axis for tile in made]),
                *coverage.flags,
                *dict.fromkeys(flag for tile in made for flag in tile.backend_flags),
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


def check_account(task: Task, tile: int) -> None:
    """Refuse a tile that lacks a kind of frames.

    Raises
    ------
    ServiceError
        If it does; the text names the kind.
    """
    of_tile: list[dict[str, Any]] = [s for s in task.arguments["sets"] if s["tile"] == tile]
    for kind in ("flat", "dark", "projection"):
        if not any(each["stored"] for each in of_tile if each["kind"] == kind):
            where = f"tile {tile} of " if tile else ""
            raise ServiceError(
                f"{where}scan {task.scan} has no {kind}s, so its transmission is unknown; "
                f"take {kind}s and scan again"
            )
