"""A scan by a network in parts: runs of slabs that several processes label, in both passes."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from lithoscope_models.earlier_scans import EarlierScan
from lithoscope_models.network_pass import (
    LoadedNetwork,
    NetworkPass,
    SlicesPass,
    join_slices,
    run_slices,
)
from lithoscope_models.settled import find_moves
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.chain.scratch import read_arrays, scratch_folder, write_arrays
from lithoscope_services.stage import Json, Task
from lithoscope_services.stages.segment.earlier import Greys
from lithoscope_services.stages.segment.network import earlier_of, network_of, write_passes
from lithoscope_services.stages.segment.region import region_of, resampled
from lithoscope_services.stages.segment.written import WrittenRegion
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, Store

#: Of one pass; a machine of Dask that is given more has nothing to do with them for long.
MOST_PARTS: Final = 16
#: With the earlier scans beside it, and without them.
_BESIDE, _ALONE = "beside", "alone"
_REFERENCES: Final = TypeAdapter(GreyReferences)
_ARRAYS: Final = ("segments", "lithium_share", "soft_px", "confidence_sum", "n_low")


def begin_parts(task: Task, store_root: str) -> Json:
    """Lay a scan into the reference frame, and list the runs of slabs of each pass.

    Returns
    -------
    Json
        ``parts`` is empty for labels by the order of layers, and nothing was done then.
    """
    if task.parameters["method"] != "network":
        return {"parts": []}
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    region, volume, references = resampled(task, paths)
    network = network_of(task, region, references)
    earlier = earlier_of(task, paths, region, network)
    moves = find_moves(earlier, volume, references, voxel_um=region.voxel_um)
    n_z = region.shape[0]
    starts = range(0, n_z, region.slab_rows)
    n_parts = min(MOST_PARTS, len(starts))
    bounds = [starts[len(starts) * part // n_parts] for part in range(n_parts)] + [n_z]
    passes = (_BESIDE, _ALONE) if moves else (_ALONE,)
    return {
        "parts": [[name, z0, z1] for name in passes for z0, z1 in pairwise(bounds)],
        "references": _REFERENCES.dump_python(references, mode="json"),
        "greys": {
            scan.which: _REFERENCES.dump_python(scan.references, mode="json") for scan in earlier
        },
        "moves": moves,
    }


def label_part(task: Task, store_root: str, begun: Json, part: tuple[str, int, int]) -> None:
    """Run the network over some slices, and lay what comes of it where `finish_parts` finds it."""
    name, z0, z1 = part
    paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
    region = region_of(task, paths)
    volume = StoredVolume(region.path)
    references = _REFERENCES.validate_python(begun["references"])
    network = network_of(task, region, references)
    found = run_slices(
        network,
        volume,
        references,
        _settled(task, paths, region, network, begun) if name == _BESIDE else (),
        voxel_um=region.voxel_um,
        slab_rows=region.slab_rows,
        slices=(z0, z1),
        with_probabilities=task.parameters["probabilities"],
    )
    arrays = {each: getattr(found, each) for each in _ARRAYS}
    if found.probabilities is not None:
        arrays["probabilities"] = found.probabilities
    write_arrays(
        scratch_folder(paths, task.key),
        _part_name(part),
        arrays,
        {"n_rows": found.n_rows, "shown": found.shown},
    )


def _settled(
    task: Task, paths: ExperimentPaths, region: WrittenRegion, network: LoadedNetwork, begun: Json
) -> list[EarlierScan]:
    """Lay the earlier scans where the beginning has found that they lie."""
    greys: Greys = {
        which: _REFERENCES.validate_python(grey) for which, grey in begun["greys"].items()
    }
    moves = begun["moves"]
    earlier = earlier_of(task, paths, region, network, greys)
    return [scan.moved_by(*moves[scan.which]) for scan in earlier if scan.which in moves]


def finish_parts(
    task: Task, paths: ExperimentPaths, begun: Json
) -> tuple[GreyReferences, Mapping[str, Any]]:
    """Write the labels of a scan whose parts are all there; give the fields of a LabelsReady."""
    region = region_of(task, paths)
    references = _REFERENCES.validate_python(begun["references"])
    network = network_of(task, region, references)
    passes = {
        name: _read_pass(task, paths, network, parts)
        for name in (_BESIDE, _ALONE)
        if (parts := [part for part in begun["parts"] if part[0] == name])
    }
    found = passes.get(_BESIDE, passes[_ALONE])
    apart = passes[_ALONE] if _BESIDE in passes else None
    volume = StoredVolume(region.path)
    fields = write_passes(task, paths, region, volume, references, network, found, apart)
    return references, fields


def _read_pass(
    task: Task, paths: ExperimentPaths, network: LoadedNetwork, parts: list[tuple[str, int, int]]
) -> NetworkPass:
    folder = scratch_folder(paths, task.key)
    slices = []
    for part in parts:
        arrays, said = read_arrays(folder, _part_name(part))
        slices.append(
            SlicesPass(
                **{each: arrays[each] for each in _ARRAYS},
                probabilities=arrays.get("probabilities"),
                n_rows=said["n_rows"],
                shown=tuple(said["shown"]),
            )
        )
    return join_slices(network, slices)


def _part_name(part: tuple[str, int, int]) -> str:
    name, z0, _ = part
    return f"{name}-{z0:05d}"
