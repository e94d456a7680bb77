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
from lithoscope_pipeline.correct.stripes import median_stripes, titarenko_stripes

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
    "RingMethod",
    "correct",
    "fit_eigen_beam",
    "median_stripes",
    "remove_rings",
    "titarenko_stripes",
]
