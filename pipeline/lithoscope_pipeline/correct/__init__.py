"""Counts to line integrals: dark and beam, dead pixels, direct hits, minus log, rings, phase."""

from lithoscope_pipeline.correct.beam import EigenBeam
from lithoscope_pipeline.correct.correction import (
    MIN_TRANSMISSION,
    Correction,
    CountStack,
    FlatMode,
    Flats,
    FlatSet,
    RingMethod,
)
from lithoscope_pipeline.correct.eigen_flats import fit_eigen_beam
from lithoscope_pipeline.correct.frames import FrameCorrector, HaloRows
from lithoscope_pipeline.correct.rings import remove_rings
from lithoscope_pipeline.correct.stack import correct
from lithoscope_pipeline.correct.stripes import (
    MedianFinder,
    StripeFinder,
    Stripes,
    find_stripes,
    stripe_finder,
)

__all__ = [
    "MIN_TRANSMISSION",
    "Correction",
    "CountStack",
    "EigenBeam",
    "FlatMode",
    "FlatSet",
    "Flats",
    "FrameCorrector",
    "HaloRows",
    "MedianFinder",
    "RingMethod",
    "StripeFinder",
    "Stripes",
    "correct",
    "find_stripes",
    "fit_eigen_beam",
    "remove_rings",
    "stripe_finder",
]
