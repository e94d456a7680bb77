"""Whether an engine gives what the network gives."""

from dataclasses import dataclass

import numpy as np

from lithoscope_models.engines.protocol import Patches
from lithoscope_pipeline.inference import classify_logits

MIN_AGREEMENT = 0.999
MAX_VOLUME_CHANGE = 0.002
# Of a class that hardly occurs in a patch, one pixel is more than a share of it.
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How near logits are to those of torch in float32.

    Parameters
    ----------
    agreement
        Share of the pixels with the same class.
    volume_change
        Largest change of the soft volume of a class, as a share of it; classes under 2 % of the
        pixels count as 2 %.
    largest_error
        Largest difference of a logit.
    """

    agreement: float
    volume_change: float
    largest_error: float

    @property
    def is_good(self) -> bool:
        """Whether labels agree in 99.9 % of the pixels and volumes within 0.2 %."""
        return self.agreement >= MIN_AGREEMENT and self.volume_change <= MAX_VOLUME_CHANGE


def compare_logits(logits: Patches, reference: Patches) -> Parity:
    """Compare logits, shape (n, classes, rows, columns), with those of the network.

    Logits that are not finite agree nowhere.
    """
    if logits.shape != reference.shape or not np.isfinite(logits).all():
        return Parity(agreement=0.0, volume_change=np.inf, largest_error=np.inf)
    ours, theirs = ([classify_logits(each) for each in group] for group in (logits, reference))
    same = [np.mean(a.labels == b.labels) for a, b in zip(ours, theirs, strict=True)]
    soft, true_soft = (sum(each.soft_px for each in group) for group in (ours, theirs))
    n_pixels = reference.size / reference.shape[1]
    change = np.abs(soft - true_soft) / np.maximum(true_soft, _LEAST_SHARE * n_pixels)
    return Parity(
        agreement=float(np.mean(same)),
        volume_change=float(change.max()),
        largest_error=float(np.abs(logits - reference).max()),
    )
