"""Objects between the pipeline and the store."""

from collections.abc import Mapping
from typing import Any

from lithoscope_pipeline.measure import ObjectTable, TrackedObject
from lithoscope_store import StoredObjects


def to_stored(table: ObjectTable) -> StoredObjects:
    """Write objects as columns."""
    objects = table.objects
    centres = [each.centre_px for each in objects]
    chances = [each.existence for each in objects]
    columns: dict[str, list[Any]] = {  # values of JSON
        "track": [each.track for each in objects],
        "kind": [each.kind for each in objects],
        "event": [each.event for each in objects],
        "parents": [list(each.parents) for each in objects],
        "voxels": [each.voxels for each in objects],
        "volume_um3": [each.volume_um3 for each in objects],
        "height_um": [_rounded(each.height_um) for each in objects],
        "base_area_um2": [each.base_area_um2 for each in objects],
        "gap_um": [_rounded(each.gap_um) for each in objects],
        "speed_um_per_pulse": [_rounded(each.speed_um_per_pulse) for each in objects],
        "existence": [None if each is None else _rounded(each.chance) for each in chances],
        "existence_low95": [None if each is None else _rounded(each.low95) for each in chances],
        "existence_high95": [None if each is None else _rounded(each.high95) for each in chances],
        "z_px": [_rounded(centre[0]) for centre in centres],
        "y_px": [_rounded(centre[1]) for centre in centres],
        "x_px": [_rounded(centre[2]) for centre in centres],
        "flags": [list(each.flags) for each in objects],
        "piece": [each.piece for each in objects],
    }
    return StoredObjects(
        columns=columns,
        n_found={str(kind): n for kind, n in table.n_found.items()},
        gone={kind: list(tracks) for kind, tracks in table.gone.items()},
        next_track=table.next_track,
    )


def to_objects(stored: StoredObjects) -> ObjectTable:
    """Read objects from columns."""
    columns = stored.columns
    rows = (
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )
    return ObjectTable(
        objects=tuple(_to_object(row) for row in rows),
        n_found={"dendrite": stored.n_found["dendrite"], "pit": stored.n_found["pit"]},
        gone={"dendrite": tuple(stored.gone["dendrite"]), "pit": tuple(stored.gone["pit"])},
        next_track=stored.next_track,
    )


def _to_object(row: Mapping[str, Any]) -> TrackedObject:  # values of JSON
    return TrackedObject(
        kind=row["kind"],
        piece=row["piece"],
        voxels=row["voxels"],
        volume_um3=row["volume_um3"],
        base_area_um2=row["base_area_um2"],
        height_um=row["height_um"],
        gap_um=row["gap_um"],
        centre_px=(row["z_px"], row["y_px"], row["x_px"]),
        is_cut="cut_by_border" in row["flags"],
        track=row["track"],
        event=row["event"],
        parents=tuple(row["parents"]),
        speed_um_per_pulse=row["speed_um_per_pulse"],
    )


def _rounded(value: float | None) -> float | None:
    """Keep a thousandth of a micrometre, a voxel or one: the rest is no measurement."""
    return None if value is None else round(value, 3)
