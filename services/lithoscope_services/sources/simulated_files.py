"""Scans of a simulated cell as files, with the truth beside them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom import SimulatedCell, SizeName, make_cell
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_store.durable import write_atomic
from lithoscope_store.volumes import create_volume, finish_volume, volume_info, write_slab

ENERGY_KEV = 27.5


def write_simulated_scans(
    folder: Path,
    *,
    name: str,
    size: SizeName,
    seed: int,
    n_scans: int,
    on_scan: Callable[[int], None] = lambda _scan: None,
) -> None:
    """Write all scans of a simulated cell, ``truth.json`` and true labels.

    Parameters
    ----------
    folder
        Made if it does not exist; it must be empty.
    name
        Name of the experiment in ``truth.json``.
    size, seed, n_scans
        Of the simulated cell.
    on_scan
        Called with the number of each scan that is done.

    Raises
    ------
    SourceError
        If the folder holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SourceError(f"{folder}: not empty; give a new folder, or empty this one")
    cell = make_cell(size, seed=seed, n_scans=n_scans)
    write_truth(folder, cell, name=name, roi=cell.roi)
    for point in cell.schedule:
        frames = cell.frames(point.scan)
        write_dxchange(
            folder / f"scan_{point.scan:03d}.h5",
            projections=frames.projections,
            thetas_deg=np.asarray(frames.thetas_deg, dtype=np.float64),
            flats=frames.flats,
            darks=frames.darks,
            voxel_size_um=cell.voxel_um,
            energy_keV=ENERGY_KEV,
            sample=f"simulated cell, seed {seed}, scan {point.scan}",
        )
        write_true_labels(folder / f"labels_{point.scan:03d}.zarr", cell, point.scan, cell.roi)
        on_scan(point.scan)


def write_truth(folder: Path, cell: SimulatedCell, *, name: str, roi: Roi) -> None:
    """Write ``truth.json``: true metrics of all scans, in the shape of a report.

    Parameters
    ----------
    folder
        An existing folder.
    cell
        The simulated cell.
    name
        Name of the experiment.
    roi
        Box in cell coordinates that the metrics speak for.
    """
    document: dict[str, Any] = {"experiment": name, **cell.truth(roi)}  # JSON
    text = json.dumps(document, indent=2, allow_nan=False)
    write_atomic(folder / "truth.json", f"{text}\n".encode())


def write_true_labels(path: Path, cell: SimulatedCell, scan: int, roi: Roi) -> None:
    """Write the true labels of a scan in cell coordinates as a volume of classes.

    Parameters
    ----------
    path
        The new volume.
    cell
        The simulated cell.
    scan
        Number of the scan.
    roi
        Box in cell coordinates.
    """
    shape = roi.z1 - roi.z0, roi.y1 - roi.y0, roi.x1 - roi.x0
    create_volume(path, shape=shape, voxel_um=cell.voxel_um, dtype="uint8", name=path.stem)
    step = volume_info(path).slab_slices
    for z0 in range(0, shape[0], step):
        z1 = min(z0 + step, shape[0])
        write_slab(path, z0, cell.labels(scan, replace(roi, z0=roi.z0 + z0, z1=roi.z0 + z1)))
    finish_volume(path)
