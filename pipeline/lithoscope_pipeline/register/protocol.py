"""What a registration engine is, and what it answers."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lithoscope_pipeline.register.evidence import Evidence
from lithoscope_pipeline.register.pairs import Comparison
from lithoscope_pipeline.rigid import Points, RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationLimits:
    """What a transform must show to be believed.

    Parameters
    ----------
    residual_px
        Largest residual; beyond one voxel growth can no longer be told from motion.
    uncertainty_px
        Largest standard deviation of a corner from noise alone.
    texture_score
        Least agreement of the texture. Pairs of simulated scans that do not belong together have
        up to 4, those that do 65 and more.
    correlation
        Least correlation of the grey values.
    overlap
        Least share of what stays that the moving scan holds.
    """

    residual_px: float = 1.0
    uncertainty_px: float = 0.5
    texture_score: float = 8.0
    correlation: float = 0.3
    overlap: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An answer with what speaks for it.

    Parameters
    ----------
    transform
        Fixed scan to moving scan. With verdict ``failed`` it is the start.
    best_guess
        What was found, believed or not.
    evidence
        Numbers that the verdict rests on.
    reasons
        Why it is not believed, one line each; empty if it is.
    information
        Of (shift z, y, x in voxels, rotation about z, y, x in radians) about the centre of the
        transform, from noise alone, shape (6, 6).
    engine
        Who found it.
    """

    transform: RigidTransform
    best_guess: RigidTransform
    evidence: Evidence
    reasons: tuple[str, ...]
    information: Points = field(compare=False, default_factory=lambda: np.zeros((6, 6)))
    engine: str = ""

    @property
    def is_resolved(self) -> bool:
        """Whether the transform is believed."""
        return not self.reasons


class RegistrationEngine(Protocol):
    """Finds the rigid transform between two scans."""

    @property
    def name(self) -> str:
        """Name for people and settings."""

    def register(
        self,
        comparison: Comparison,
        *,
        start: RigidTransform | None = None,
        limits: RegistrationLimits | None = None,
    ) -> Registration:
        """Find it, starting in place or where a person or the previous scan says."""
