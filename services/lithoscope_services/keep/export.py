"""Write a stored experiment in the formats of others: DXchange, OME-Zarr, TIFF."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lithoscope_messages import FrameKind
from lithoscope_services.history import ScanHistory
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.partial import whole_file
from lithoscope_services.keep.stored import StoredExperiment
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_store import ExperimentPaths, FrameReader, VolumeInfo, read_slab, volume_info
from lithoscope_store.safety import check_no_symlinks

Advance = Callable[[int], None]
_BIG_TIFF_BYTES = 3 * 2**30


def export_dxchange(stored: StoredExperiment, folder: Path, advance: Advance) -> list[Path]:
    """Write the frames of each scan, one file a tile; frames that were lost are not in it.

    Parameters
    ----------
    stored
        What is exported.
    folder
        Where to.
    advance
        Is told the scans that are done.

    Raises
    ------
    KeepError
        If frames were pruned, or if a tile has no projections.
    CorruptDataError
        If a frame is damaged; the text names it.
    """
    stored.check_frames()
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for scan in stored.wanted():
        tiles = stored.paths.tiles(scan.scan)
        for tile in tiles:
            ending = "" if len(tiles) == 1 else f"_tile_{tile}"
            path = folder / f"scan_{scan.scan:04d}{ending}.h5"
            _write_tile(path, stored, scan, FrameReader(stored.paths, scan.scan, tile))
            made.append(path)
        advance(1)
    return made


def _write_tile(
    path: Path, stored: StoredExperiment, scan: ScanHistory, reader: FrameReader
) -> None:
    indices = reader.indices("projection")
    if scan.started is None or not indices.size:
        raise KeepError(
            f"scan {scan.scan}, tile {reader.tile} of {stored.paths.name} has no projections; "
            "leave it out with --scans"
        )
    started = stored.history.started
    write_dxchange(
        path,
        projections=_projections(reader),
        thetas_deg=reader.thetas_deg("projection"),
        flats=_all_sets(reader, "flat"),
        darks=_all_sets(reader, "dark"),
        voxel_size_um=scan.started.voxel_size_um,
        energy_keV=scan.started.energy_keV,
        distance_mm=scan.started.distance_mm,
        sample="" if started is None else started.description.sample,
        phase=scan.started.phase,
    )


def _projections(reader: FrameReader) -> Iterator[NDArray[Any]]:  # of the dtype of the set
    for key in reader.keys:
        if key.kind == "projection" and key.set == 0:
            yield reader.read_frame(key)


def _all_sets(reader: FrameReader, kind: FrameKind) -> NDArray[Any]:  # of the dtype of the set
    sets = [reader.read(kind, number) for number in reader.sets(kind)]
    if sets:
        return np.concatenate(sets)
    layout = reader.layout("projection")
    return np.empty((0, layout.rows, layout.columns), layout.dtype)


def export_ome_zarr(stored: StoredExperiment, folder: Path, advance: Advance) -> list[Path]:
    """Copy the volume of each scan with its labels, as it lies in the store: OME-Zarr 0.5.

    Of a scan without labels the volume in its own frame is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for scan, source in _volumes(stored):
        target = folder / f"scan_{scan.scan:04d}.ome.zarr"
        partial = folder / f".{target.name}.partial"
        check_no_symlinks(source)
        if target.exists():
            raise KeepError(f"{target} is there already; remove it, or choose another --out")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(source, partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        made.append(target)
        advance(1)
    return made


def export_tiff(stored: StoredExperiment, folder: Path, advance: Advance) -> list[Path]:
    """Write volume and labels of each scan as stacks of slices: OME-TIFF, voxel edge in µm."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for scan, source in _volumes(stored):
        info = volume_info(source)
        for label in (None, *info.labels):
            what = "volume" if label is None else f"labels_{label}"
            path = folder / f"scan_{scan.scan:04d}_{what}.ome.tif"
            _write_stack(path, source, info, label)
            made.append(path)
        advance(1)
    return made


def _write_stack(path: Path, source: Path, info: VolumeInfo, label: str | None) -> None:
    dtype = info.dtype if label is None else np.dtype(np.uint8)
    n_bytes = int(np.prod(info.shape)) * dtype.itemsize
    sizes = {f"PhysicalSize{axis}": info.voxel_um for axis in "ZYX"}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    with whole_file(path) as partial:
        tifffile.imwrite(
            partial,
            _slices(source, info, label),
            shape=info.shape,
            dtype=dtype,
            ome=True,
            bigtiff=n_bytes > _BIG_TIFF_BYTES,
            photometric="minisblack",
            metadata={"axes": "ZYX", **sizes, **units},
        )


def _slices(path: Path, info: VolumeInfo, label: str | None) -> Iterator[NDArray[Any]]:
    for z0 in range(0, info.shape[0], info.slab_slices):
        yield from read_slab(path, z0, z0 + info.slab_slices, label=label)


def _volumes(stored: StoredExperiment) -> Iterator[tuple[ScanHistory, Path]]:
    """Give the scans that have a volume, and where it is.

    Raises
    ------
    KeepError
        If a volume was pruned and there are no labels, or if no scan has one.
    """
    n_found = 0
    for scan in stored.wanted():
        fact = scan.labels or scan.volume
        if fact is None:
            continue  # it failed: there is nothing to export
        path = stored.paths.resolve(fact.path)
        if not path.is_dir():
            raise KeepError(_gone(stored.paths, scan.scan, path))
        n_found += 1
        yield scan, path
    if not n_found:
        raise KeepError(f"no scan of {stored.paths.name} that was asked for has a volume")


def _gone(paths: ExperimentPaths, scan: int, path: Path) -> str:
    return (
        f"the volume of scan {scan} is not at {path}: it was pruned, or is lost (see `lithoscope "
        f"verify {paths.name}`); leave the scan out with --scans"
    )
