"""A scan of one tile in parts: runs of whole slabs that several processes reconstruct."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from lithoscope_messages import AxisFinding, CoverageFinding, Fact, SlabReady
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Json, Task
from lithoscope_services.stages.reconstruct.axis import upright_axis
from lithoscope_services.stages.reconstruct.backend import choice_of, guarded
from lithoscope_services.stages.reconstruct.execute import check_account
from lithoscope_services.stages.reconstruct.tile_scan import TileScan, correction_of
from lithoscope_services.stages.reconstruct.tile_work import prepare_tile
from lithoscope_services.stages.reconstruct.tiles import tile_numbers
from lithoscope_services.stages.reconstruct.written_volume import (
    Finding,
    WrittenVolume,
    coverage_finding,
    unsure,
)
from lithoscope_store import ExperimentPaths, FrameReader, Store

#: Each part reads all flats and darks, at full size as many bytes as two slabs: fewer slabs a part
#: would read more than they work.
LEAST_SLABS: Final = 4
MOST_PARTS: Final = 16
_AXIS: Final = TypeAdapter(AxisFinding)
_COVERAGE: Final = TypeAdapter(CoverageFinding)


def begin_parts(task: Task, store_root: str, algorithm_version: int) -> Json:
    """Judge the projections, find the axis, make the empty volume.

    Returns
    -------
    Json
        ``parts`` is empty for several tiles and for few slabs, and nothing was done then.
    """
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    numbers = tile_numbers(task.arguments["sets"])
    for number in numbers:
        check_account(task, number)
    if len(numbers) > 1:
        return {"parts": []}
    layout = FrameReader(paths, task.scan, numbers[0]).layout("projection")
    volume = WrittenVolume(
        task=task,
        paths=paths,
        algorithm_version=algorithm_version,
        shape=(layout.rows, layout.columns, layout.columns),
    )
    starts = sorted(rows.start for rows in volume.slabs)
    n_parts = min(MOST_PARTS, len(starts) // LEAST_SLABS)
    if n_parts < 2:
        return {"parts": []}
    work = prepare_tile(
        task, paths, numbers[0], lambda _tile: (None, task.arguments["batch_reason"])
    )
    volume.create()
    bounds = [len(starts) * part // n_parts for part in range(n_parts + 1)]
    return {
        "parts": [starts[a:b] for a, b in pairwise(bounds)],
        "shape": volume.shape,
        "indices": work.tile.indices.tolist(),
        "upright": [work.upright.position_px, work.upright.tilt_deg],
        "axis": work.axis.model_dump(mode="json"),
        "coverage": coverage_finding(work.coverage).model_dump(mode="json"),
        "backend": work.backend.name,
        "batch_reason": work.batch_reason,
        "flags": [*unsure([work.axis]), *work.coverage.flags],
    }


def write_part(
    task: Task, store_root: str, algorithm_version: int, begun: Json, starts: Sequence[int]
) -> Iterator[Fact]:
    """Reconstruct the slabs that begin at these rows."""
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    parameters = task.parameters
    tile = _tile(task, paths, begun)
    upright = upright_axis(tile, *begun["upright"])
    beam = tile.fitted_beam()
    backend = guarded(
        choice_of(parameters),
        tile,
        slab_rows=parameters["slab_rows"],
        memory_share=task.arguments["memory_share"],
    )
    volume = _volume(task, paths, algorithm_version, begun)
    yield from volume.write(
        lambda rows: tile.corrected(rows, axis=upright, beam=beam).slices(
            backend, voxel_um=parameters["voxel_um"]
        ),
        [rows for rows in volume.slabs if rows.start in starts],
    )


def finish_parts(
    task: Task, store_root: str, algorithm_version: int, begun: Json, facts: Sequence[Fact]
) -> Iterator[Fact]:
    """Announce the volume whose slabs are all written.

    Raises
    ------
    ServiceError
        If a slab is missing.
    """
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    volume = _volume(task, paths, algorithm_version, begun)
    volume.digests.update({f.z0: f.sha256 for f in facts if isinstance(f, SlabReady)})
    missing = {rows.start for rows in volume.slabs} - volume.digests.keys()
    if missing:
        raise ServiceError(f"slabs {sorted(missing)} of scan {task.scan} are missing; try again")
    yield volume.finish(
        Finding(
            axis=_AXIS.validate_python(begun["axis"]),
            coverage=_COVERAGE.validate_python(begun["coverage"]),
            backend=begun["backend"],
            batch_reason=begun["batch_reason"],
            flags=tuple(begun["flags"]),
        )
    )


def _volume(
    task: Task, paths: ExperimentPaths, algorithm_version: int, begun: Json
) -> WrittenVolume:
    shape: Any = begun["shape"]  # three lengths
    return WrittenVolume(
        task=task, paths=paths, algorithm_version=algorithm_version, shape=tuple(shape)
    )


def _tile(task: Task, paths: ExperimentPaths, begun: Json) -> TileScan:
    """Take the projections that were found to have enough light."""
    number = tile_numbers(task.arguments["sets"])[0]
    n_expected = sum(
        each["expected"] or each["stored"]
        for each in task.arguments["sets"]
        if each["kind"] == "projection" and each["tile"] == number
    )
    tile = TileScan.of(
        FrameReader(paths, task.scan, number),
        correction_of(task.parameters["correction"]),
        edge_on_deg=task.parameters["edge_on_deg"],
        n_expected=n_expected,
    )
    used = set(begun["indices"])
    is_left_out = [index not in used for index in tile.indices.tolist()]
    return tile.without(np.array(is_left_out)) if any(is_left_out) else tile
