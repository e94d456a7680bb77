"""Check what is stored by its own checksums: index records, frames, volumes, maps, samples.

Needs no manifest: it is how an experiment that runs is verified, and how a damaged manifest is
told from damaged files.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lithoscope_messages import Entry, FrameKind, LabelsReady, SlabReady, VolumeReady
from lithoscope_store.checksums import array_sha256
from lithoscope_store.electrochemistry import read_electrochemistry
from lithoscope_store.errors import NotStoredError, StoreError
from lithoscope_store.frame_index import FrameRecord, read_index
from lithoscope_store.frame_shard import (
    FrameLayout,
    FrameShard,
    array_path,
    read_layout,
    shard_path,
)
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.maps import read_maps
from lithoscope_store.meshes import INDEX_FILE, read_surfaces
from lithoscope_store.volume_metadata import VolumeInfo, image_path, volume_info
from lithoscope_store.volumes import read_region, read_slab, volume_sha256
from lithoscope_store.zarr_metadata import METADATA_FILE, chunk_path

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was stored: its path below the experiment, and how it shows."""

    path: str
    how: str


def check_frames(
    paths: ExperimentPaths, scan: int, *, is_pruned: bool, advance: Advance
) -> Iterator[Damage]:
    """Check indices and frames of a scan, every byte that an index knows of."""
    for tile in paths.tiles(scan):
        index = paths.index(scan, tile)
        try:
            part = read_index(index)
        except StoreError as error:
            yield Damage(_below(paths, index), str(error))
            continue
        advance(index.stat().st_size)
        n_torn = max(index.stat().st_size - part.end, 0) if part.end else 0
        if part.damaged:
            yield Damage(_below(paths, index), f"{part.damaged} of its records are damaged")
        elif n_torn:
            yield Damage(
                _below(paths, index),
                f"its last {n_torn} bytes are no record: damaged, or cut short by a crash",
            )
        if not is_pruned:
            yield from _check_tile(paths, scan, tile, part.records, advance)


def _check_tile(
    paths: ExperimentPaths,
    scan: int,
    tile: int,
    records: Sequence[FrameRecord],
    advance: Advance,
) -> Iterator[Damage]:
    folder = paths.frames(scan, tile)
    layouts: dict[tuple[FrameKind, int], FrameLayout | None] = {}
    for record in records:
        name = (record.key.kind, record.key.set)
        array = array_path(folder, *name)
        if name not in layouts:
            try:
                layouts[name], _ = read_layout(array)
            except StoreError as error:
                layouts[name] = None
                yield Damage(_below(paths, array / METADATA_FILE), str(error))
        layout = layouts[name]
        if layout is None:
            continue
        path = shard_path(array, record.key.index)
        how = frame_damage(path, layout, record.crc32c)
        if how:
            yield Damage(_below(paths, path), how)
        advance(layout.shard_bytes)


def frame_damage(path: Path, layout: FrameLayout, pixels_crc32c: int) -> str:
    """Say how the file of a frame differs from what was stored; empty if it does not."""
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if len(data) != layout.shard_bytes:
        return f"it has {len(data)} bytes, not {layout.shard_bytes}"
    step = layout.chunk_bytes + 4
    pixels = b"".join(
        data[i * step : i * step + layout.chunk_bytes] for i in range(layout.n_chunks)
    )
    shard = FrameShard.of(layout, memoryview(pixels)[: layout.payload_bytes])
    if shard.crc32c != pixels_crc32c:
        return "its pixels have not the checksum in the index"
    if b"".join(shard.parts) != data:
        return "a checksum in it does not fit"
    return ""


def check_volumes(
    paths: ExperimentPaths,
    entries: Sequence[Entry],
    *,
    pruned: frozenset[int],
    advance: Advance,
) -> Iterator[Damage]:
    """Check volumes and labels against the hashes in the facts that announced them.

    Parameters
    ----------
    paths, entries
        The experiment and its journal.
    pruned
        Scans whose reconstructions are gone on purpose.
    advance
        Is told the bytes that were looked at.
    """
    slabs: dict[str, list[SlabReady]] = {}
    for entry in entries:
        if isinstance(entry.message, SlabReady):
            slabs.setdefault(entry.message.path, []).append(entry.message)
    done: set[tuple[str, str | None]] = set()
    for entry in entries:
        fact = entry.message
        if isinstance(fact, VolumeReady) and fact.scan not in pruned:
            label = None
        elif isinstance(fact, LabelsReady):
            label = fact.label_name
        else:
            continue
        if (fact.path, label) not in done:
            done.add((fact.path, label))
            yield from _check_volume(paths, fact, label, slabs.get(fact.path, []))
            advance(_tree_bytes(paths.resolve(fact.path)))


def _check_volume(
    paths: ExperimentPaths,
    fact: VolumeReady | LabelsReady,
    label: str | None,
    slabs: Sequence[SlabReady],
) -> Iterator[Damage]:
    path = paths.resolve(fact.path)
    try:
        info = volume_info(path)
    except (NotStoredError, StoreError) as error:
        yield Damage(_below(paths, path / METADATA_FILE), str(error))
        return
    if info.shape != fact.shape or info.voxel_um != fact.voxel_um:
        yield Damage(
            _below(paths, path / METADATA_FILE),
            f"it says {info.shape} voxels of {info.voxel_um:g} µm, the journal {fact.shape} of "
            f"{fact.voxel_um:g}",
        )
        return
    found = list(_unreadable_shards(paths, path, info, label))
    if label is not None:
        # The volume that labels lie in has no hash of its own in the journal, but checksums.
        found += list(_unreadable_shards(paths, path, info, None))
    yield from found
    if found:
        return
    wrong = [
        slab
        for slab in slabs
        if label is None and array_sha256(read_slab(path, slab.z0, slab.z1)) != slab.sha256
    ]
    for slab in wrong:
        shard = chunk_path(path / "0", (slab.z0 // info.slab_slices, 0, 0), "/")
        yield Damage(
            _below(paths, shard),
            f"slices {slab.z0} to {slab.z1} are not those that the journal announced",
        )
    if not wrong and volume_sha256(path, label=label) != fact.sha256:
        yield Damage(
            _below(paths, image_path(path, label) / "0"),
            "its voxels have not the hash in the journal",
        )


def _unreadable_shards(
    paths: ExperimentPaths, path: Path, info: VolumeInfo, label: str | None
) -> Iterator[Damage]:
    image = image_path(path, label)
    for level in range(info.levels):
        n_slices = info.level_shape(level)[0]
        for z0 in range(0, n_slices, info.slab_slices):
            shard = chunk_path(image / str(level), (z0 // info.slab_slices, 0, 0), "/")
            try:
                _read_all(path, z0, min(z0 + info.slab_slices, n_slices), level, label)
            except StoreError as error:
                yield Damage(_below(paths, shard), str(error))


def _read_all(path: Path, z0: int, z1: int, level: int, label: str | None) -> None:
    everything = slice(None)
    read_region(path, (slice(z0, z1), everything, everything), level=level, label=label)


def check_others(paths: ExperimentPaths, *, advance: Advance) -> Iterator[Damage]:
    """Check maps, surfaces and samples of the cycler."""
    for folder in sorted((paths.root / "maps").glob("*.zarr")):
        try:
            read_maps(folder)
        except (StoreError, LookupError, ValueError) as error:
            yield Damage(_below(paths, folder), str(error))
        advance(_tree_bytes(folder))
    for folder in sorted((paths.root / "meshes").glob("[0-9][0-9][0-9][0-9]-*")):
        yield from _check_surfaces(paths, folder)
        advance(_tree_bytes(folder))
    try:
        samples = read_electrochemistry(paths)
        if not np.isfinite(samples.charge_mAh).all():
            yield Damage(_below(paths, paths.electrochemistry), "a sample is no number")
    except (StoreError, LookupError, ValueError) as error:
        yield Damage(_below(paths, paths.electrochemistry), str(error))
    advance(_tree_bytes(paths.electrochemistry))


def _check_surfaces(paths: ExperimentPaths, folder: Path) -> Iterator[Damage]:
    """Compare surfaces with the checksums in their index; without one they are being made."""
    try:
        listed = read_surfaces(folder)["surfaces"]
    except NotStoredError:
        return
    except StoreError as error:
        yield Damage(_below(paths, folder / INDEX_FILE), str(error))
        return
    for entry in listed:
        path = folder / entry["file"]
        if not path.is_file():
            yield Damage(_below(paths, path), "it is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            yield Damage(_below(paths, path), "it has not the checksum in its index")


def _tree_bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _below(paths: ExperimentPaths, path: Path) -> str:
    return path.relative_to(paths.root).as_posix()
