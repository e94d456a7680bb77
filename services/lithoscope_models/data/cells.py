"""Which simulated cells a network is trained on: the default one, varied as far as one asks."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lithoscope_pipeline.phantom import (
    FAMILIES,
    SIZES,
    CellParameters,
    DetectorParameters,
    FamilyName,
    SimulatedCell,
    SizeName,
    between,
    make_cell,
)

Factor = Callable[[float], float]

_STREAM = 71
_NO_EFFICIENCY = 1e-6
_SWELLING_UM = 39.0  # the motion of the reference cell
N_SCANS = 25  # of a whole cycle, one after each pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDraw:
    """A simulated cell by its seed.

    Parameters
    ----------
    seed
        Of the cell, and of how it differs from the default one.
    size
        Detector.
    family
        Generator family.
    spread
        How far parameters that a real cell does not share with the default one may differ from
        it; 0 for the family as it is, 1 for thicknesses by 5 %, photons, texture and roughness
        by half, sizes of dendrites and pits by a third.
    swells_only
        Nothing is plated, and yet the plating side moves by 39 um: the electrolyte swells.
    towards, share
        Another family, and how far towards it the cell is (see `between`); None for a cell of
        its family.
    """

    seed: int
    size: SizeName = "small"
    family: FamilyName = "default"
    spread: float = 0.0
    swells_only: bool = False
    towards: FamilyName | None = None
    share: float = 0.0

    @property
    def kind(self) -> str:
        """Say of which family it is, and towards which it goes."""
        if self.towards is None:
            return self.family
        return f"{self.family}, {self.share:.0%} of the way to {self.towards}"

    def told(self) -> dict[str, Any]:
        """Say how it is drawn, for cards and for the names of folders.

        A cell of its family says nothing of another one: its folder keeps its name.
        """
        drawn = asdict(self)
        if self.towards is None:
            del drawn["towards"], drawn["share"]
        return drawn


def drawn_cell(
    draw: CellDraw, *, view_px: tuple[int, int] | None = None, bridge_pulse: float | None = None
) -> SimulatedCell:
    """Make the cell of a draw; equal arguments give equal bytes.

    Parameters
    ----------
    draw
        The cell.
    view_px
        Rows and columns of a smaller view of it; None for that of the size.
    bridge_pulse
        Pulse in which it is bridged inside the view; None for no bridge.
    """
    rng = np.random.default_rng([draw.seed, _STREAM])

    def factor(share: float) -> float:
        return float(np.exp(draw.spread * rng.uniform(-1.0, 1.0) * np.log1p(share)))

    cell = _varied_cell(draw.seed, factor)
    detector = _varied_detector(SIZES[draw.size], factor)
    if view_px is not None:
        detector = replace(detector, n_rows=view_px[0], n_columns=view_px[1])
    if bridge_pulse is not None:
        growth = replace(cell.growth, bridge="inside", bridge_pulse=bridge_pulse)
        cell = replace(cell, growth=growth)
    if draw.swells_only:
        cell = _swelling_cell(cell)
    family = draw.family
    if draw.towards is not None:
        own, other = (FAMILIES[each].turn(cell, detector) for each in (family, draw.towards))
        scatter = np.random.default_rng([draw.seed, _STREAM, 1])
        cell, detector = between(own, other, draw.share, scatter)
        family = "default"  # the parameters are turned already
    return make_cell(
        draw.size, seed=draw.seed, n_scans=N_SCANS, family=family, cell=cell, detector=detector
    )


def _varied_cell(seed: int, factor: Factor) -> CellParameters:
    cell = CellParameters(seed=seed)
    growth = cell.growth
    dendrites, pits, porosity = growth.dendrites, growth.pits, growth.porosity
    widths, lengths, depths = factor(0.25), factor(0.33), factor(0.33)
    return replace(
        cell,
        # Thinner only: the view of each size holds the default stack and little more.
        stripping_thickness_um=cell.stripping_thickness_um / max(factor(0.05), 1.0),
        electrolyte_thickness_um=cell.electrolyte_thickness_um / max(factor(0.05), 1.0),
        plating_thickness_um=cell.plating_thickness_um / max(factor(0.05), 1.0),
        growth=replace(
            growth,
            layer_roughness_um=growth.layer_roughness_um * factor(0.5),
            dendrites=replace(
                dendrites,
                spacing_um=dendrites.spacing_um * factor(0.33),
                height_um=dendrites.height_um * lengths,
                trunk_radius_um=_times(dendrites.trunk_radius_um, widths),
                branch_radius_um=_times(dendrites.branch_radius_um, widths),
                branch_length_um=_times(dendrites.branch_length_um, lengths),
            ),
            pits=replace(
                pits,
                depth_um=pits.depth_um * depths,
                bowl_depth_um=pits.bowl_depth_um * depths,
                bowl_spacing_um=pits.bowl_spacing_um * factor(0.33),
                lift_um=pits.lift_um * factor(0.33),
                lift_spacing_um=pits.lift_spacing_um * factor(0.33),
            ),
            porosity=replace(
                porosity,
                texture=porosity.texture * factor(0.5),
                interface_um=porosity.interface_um * factor(0.5),
            ),
        ),
    )


def _swelling_cell(cell: CellParameters) -> CellParameters:
    """Take away all that current does but the swelling."""
    growth = cell.growth
    return replace(
        cell,
        growth=replace(
            growth,
            efficiency=_NO_EFFICIENCY,
            swelling_um=_SWELLING_UM,
            layer_roughness_um=0.0,
            dendrites=replace(growth.dendrites, spacing_um=0.0, n_threats=0),
            pits=replace(growth.pits, depth_um=0.0, coverage=0.0, bowl_depth_um=0.0, lift_um=0.0),
        ),
    )


def _varied_detector(detector: DetectorParameters, factor: Factor) -> DetectorParameters:
    response = replace(detector.response, psf_fwhm_px=detector.response.psf_fwhm_px * factor(0.2))
    return replace(detector, photons=detector.photons * factor(0.5), response=response)


def _times(limits: tuple[float, float], factor: float) -> tuple[float, float]:
    return limits[0] * factor, limits[1] * factor
