"""What people painted on a volume: OME-Zarr labels inside it, one image a person, round and axis.

A stroke replaces the file of its plane as a whole; planes that nobody painted are not there, and
read as not painted by anybody's Zarr.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_store.errors import NotStoredError, StoreFormatError, WrongVolumeError
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.ngff import LabelClass
from lithoscope_store.painted_planes import (
    AXES,
    PREFIX,
    UNPAINTED,
    Axis,
    PaintLayer,
    Plane,
    check_index,
    painting,
    plane_shape,
    read_plane_or_empty,
    write_planes,
)
from lithoscope_store.safety import check_no_symlinks
from lithoscope_store.volume_metadata import volume_info
from lithoscope_store.zarr_metadata import METADATA_FILE, read_attributes

#: First pixel, pixels, class; row by row.
Run = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedPlane:
    """What one person painted on one plane in one round.

    Parameters
    ----------
    axis, index
        Normal of the plane, and its number along it.
    person, round
        Who painted, and in which round, from 1.
    time_ns
        Of the newest stroke, Unix time.
    classes
        Class of each pixel, shape (rows, columns) of the two axes that are left in the order
        z, y, x, uint8; `UNPAINTED` where nobody painted.
    """

    axis: Axis
    index: int
    person: str
    round: int
    time_ns: int
    classes: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedMark:
    """That a plane was painted on, without its pixels."""

    layer: PaintLayer
    index: int
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedLabels:
    """All that was painted on a volume.

    Parameters
    ----------
    scan, volume
        Number of the scan, and folder of the volume.
    shape, voxel_um
        Voxels (z, y, x), and edge of a voxel.
    planes
        By round, and within a round by time.
    """

    scan: int
    volume: Path
    shape: tuple[int, int, int]
    voxel_um: float
    planes: tuple[PaintedPlane, ...]

    def merged(self) -> NDArray[np.uint8]:
        """Lay all planes into one volume (z, y, x): the later round, then the later stroke."""
        whole = np.full(self.shape, UNPAINTED, np.uint8)
        for each in self.planes:
            _lay(np.moveaxis(whole, AXES.index(each.axis), 0)[each.index], each.classes)
        return whole

    def plane(self, axis: Axis, index: int) -> Plane:
        """Lay what was painted on one plane over each other."""
        rows, columns = plane_shape(self.shape, axis)
        whole = np.full((rows, columns), UNPAINTED, np.uint8)
        for each in self.planes:
            if (each.axis, each.index) == (axis, index):
                _lay(whole, each.classes)
        return whole

    def section(self, z: int) -> Plane:
        """Lay what was painted on a slice normal to z, and on planes through it, over each other.

        Parameters
        ----------
        z
            Number of the slice; planes normal to y or x leave a line in it.
        """
        _, rows, columns = self.shape
        whole = np.full((rows, columns), UNPAINTED, np.uint8)
        for each in self.planes:
            match each.axis:
                case "z":
                    if each.index == z:
                        _lay(whole, each.classes)
                case "y":
                    _lay(whole[each.index], each.classes[z])
                case "x":
                    _lay(whole[:, each.index], each.classes[z])
        return whole


def paint(
    volume: Path,
    layer: PaintLayer,
    index: int,
    runs: Iterable[Run],
    classes: Sequence[LabelClass],
    *,
    time_ns: int,
) -> dict[str, int]:
    """Paint pixels of a plane, or take paint away; it is on the disk when this returns.

    Parameters
    ----------
    volume
        The volume that is painted on.
    layer, index
        Whose labels, and number of the plane.
    runs
        What is painted, in its order; `UNPAINTED` takes paint away.
    classes
        What may be painted.
    time_ns
        When it was painted, Unix time.

    Returns
    -------
    dict
        Pixels of each class that are painted on the plane now, by its name.

    Raises
    ------
    WrongVolumeError
        If plane, pixels or classes are none of this volume.
    """
    info = volume_info(volume)
    values = {each.value for each in classes} | {UNPAINTED}
    with painting(volume):
        plane = read_plane_or_empty(volume, info, layer, index)
        flat = plane.reshape(-1)
        for first, n_pixels, value in runs:
            if first + n_pixels > flat.size or value not in values:
                raise WrongVolumeError(
                    f"{n_pixels} pixels of class {value} from {first} on do not fit a plane of "
                    f"{plane.shape[0]} x {plane.shape[1]} with classes {sorted(values)}"
                )
            flat[first : first + n_pixels] = value
        write_planes(volume, info, layer, {index: plane}, classes, time_ns)
    return count_classes(plane, classes)


def replace_planes(
    volume: Path,
    layer: PaintLayer,
    planes: Mapping[int, Plane],
    classes: Sequence[LabelClass],
    *,
    time_ns: int,
) -> None:
    """Store whole planes, as they come from files; see :func:`paint`."""
    info = volume_info(volume)
    values = [*(each.value for each in classes), UNPAINTED]
    for index, plane in planes.items():
        check_index(info, layer.axis, index)
        if plane.shape != plane_shape(info.shape, layer.axis) or plane.dtype != np.uint8:
            raise WrongVolumeError(
                f"plane {index} is {plane.dtype} {plane.shape}, not of {volume}"
            )
        if not np.isin(plane, values).all():
            raise WrongVolumeError(f"plane {index} has values that are no classes; see --class")
    with painting(volume):
        write_planes(volume, info, layer, planes, classes, time_ns)


def count_classes(plane: Plane, classes: Sequence[LabelClass]) -> dict[str, int]:
    """Count the pixels of each class that there are, by its name."""
    counts = np.bincount(plane.reshape(-1), minlength=256)
    return {each.name: int(counts[each.value]) for each in classes if counts[each.value]}


def painted_scans(paths: ExperimentPaths) -> tuple[int, ...]:
    """Give the scans of an experiment that somebody painted on."""
    found = (paths.root / "volumes").glob(f"[0-9]*-*/labels/{PREFIX}*/{METADATA_FILE}")
    return tuple(sorted({int(each.parents[2].name.partition("-")[0]) for each in found}))


def read_painted(paths: ExperimentPaths, scan: int) -> PaintedLabels:
    """Read all that was painted on a scan: of several volumes, on the one painted last.

    Raises
    ------
    NotStoredError
        If nobody painted on it.
    CorruptDataError
        If a checksum does not fit; the text names the file.
    """
    found: list[tuple[int, Path]] = []
    for volume in sorted((paths.root / "volumes").glob(f"{scan:04d}-*")):
        marks = painted_marks(volume)
        if marks:
            found.append((max(each.time_ns for each in marks), volume))
    if not found:
        raise NotStoredError(
            f"nobody painted on scan {scan} of {paths.name}; paint on the page Labels, or take "
            "files with `lithoscope labels import`"
        )
    return read_painted_volume(max(found)[1], scan)


def read_painted_volume(volume: Path, scan: int) -> PaintedLabels:
    """Read all that was painted on a volume; see :func:`read_painted`."""
    info = volume_info(volume)
    planes = []
    for mark in painted_marks(volume):
        layer = mark.layer
        classes = read_plane_or_empty(volume, info, layer, mark.index)
        if (classes != UNPAINTED).any():
            planes.append(
                PaintedPlane(
                    axis=layer.axis,
                    index=mark.index,
                    person=layer.person,
                    round=layer.round,
                    time_ns=mark.time_ns,
                    classes=classes,
                )
            )
    return PaintedLabels(
        scan=scan, volume=volume, shape=info.shape, voxel_um=info.voxel_um, planes=tuple(planes)
    )


def painted_marks(volume: Path) -> tuple[PaintedMark, ...]:
    """Say which planes of a volume were painted on, by whom and when, without their pixels.

    Returns
    -------
    tuple of PaintedMark
        By round, and within a round by time; also planes whose paint was taken away again.

    Raises
    ------
    StoreFormatError
        If the description of a label image was damaged.
    """
    marks = []
    # What is being painted for the first time has its arrays before its description.
    for described in sorted((volume / "labels").glob(f"{PREFIX}*/{METADATA_FILE}")):
        group = described.parent
        check_no_symlinks(group)
        told = read_attributes(group)
        try:
            painted = told["lithoscope"]["provenance"]["painted"]
            axis, person, number = painted["axis"], painted["person"], int(painted["round"])
            if axis not in AXES:
                raise ValueError(f"{axis!r} is no axis")
            layer = PaintLayer(axis=axis, person=str(person), round=number)
            marks += [
                PaintedMark(layer=layer, index=int(index), time_ns=int(time_ns))
                for index, time_ns in painted["planes"].items()
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StoreFormatError(f"{group} holds no painted labels: {error!r}") from error
    return tuple(sorted(marks, key=lambda each: (each.layer.round, each.time_ns)))


def read_painted_plane(volume: Path, layer: PaintLayer, index: int) -> Plane:
    """Read one plane of one person and round; all `UNPAINTED` if nothing was painted there."""
    return read_plane_or_empty(volume, volume_info(volume), layer, index)


def _lay(below: Plane, above: Plane) -> None:
    np.copyto(below, above, where=above != UNPAINTED)
