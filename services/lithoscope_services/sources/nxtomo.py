"""NXtomo, the NeXus application definition for tomography: reading."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.angles import in_degrees
from lithoscope_services.sources.file_scan import FileScan, FrameBlock, check_scan
from lithoscope_services.sources.hdf5 import Hdf5Block, Hdf5Tree

# Values of image_key in the definition; 3 is "invalid" and is left out.
_PROJECTION, _FLAT, _DARK = 0, 1, 2


def find_nxtomo(tree: Hdf5Tree) -> str | None:
    """Give the path of the entry that has an image key, or None if there is none."""
    for entry in tree.children("/"):
        for path in (entry, *(f"{entry}/{child}" for child in tree.children(entry))):
            if "image_key" in tree.children(f"{path}/instrument/detector"):
                return path
    return None


def read_nxtomo(tree: Hdf5Tree, entry: str) -> FileScan:
    """Open the scan of an entry.

    Raises
    ------
    SourceError
        If a part is missing or does not fit the others.
    """
    detector = f"{entry}/instrument/detector"
    frames = tree.dataset(f"{detector}/data", ndim=3)
    key_data = tree.dataset(f"{detector}/image_key", ndim=1)
    if frames is None or key_data is None:
        raise SourceError(
            f"{tree.path}: no data or image_key in /{detector}; give the file that holds both"
        )
    keys = np.asarray(key_data[()]).astype(np.int64)
    if keys.shape != frames.shape[:1]:
        raise SourceError(
            f"{tree.path}: image_key has {keys.size} values for {frames.shape[0]} frames; give "
            "the file of a finished scan"
        )
    projections = np.flatnonzero(keys == _PROJECTION)
    return check_scan(
        FileScan(
            path=tree.path,
            format="nxtomo",
            projection_block=Hdf5Block(frames, projections),
            flat_blocks=_sets(frames, keys, _FLAT),
            dark_blocks=_sets(frames, keys, _DARK),
            thetas_deg=_angles(tree, entry, keys)[projections],
            theta_source="table",
            voxel_size_um=_voxel_size_um(tree, detector),
            energy_keV=_energy_keV(tree, entry),
            sample=tree.text(f"{entry}/sample/name")[:200],
            close=tree.close,
        )
    )


def _sets(frames: Any, keys: NDArray[np.int64], kind: int) -> tuple[FrameBlock, ...]:
    """Part the frames of a kind where projections were taken between them."""
    indices = np.flatnonzero(keys == kind)
    before = np.cumsum(keys == _PROJECTION)[indices]
    return tuple(Hdf5Block(frames, indices[before == count]) for count in np.unique(before))


def _angles(tree: Hdf5Tree, entry: str, keys: NDArray[np.int64]) -> NDArray[np.float64]:
    for name in (f"{entry}/sample/rotation_angle", f"{entry}/data/rotation_angle"):
        angles = tree.dataset(name, ndim=1)
        if angles is None:
            continue
        if angles.shape != keys.shape:
            raise SourceError(
                f"{tree.path}: {name} has {angles.size} angles for {keys.size} frames; give one "
                "for each frame, flats and darks included"
            )
        return in_degrees(angles[()], tree.units(name))
    raise SourceError(f"{tree.path}: no angles; add rotation_angle to /{entry}/sample")


def _voxel_size_um(tree: Hdf5Tree, detector: str) -> float | None:
    x_um = tree.length_um(f"{detector}/x_pixel_size", default_unit="m")
    y_um = tree.length_um(f"{detector}/y_pixel_size", default_unit="m")
    if x_um is not None and y_um is not None and abs(x_um - y_um) > 0.01 * x_um:
        raise SourceError(
            f"{tree.path}: pixels of {x_um:g} x {y_um:g} um; only square ones are reconstructed"
        )
    return x_um


def _energy_keV(tree: Hdf5Tree, entry: str) -> float | None:  # noqa: N802 - the unit is keV
    name = f"{entry}/instrument/beam/incident_energy"
    value = tree.number(name)
    if value is None or value <= 0:
        return None
    return value / 1000.0 if tree.units(name).lower() == "ev" else value
