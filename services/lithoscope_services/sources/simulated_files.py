"""Scans of a simulated cell as files, with the truth beside them."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_pipeline.phantom.provenance import provenance_of
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dxchange import write_dxchange
from lithoscope_services.sources.simulation import Simulation, phase_of
from lithoscope_store.durable import write_atomic
from lithoscope_store.volumes import create_volume, finish_volume, volume_info, write_slab

ELECTROCHEMISTRY_COLUMNS = "time_s,potential_V,current_mA,charge_mAh"


def write_simulated_scans(
    folder: Path,
    *,
    name: str,
    simulation: Simulation,
    on_scan: Callable[[int], None] = lambda _scan: None,
) -> None:
    """Write all scans of a simulated cell, ``truth.json``, true labels and the cycler's record.

    A scan is ``scan_000.h5``; of several tiles each is a file of its own, ``scan_000_tile_0.h5``
    and so on. Files hold the projections as they arrive: lost ones are not there, repeated ones
    are twice, late ones stand late, each with its angle.

    Parameters
    ----------
    folder
        Made if it does not exist; it must be empty.
    name
        Name of the experiment in ``truth.json``.
    simulation
        What is simulated.
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
    cell = simulation.cell()
    write_truth(folder, cell, name=name, roi=cell.roi)
    write_electrochemistry(folder, cell)
    for point in cell.schedule:
        for tile in range(simulation.n_tiles):
            ending = "" if simulation.n_tiles == 1 else f"_tile_{tile}"
            write_tile(folder / f"scan_{point.scan:03d}{ending}.h5", cell, point.scan, tile)
        write_true_labels(folder / f"labels_{point.scan:03d}.zarr", cell, point.scan, cell.roi)
        on_scan(point.scan)


def write_tile(path: Path, cell: SimulatedCell, scan: int, tile: int = 0) -> None:
    """Write what arrives of a tile of a scan as DXchange.

    Parameters
    ----------
    path
        The new file.
    cell
        The simulated cell.
    scan, tile
        Which scan and which of its tiles.
    """
    frames = cell.frames(scan, tile=tile)
    write_dxchange(
        path,
        projections=(frames.frame("projection", index) for index in frames.arrivals),
        thetas_deg=np.asarray(frames.thetas_deg[frames.arrivals], dtype=np.float64),
        flats=frames.flats,
        darks=frames.darks,
        voxel_size_um=cell.voxel_um,
        energy_keV=cell.cell.optics.energy_keV,
        distance_mm=cell.cell.optics.distance_mm or None,
        sample=f"simulated cell, seed {cell.cell.seed}, scan {scan}, tile {tile}",
        phase=phase_of(cell, scan),
    )


def write_electrochemistry(folder: Path, cell: SimulatedCell) -> None:
    """Write what the cycler recorded up to the last scan, a line a second, with a heading.

    Parameters
    ----------
    folder
        An existing folder.
    cell
        The simulated cell.
    """
    record = cell.electrochemistry(0, len(cell.schedule) - 1)
    columns = record.time_s, record.potential_V, record.current_mA, record.charge_mAh
    text = io.StringIO()
    np.savetxt(
        text,
        np.column_stack(columns),
        fmt=("%.0f", "%.6f", "%.6f", "%.8f"),
        delimiter=",",
        header=ELECTROCHEMISTRY_COLUMNS,
        comments="",
    )
    write_atomic(folder / "electrochemistry.csv", text.getvalue().encode())


def write_truth(folder: Path, cell: SimulatedCell, *, name: str, roi: Roi) -> None:
    """Write ``truth.json``: true metrics of all scans, in the shape of a report, and their origin.

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
    document: dict[str, Any] = {
        "experiment": name,
        **cell.truth(roi),
        **provenance_of(cell),
    }  # JSON
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
