"""The maps of a scan: from above, and both cross-sections."""

import numpy as np

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.columns import Faces, flatten_cross_sections
from lithoscope_pipeline.measure.counts import thickness_maps
from lithoscope_pipeline.measure.scan import ReadScan

_UNITS = (
    ("_mA_cm2", "mA/cm2"),
    ("_um", "um"),
    ("_um_yx", "um"),
    ("_um_zy", "um"),
)


def map_unit(name: str) -> str:
    """Give the unit that the name of a map ends in, ``"1"`` if none."""
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "1")


def measure_maps(
    scan: ReadScan, *, gap_um: FloatImage, void_depth_um: FloatImage | None
) -> dict[str, FloatImage]:
    """Make all maps that one scan has by itself.

    Parameters
    ----------
    scan
        The scan.
    gap_um
        Map of the remaining gap.
    void_depth_um
        Map of what was not filled again, if there is a scan to compare with.

    Returns
    -------
    dict
        In-plane (z, x): ``<class>_thickness_um``, ``<class>_density``, ``<side>_surface_um``,
        ``<side>_height_um``, ``remaining_gap_um``, ``void_depth_um``. Cross-sections:
        ``<class>_density_yx`` and ``<class>_density_zy``, the class's share along the third axis;
        ``edges_um_yx`` and ``edges_um_zy``, shape (4, n): the mean place of the faces of the
        stripping and the plating electrode, from low to high y, along x and along z.
    """
    um = scan.voxel_um
    maps = thickness_maps(scan.counts, voxel_um=um)
    per_row = np.float32(1.0 / scan.counts.n_y)
    for label in Label:
        if label is Label.BACKGROUND:
            continue
        maps[f"{label.key}_density"] = scan.counts.columns[label].astype(np.float32) * per_row
        yx, zy = flatten_cross_sections(scan.runs, label)
        maps[f"{label.key}_density_yx"], maps[f"{label.key}_density_zy"] = yx, zy
    heights = scan.heights
    maps |= {
        "stripping_surface_um": heights.stripping_surface_um,
        "plating_surface_um": heights.plating_surface_um,
        "stripping_height_um": heights.stripping_um,
        "plating_height_um": heights.plating_um,
        "edges_um_yx": _edges_um(scan.faces, axis=0, voxel_um=um),
        "edges_um_zy": _edges_um(scan.faces, axis=1, voxel_um=um),
        "remaining_gap_um": gap_um,
    }
    if void_depth_um is not None:
        maps["void_depth_um"] = void_depth_um
    return {name: np.asarray(image, np.float32) for name, image in maps.items()}


def _edges_um(faces: Faces, *, axis: int, voxel_um: float) -> FloatImage:
    """Give the mean place of each electrode face along an axis of the plane, NaN where none is."""
    lines = []
    for rows, beyond in (
        (faces.stripping_outer, 0.0),
        (faces.stripping_inner, 1.0),
        (faces.plating_inner, 0.0),
        (faces.plating_outer, 1.0),
    ):
        known = rows >= 0
        n = known.sum(axis=axis)
        total = np.where(known, rows + beyond, 0.0).sum(axis=axis)
        lines.append(np.where(n > 0, total / np.maximum(n, 1), np.nan) * voxel_um)
    return np.stack(lines).astype(np.float32)
