"""The volume of one tile on disk: made slab by slab, begun while the next tiles are taken."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lithoscope_messages import AxisFinding
from lithoscope_pipeline.coverage import Coverage
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Json, Task, json_sha256
from lithoscope_services.stages.reconstruct.slab_order import anchors_first
from lithoscope_services.stages.reconstruct.tile_work import prepare_tile
from lithoscope_services.stages.reconstruct.tiles import TileVolume
from lithoscope_store import (
    ExperimentPaths,
    FrameReader,
    NotStoredError,
    Store,
    StoreError,
    create_volume,
    write_slab,
)
from lithoscope_store.durable import write_atomic

#: Written into the folder of the volume when its last slab is there.
_RECORD: Final = "tile.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTile:
    """A tile whose volume is complete.

    Parameters
    ----------
    volume
        Where it lies.
    coverage
        What its projections cover.
    backend
        What it was reconstructed with.
    backend_flags
        What of that went otherwise than planned.
    """

    volume: TileVolume
    coverage: Coverage
    backend: str
    backend_flags: tuple[str, ...]


def make_tile(task: Task, paths: ExperimentPaths, number: int) -> Iterator[MadeTile | None]:
    """Reconstruct a tile of a scan, unless that was done before.

    Parameters
    ----------
    task
        Of the scan; of its key and inputs nothing depends on the tile.
    paths
        Of the experiment.
    number
        Which tile; its frames are all there that will come.

    Yields
    ------
    MadeTile or None
        None after each slab, and at the end what was made.

    Raises
    ------
    ServiceError
        If its projections are too few for anything that may be believed.
    """
    frames = FrameReader(paths, task.scan, number)
    path = tile_path(task, frames, paths)
    if (path / _RECORD).is_file():
        yield _read_record(path, number)
        return
    work = prepare_tile(task, paths, number)
    yield None
    n_rows, n_columns = work.tile.shape
    create_volume(
        path,
        shape=(n_rows, n_columns, n_columns),
        voxel_um=task.parameters["voxel_um"],
        name=f"scan {task.scan}, tile {number}",
        slab_slices=task.parameters["slab_rows"],
        levels=1,
        offset_unknown=True,
    )
    for rows in anchors_first(n_rows, task.parameters["slab_rows"]):
        write_slab(path, rows.start, work.slab(rows))
        yield None
    record = {
        "axis": work.axis.model_dump(mode="json"),
        "coverage": asdict(work.coverage),
        "backend": work.backend.name,
        "backend_flags": work.backend.flags,
    }
    write_atomic(path / _RECORD, json.dumps(record).encode())
    yield _read_record(path, number)


def tile_path(task: Task, frames: FrameReader, paths: ExperimentPaths) -> Path:
    """Give the folder of a tile's volume, named by all that it is made of."""
    key = json_sha256([frames.frames_sha256(), task.parameters, frames.tile])
    return paths.reconstruction(task.scan, key)


class TilesAhead:
    """Tiles of the running scan whose frames are all there, made while the others are taken.

    What is made lies on the disk under a key of the frames and the parameters: the task of the
    scan finds it there. What is half made it goes on with.
    """

    def __init__(self) -> None:
        self._task: Task | None = None
        self._paths = Store(Path()).experiment("none")
        self._expected: tuple[Mapping[str, Any], ...] = ()  # JSON
        self._settled: set[int] = set()
        self._number = -1
        self._making: Iterator[MadeTile | None] | None = None

    def follow(self, said: Json | None, store_root: str) -> None:
        """Follow another scan, or know more of the same one, or none.

        Parameters
        ----------
        said
            From :func:`~.plan.watched_scan`.
        store_root
            Folder of the store.
        """
        if said is None:
            self._expected = ()
            return
        task = _task_of(said)
        if self._task is None or not _are_one(self._task, task):
            self._making, self._number, self._settled = None, -1, set()
        self._task = task
        self._paths = Store(Path(store_root)).experiment(said["experiment"])
        tiles = {each["tile"] for each in said["expected"]}
        self._expected = tuple(said["expected"]) if len(tiles) > 1 else ()

    def step(self) -> bool:
        """Make one slab of a tile that is there; False if there is nothing to make."""
        if self._task is None or not self._expected:
            return False
        if self._making is None:
            complete = self._complete_tile(self._task.scan)
            if complete is None:
                return False
            self._number = complete
            self._making = make_tile(self._task, self._paths, complete)
        try:
            is_made = next(self._making, None) is not None
        except (ServiceError, StoreError, ValueError):
            is_made = True  # what is wrong with it the task of the scan will say
        if is_made:
            self._settled.add(self._number)
            self._making = None
        return True

    def making(self, task: Task, paths: ExperimentPaths, number: int) -> Iterator[MadeTile | None]:
        """Give what makes a tile: the same as :func:`make_tile`, perhaps half way through."""
        if self._is_making(task, paths, number) and self._making is not None:
            making, self._making = self._making, None
            return making
        return make_tile(task, paths, number)

    def is_begun(self, task: Task, paths: ExperimentPaths, number: int) -> bool:
        """Tell whether a tile was made or begun before it was asked for."""
        path = tile_path(task, FrameReader(paths, task.scan, number), paths)
        return (path / _RECORD).is_file() or self._is_making(task, paths, number)

    def _is_making(self, task: Task, paths: ExperimentPaths, number: int) -> bool:
        return (
            self._making is not None
            and self._task is not None
            and self._number == number
            and self._paths == paths
            and _are_one(self._task, task)
        )

    def _complete_tile(self, scan: int) -> int | None:
        """Find a tile whose frames are all there and which nobody has looked at."""
        for number in sorted({each["tile"] for each in self._expected} - self._settled):
            try:
                frames = FrameReader(self._paths, scan, number)
            except NotStoredError:
                continue
            sets = [each for each in self._expected if each["tile"] == number]
            if all(frames.indices(s["kind"], s["set"]).size >= s["count"] for s in sets):
                return number
        return None


def _task_of(said: Json) -> Task:
    sets = [
        {**each, "expected": each["count"], "stored": each["count"]} for each in said["expected"]
    ]
    return Task(
        key="",
        scan=said["scan"],
        inputs=(),
        parameters=said["parameters"],
        arguments={
            "experiment": said["experiment"],
            "sets": sets,
            "memory_share": said["memory_share"],
            "batch_reason": said["batch_reason"],
        },
    )


def _are_one(one: Task, other: Task) -> bool:
    """Whether the tiles of two tasks have the same bytes."""
    return (one.scan, one.parameters, one.arguments["experiment"]) == (
        other.scan,
        other.parameters,
        other.arguments["experiment"],
    )


def _read_record(path: Path, number: int) -> MadeTile:
    found = json.loads((path / _RECORD).read_bytes())
    said = found["coverage"]
    coverage = Coverage(
        **{**said, "flags": tuple(said["flags"]), "reasons": tuple(said["reasons"])}
    )
    axis = AxisFinding.model_validate(found["axis"], strict=False)
    return MadeTile(
        volume=TileVolume(tile=number, path=path, axis=axis),
        coverage=coverage,
        backend=found["backend"],
        backend_flags=tuple(found["backend_flags"]),
    )
