"""What a simulated cell and its detector are made of, with the reference experiment as default.

Thicknesses and rates reproduce the lithium/polymer/lithium cell of [1]_.

References
----------
.. [1] Huang et al., npj Comput. Mater. 9, 93 (2023). doi:10.1038/s41524-023-01039-y
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom.acquisition_parameters import AcquisitionParameters
from lithoscope_pipeline.phantom.cycling_parameters import CyclingParameters
from lithoscope_pipeline.phantom.detector_parameters import BeamParameters, ResponseParameters
from lithoscope_pipeline.phantom.fault_parameters import FaultParameters
from lithoscope_pipeline.phantom.growth_parameters import GrowthParameters
from lithoscope_pipeline.phantom.structure_parameters import (
    OpticsParameters,
    StructureParameters,
)

SizeName = Literal["tiny", "small", "medium", "full"]

LITHIUM_UM3_PER_MAH = 4.8514e8  # 3860 mAh/g and 0.534 g/cm3
LITHIUM_UM_PER_MAH_CM2 = LITHIUM_UM3_PER_MAH / 1e8
S_PER_H = 3600.0
_VOIDS_UM = 3.0  # pits and voids together, about


@dataclass(frozen=True, slots=True, kw_only=True)
class CellParameters:
    """The cell, its cycling and its disturbances.

    Parameters
    ----------
    seed
        Makes every random choice of the cell, its drift and its noise; not negative.
    stripping_thickness_um, electrolyte_thickness_um, plating_thickness_um, pouch_thickness_um
        Layers before cycling, from the stationary side outwards; a pouch lies on either side.
    current_mA_cm2, pulse_s, rest_s, n_pulses, active_area_cm2
        Galvanostatic pulses, half of them charging and half discharging, a rest after each.
    width_factor
        Width of the cell along x, in widths of the detector's view.
    drift_shift_px, drift_rotation_deg
        Largest rigid drift of a scan against scan 0: along (z, y, x), about each of them.
    has_noise
        Whether frames carry photon and read-out noise.
    cycling
        Cycles, and scans before the first pulse.
    structure, optics
        What surrounds the electrodes, and how the beam passes through. Plated lithium counts as
        lithium: what fills its pores makes up for the metal that they lack.
    growth
        Where the lithium goes: layers, dendrites, pits, voids and bridges.

    References
    ----------
    .. [1] Huang et al., npj Comput. Mater. 9, 93 (2023). doi:10.1038/s41524-023-01039-y
    """

    seed: int
    stripping_thickness_um: float = 112.0
    electrolyte_thickness_um: float = 280.0
    plating_thickness_um: float = 107.7
    pouch_thickness_um: float = 62.0
    current_mA_cm2: float = 1.5  # noqa: N815 - the unit is spelt so
    pulse_s: float = 600.0
    rest_s: float = 1200.0
    n_pulses: int = 24
    active_area_cm2: float = 0.5
    width_factor: float = 4.5
    drift_shift_px: tuple[float, float, float] = (2.0, 3.0, 3.0)
    drift_rotation_deg: float = 0.3
    has_noise: bool = True
    cycling: CyclingParameters = field(default_factory=CyclingParameters)
    structure: StructureParameters = field(default_factory=StructureParameters)
    optics: OpticsParameters = field(default_factory=OpticsParameters)
    growth: GrowthParameters = field(default_factory=GrowthParameters)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ParameterError(f"seed is {self.seed}; a number from 0 is needed")
        if self.n_pulses < 2 or self.n_pulses % 2:
            raise ParameterError(f"n_pulses is {self.n_pulses}; an even number from 2 is needed")
        if self.growth.bridge != "none" and self.growth.bridge_pulse > self.n_charge_pulses:
            raise ParameterError(
                f"bridge_pulse is {self.growth.bridge_pulse}; a bridge grows in the first "
                f"{self.n_charge_pulses} pulses"
            )

    @property
    def n_charge_pulses(self) -> int:
        """Pulses of the first half-cycle."""
        return self.n_pulses // 2

    @property
    def n_all_pulses(self) -> int:
        """Pulses of all cycles."""
        return self.n_pulses * self.cycling.n_cycles

    @property
    def pulse_charge_mAh_cm2(self) -> float:  # noqa: N802 - the unit is spelt so
        """Charge of one pulse, per area."""
        return self.current_mA_cm2 * self.pulse_s / S_PER_H

    @property
    def moved_um_per_pulse(self) -> float:
        """Dense lithium that one pulse really moves, as a thickness."""
        return self.growth.efficiency * LITHIUM_UM_PER_MAH_CM2 * self.pulse_charge_mAh_cm2

    @property
    def thickest_stack_um(self) -> float:
        """Thickness of the whole stack, pouches included, at the end of charging."""
        pristine_um = (
            self.stripping_thickness_um
            + self.electrolyte_thickness_um
            + self.plating_thickness_um
            + 2.0 * self.pouch_thickness_um
        )
        lost_um = self.moved_um_per_pulse * self.n_charge_pulses
        plated_um = lost_um / (1.0 - self.growth.plated_porosity)
        return pristine_um + plated_um - lost_um + self.growth.swelling_um + _VOIDS_UM


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorParameters:
    """The detector, its view and its noise.

    Parameters
    ----------
    n_rows, n_columns, n_angles
        Pixels and projections; the angles divide 180 degrees evenly, the end excluded.
    voxel_um
        Pixel edge at the sample.
    photons
        Mean photons a pixel and exposure in the open beam. Without phase retrieval the noise of a
        voxel is ``sigma**2 = pi**2 / (12 n_angles voxel_cm**2 photons)``. The defaults give a
        contrast-to-noise of lithium against electrolyte of about 4 after it; ``tiny``, whose
        voxels are too large for fringes, has light enough to tell lithium without.
    n_flats, n_darks
        Frames of the open beam and of the closed shutter, taken before the projections.
    dark_level, read_noise
        Offset and its standard deviation, in grey levels.
    open_beam_level
        Mean grey level of the open beam above the dark level; with ``photons`` it makes the gain.
    exposure_share
        Share of the step between angles that the sample turns by while a frame is exposed;
        0 for a rotation in steps.
    axis_offset_px
        Largest distance of the rotation axis from the middle of the detector.
    acquisition, beam, response, faults
        How a scan is taken, what the open beam and the pixels are like, and what goes wrong.
    """

    n_rows: int
    n_columns: int
    n_angles: int
    voxel_um: float
    photons: float
    n_flats: int = 10
    n_darks: int = 5
    dark_level: float = 100.0
    read_noise: float = 1.5
    open_beam_level: float = 45_000.0
    exposure_share: float = 1.0
    axis_offset_px: float = 4.0
    acquisition: AcquisitionParameters = field(default_factory=AcquisitionParameters)
    beam: BeamParameters = field(default_factory=BeamParameters)
    response: ResponseParameters = field(default_factory=ResponseParameters)
    faults: FaultParameters = field(default_factory=FaultParameters)

    def __post_init__(self) -> None:
        overlap = self.acquisition.tile_overlap_rows
        if self.acquisition.n_tiles > 1 and overlap >= self.n_rows:
            raise ParameterError(
                f"tile_overlap_rows is {overlap}; tiles of {self.n_rows} rows need less"
            )

    @property
    def gain(self) -> float:
        """Grey levels a photon."""
        return self.open_beam_level / self.photons

    @property
    def n_volume_rows(self) -> int:
        """Rows of all tiles together, each counted once."""
        acquisition = self.acquisition
        return acquisition.n_tiles * self.n_rows - (acquisition.n_tiles - 1) * (
            acquisition.tile_overlap_rows
        )


SIZES: Mapping[SizeName, DetectorParameters] = MappingProxyType(
    {
        "tiny": DetectorParameters(
            n_rows=24, n_columns=192, n_angles=180, voxel_um=4.5, photons=0.95e6
        ),
        "small": DetectorParameters(
            n_rows=96, n_columns=384, n_angles=360, voxel_um=2.25, photons=8_000.0
        ),
        "medium": DetectorParameters(
            n_rows=256, n_columns=1024, n_angles=900, voxel_um=1.33, photons=2_000.0
        ),
        "full": DetectorParameters(
            n_rows=2160,
            n_columns=2560,
            n_angles=1500,
            voxel_um=1.33,
            photons=1_300.0,
            # 3978 rows in all, one more than the published volume.
            acquisition=AcquisitionParameters(n_tiles=3, tile_overlap_rows=1251),
        ),
    }
)
