"""The layers of a cell in a volume whose grey scale may be inverted."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.geometry import field_axis_px
from lithoscope_pipeline.reference_frame.layers import find_planes
from lithoscope_pipeline.reference_frame.level import (
    cross_profiles,
    find_plane_angle_deg,
    sample_slices,
    turned,
)
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.setup_checks.finding import SetupFinding

_CHECK: Final = "grey polarity"
#: Profiles at different heights: layers are the same everywhere.
_LEAST_AGREEMENT: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLayers:
    """The six planes of a cell across a volume, for either grey scale.

    Parameters
    ----------
    planes_px
        Places along y as a cell has them where denser is brighter; None if it is none.
    inverted_planes_px
        The same where denser is darker.
    angle_deg
        Angle from the x axis to the layers.
    agreement
        Correlation of the profiles at different heights.
    """

    planes_px: tuple[float, ...] | None
    inverted_planes_px: tuple[float, ...] | None
    angle_deg: float
    agreement: float

    @property
    def stack_px(self) -> float | None:
        """Distance of the outer faces of the electrodes, voxels."""
        planes = self.planes_px or self.inverted_planes_px
        return None if planes is None else planes[4] - planes[1]

    @property
    def side_px(self) -> tuple[float, float] | None:
        """Thickness of the lithium at low and at high y, voxels."""
        planes = self.planes_px or self.inverted_planes_px
        return None if planes is None else (planes[2] - planes[1], planes[4] - planes[3])


def find_cell_layers(source: VolumeSource, voxel_um: float) -> CellLayers:
    """Look for a cell with either grey scale; the layers may lie in any direction.

    Parameters
    ----------
    source
        A volume, axes (z, y, x); a few rows are read.
    voxel_um
        Edge of a voxel.

    Returns
    -------
    CellLayers
        Planes of both readings.
    """
    slices = sample_slices(source)
    radius_px = field_axis_px(min(source.shape[1:]))
    angle_deg = find_plane_angle_deg(slices, radius_px)
    profiles = cross_profiles(source, turned(source.shape, about_z_deg=angle_deg), radius_px)
    mean = np.asarray(profiles.mean, np.float64)
    is_layered = profiles.agreement >= _LEAST_AGREEMENT
    return CellLayers(
        planes_px=find_planes(mean, voxel_um) if is_layered else None,
        inverted_planes_px=find_planes(-mean, voxel_um) if is_layered else None,
        angle_deg=angle_deg,
        agreement=profiles.agreement,
    )


def check_polarity(layers: CellLayers) -> SetupFinding:
    """Tell whether denser is brighter: only then the order of the layers is that of a cell."""
    evidence = {"agreement": layers.agreement, "angle_deg": layers.angle_deg}
    if layers.planes_px is not None:
        text = "denser is brighter: pouch, lithium, electrolyte, lithium, pouch in this order"
        return SetupFinding(check=_CHECK, verdict="right", text=text, evidence=evidence)
    if layers.inverted_planes_px is not None:
        return SetupFinding(
            check=_CHECK,
            verdict="wrong",
            text="the layers of a cell are there with grey values inverted: the pouch is dark and "
            "lithium bright",
            advice="of a stream: flats and darks may be taken for each other, look at kind_from; "
            "of volumes: give --inverted",
            evidence=evidence,
        )
    text = "no layers of a cell with either grey scale, so that nothing is known of it"
    return SetupFinding(check=_CHECK, verdict="unknown", text=text, evidence=evidence)
