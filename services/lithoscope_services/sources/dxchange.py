"""DXchange, the HDF5 layout of the Advanced Photon Source: reading and writing.

F. De Carlo et al., J. Synchrotron Rad. 21, 1224 (2014). doi:10.1107/S160057751401604X
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ScanPhase, ThetaSource
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.angles import in_degrees
from lithoscope_services.sources.file_scan import FileScan, FrameBlock, Frames, check_scan
from lithoscope_services.sources.hdf5 import Hdf5Block, Hdf5Tree

_ROTATION = "process/acquisition/rotation"
_RESOLUTION = "measurement/instrument/detection_system/objective/resolution"
_ENERGY = "measurement/instrument/monochromator/energy"
_DISTANCE = "measurement/instrument/camera_motor_stack/setup/camera_distance"
_SAMPLE = "measurement/sample/name"
# Of ours: where in the cycling the scan stands.
_PHASE = "process/lithoscope/phase"


def is_dxchange(tree: Hdf5Tree) -> bool:
    """Tell whether a file has the group of this layout."""
    return "exchange" in tree.children("/")


def read_dxchange(tree: Hdf5Tree) -> FileScan:
    """Open a scan.

    Raises
    ------
    SourceError
        If a part is missing or does not fit the others.
    """
    projections = tree.dataset("exchange/data", ndim=3)
    if projections is None:
        raise SourceError(f"{tree.path}: no /exchange/data; give the raw file of a scan")
    thetas_deg, source = _angles(tree, projections.shape[0])
    return check_scan(
        FileScan(
            path=tree.path,
            format="dxchange",
            projection_block=_whole(projections),
            flat_blocks=_blocks(tree, "exchange/data_white"),
            dark_blocks=_blocks(tree, "exchange/data_dark"),
            thetas_deg=thetas_deg,
            theta_source=source,
            voxel_size_um=tree.length_um(_RESOLUTION, default_unit="um"),
            energy_keV=_positive(tree.number(_ENERGY)),
            distance_mm=_positive(tree.number(_DISTANCE)),
            sample=tree.text(_SAMPLE)[:200],
            phase=_phase(tree),
            close=tree.close,
        )
    )


def write_dxchange(
    path: Path,
    *,
    projections: Iterable[Frames],
    thetas_deg: NDArray[np.float64],
    flats: Frames,
    darks: Frames,
    voxel_size_um: float,
    energy_keV: float | None = None,  # noqa: N803 - the unit is keV
    distance_mm: float | None = None,
    sample: str = "",
    phase: ScanPhase | None = None,
) -> None:
    """Write a scan; a file of this name is replaced, and never seen half written.

    Parameters
    ----------
    path
        The new file, in a folder that exists.
    projections
        One after the other or as one array, frames of shape (n_rows, n_columns), as many as there
        are angles.
    thetas_deg
        Shape (n_projections,).
    flats, darks
        Shape (n_frames, n_rows, n_columns).
    voxel_size_um
        Detector pixel in the plane of the sample.
    energy_keV
        Photon energy, if known.
    distance_mm
        From the sample to the detector, if known.
    sample
        Name of the sample.
    phase
        Where in the cycling the scan stands, if known; in a group of ours that others ignore.

    Raises
    ------
    SourceError
        If there are fewer or more projections than angles.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with h5py.File(partial, "w") as file:
            _write_projections(file, path, projections, thetas_deg)
            file["exchange/data_white"] = flats
            file["exchange/data_dark"] = darks
            file["exchange/theta"] = thetas_deg.astype(np.float64)
            file["exchange/theta"].attrs["units"] = "degrees"
            file["implements"] = "exchange:measurement"
            file[_RESOLUTION] = voxel_size_um
            file[_RESOLUTION].attrs["units"] = "um"
            if energy_keV is not None:
                file[_ENERGY] = energy_keV
                file[_ENERGY].attrs["units"] = "keV"
            if distance_mm is not None:
                file[_DISTANCE] = distance_mm
                file[_DISTANCE].attrs["units"] = "mm"
            file[_SAMPLE] = sample
            if phase is not None:
                for name, value in phase.model_dump(exclude_none=True).items():
                    file[f"{_PHASE}/{name}"] = value
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_projections(
    file: Any,  # h5py has no types
    path: Path,
    projections: Iterable[Frames],
    thetas_deg: NDArray[np.float64],
) -> None:
    data = None
    count = 0
    for projection in projections:
        if data is None:
            shape = (thetas_deg.size, *projection.shape)
            data = file.create_dataset("exchange/data", shape=shape, dtype=projection.dtype)
            data.attrs["axes"] = "theta:y:x"
        if count < thetas_deg.size:
            data[count] = projection
        count += 1
    if count == 0 or count != thetas_deg.size:
        raise SourceError(
            f"{path}: {count} projections for {thetas_deg.size} angles; give one angle each"
        )


def _angles(tree: Hdf5Tree, n_projections: int) -> tuple[NDArray[np.float64], ThetaSource]:
    theta = tree.dataset("exchange/theta", ndim=1)
    if theta is not None and theta.size:
        return in_degrees(theta[()], tree.units("exchange/theta")), "table"
    start_deg = tree.number(f"{_ROTATION}/rotation_start")
    step_deg = tree.number(f"{_ROTATION}/rotation_step")
    if start_deg is None or step_deg is None:
        raise SourceError(
            f"{tree.path}: no angles; add /exchange/theta in degrees, or rotation_start and "
            f"rotation_step in /{_ROTATION}"
        )
    return start_deg + step_deg * np.arange(n_projections, dtype=np.float64), "formula"


def _phase(tree: Hdf5Tree) -> ScanPhase | None:
    found = {name: tree.number(f"{_PHASE}/{name}") for name in ScanPhase.model_fields}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return None
    try:
        return ScanPhase.model_validate(
            {
                name: int(value) if name in ("cycle", "half_cycle", "pulse") else value
                for name, value in known.items()
            }
        )
    except ValueError as error:
        raise SourceError(
            f"{tree.path}: /{_PHASE} is damaged ({error}); write the file again, or remove it"
        ) from error


def _blocks(tree: Hdf5Tree, name: str) -> tuple[FrameBlock, ...]:
    dataset = tree.dataset(name, ndim=3)
    return () if dataset is None else (_whole(dataset),)


def _whole(dataset: Any) -> Hdf5Block:  # an h5py dataset
    return Hdf5Block(dataset, np.arange(dataset.shape[0], dtype=np.intp))


def _positive(value: float | None) -> float | None:
    # Beamlines write -1 or 0 for "not known".
    return value if value is not None and value > 0 else None
