"""Families of simulated cells that differ in one respect, for tests that leave one out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.parameters import CellParameters, DetectorParameters

FamilyName = Literal["default", "mossy", "filaments", "soft_contrast", "coarse_noise", "blurred"]
_SOFT_ENERGY_KEV: Final = 36.0
Pair = tuple[CellParameters, DetectorParameters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family: what sets it apart, in one line, and how parameters are turned into it."""

    differs: str
    turn: Callable[[CellParameters, DetectorParameters], Pair]


def between(first: Pair, second: Pair, share: float, rng: np.random.Generator) -> Pair:
    """Give parameters part of the way from one family's to another's.

    Parameters
    ----------
    first, second
        Cell and detector, turned into either family.
    share
        How far towards the second, 0 to 1. Numbers go there in a straight line, whole ones to
        the nearest; what is no number is as in the first.
    rng
        Sends each parameter of the growth its own way: some nearly all of it, some hardly, on
        average as far as ``share`` says.
    """
    growths = first[0].growth, second[0].growth
    shares = iter(_scattered(_n_unlike(*growths), share, rng))
    cell = _between(first[0], replace(second[0], growth=growths[0]), lambda: share)
    growth = _between(*growths, lambda: float(next(shares)))
    return replace(cell, growth=growth), _between(first[1], second[1], lambda: share)


def _scattered(n: int, mean: float, rng: np.random.Generator) -> NDArray[np.float64]:
    shares = rng.uniform(size=n)
    if n and shares.mean() < mean:
        return np.asarray(1.0 - (1.0 - shares) * (1.0 - mean) / (1.0 - shares.mean()))
    return shares * (mean / max(shares.mean(), mean)) if n else shares


def _n_unlike(first: Any, second: Any) -> int:
    if not is_dataclass(first):
        return int(first != second)
    return sum(_n_unlike(getattr(first, x.name), getattr(second, x.name)) for x in fields(first))


def _between(first: Any, second: Any, share: Callable[[], float]) -> Any:
    if first == second:
        return first
    if is_dataclass(first) and not isinstance(first, type):
        told = {
            each.name: _between(getattr(first, each.name), getattr(second, each.name), share)
            for each in fields(first)
        }
        return replace(first, **told)
    part = share()
    if isinstance(first, tuple):
        return tuple((1.0 - part) * a + part * b for a, b in zip(first, second, strict=True))
    if isinstance(first, bool) or not isinstance(first, int | float):
        return first
    number = (1.0 - part) * first + part * second
    return round(number) if isinstance(first, int) else number


def _as_they_are(cell: CellParameters, detector: DetectorParameters) -> Pair:
    return cell, detector


def _mossy(cell: CellParameters, detector: DetectorParameters) -> Pair:
    dendrites = replace(
        cell.growth.dendrites,
        spacing_um=38.0,
        height_um=8.0,
        trunk_radius_um=(5.0, 9.0),
        branch_radius_um=(4.0, 7.0),
        n_branches=5,
        branch_length_um=(3.0, 8.0),
        branch_elevation_deg=(0.0, 70.0),
    )
    growth = replace(
        cell.growth, dendrites=dendrites, layer_roughness_um=5.5, plated_porosity=0.72
    )
    return replace(cell, growth=growth), detector


def _filaments(cell: CellParameters, detector: DetectorParameters) -> Pair:
    dendrites = replace(
        cell.growth.dendrites,
        spacing_um=36.0,
        height_um=16.0,
        trunk_radius_um=(2.0, 3.2),
        branch_radius_um=(1.8, 2.6),
        n_branches=4,
        branch_length_um=(20.0, 45.0),
        branch_elevation_deg=(0.0, 30.0),
        stranded_share=0.2,
    )
    return replace(cell, growth=replace(cell.growth, dendrites=dendrites)), detector


def _soft_contrast(cell: CellParameters, detector: DetectorParameters) -> Pair:
    return replace(cell, optics=replace(cell.optics, energy_keV=_SOFT_ENERGY_KEV)), detector


def _coarse_noise(cell: CellParameters, detector: DetectorParameters) -> Pair:
    response = replace(detector.response, noise_fwhm_px=2.0)
    return cell, replace(detector, response=response)


def _blurred(cell: CellParameters, detector: DetectorParameters) -> Pair:
    response = replace(detector.response, psf_fwhm_px=2.0)
    return cell, replace(detector, response=response)


FAMILIES: Mapping[FamilyName, Family] = MappingProxyType(
    {
        "default": Family(differs="the reference experiment", turn=_as_they_are),
        "mossy": Family(
            differs="growth law: round, merging lumps on a rough and more porous layer",
            turn=_mossy,
        ),
        "filaments": Family(
            differs="growth law: a network of thin, long, flat-lying filaments",
            turn=_filaments,
        ),
        "soft_contrast": Family(
            differs="contrast: at 36 keV attenuation and phase tell less",
            turn=_soft_contrast,
        ),
        "coarse_noise": Family(
            differs="noise spectrum: light spread over 2 px correlates the photon noise",
            turn=_coarse_noise,
        ),
        "blurred": Family(
            differs="blur: a scintillator of 2 px full width at half maximum",
            turn=_blurred,
        ),
    }
)
