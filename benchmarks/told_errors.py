"""Volumes that are wrong, and who says so: their interval, or the distance from the training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lithoscope_models.calibration.tables import calibrations_for
from lithoscope_models.model_file import DEFAULT_MODEL, model_sha256
from lithoscope_pipeline.measure.intervals.apply import IntervalContext, with_intervals
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import measured

#: Of the true volume: what is off by more is said by something, or is told by nothing.
OFF: Final = 0.25
Teller = Literal["near", "interval", "score", "width", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume of one class in one scan.

    Parameters
    ----------
    measured_um3, true_um3
        What was found, and what there is.
    low_um3, high_um3
        Its 95 % interval; None where it has none and a flag says why.
    """

    measured_um3: float
    true_um3: float
    low_um3: float | None
    high_um3: float | None

    @property
    def is_there(self) -> bool:
        """Whether there is any of it, in truth or in the labels."""
        return self.measured_um3 > 0 or self.true_um3 > 0

    @property
    def is_off(self) -> bool:
        """Whether it is off by more than a quarter of the truth."""
        return self._is_off_from(self.true_um3)

    def _is_off_from(self, um3: float) -> bool:
        return abs(self.measured_um3 - um3) > OFF * um3

    def told_by(self, distance: float | None) -> Teller:
        """Say who tells that it is off: its interval before the score of its scan.

        Parameters
        ----------
        distance
            From the training, in units of the limit; None if it was not measured.

        Returns
        -------
        Teller
            ``near`` if it is not off; ``interval`` if the truth lies in it, or there is none;
            ``score``; ``width`` if the truth lies beyond an end of the interval, which is itself
            so far that the volume would be off; else ``nobody``.
        """
        if not self.is_off:
            return "near"
        if self.low_um3 is None or self.high_um3 is None:
            return "interval"  # there is none, and a flag says why
        if self.low_um3 <= self.true_um3 <= self.high_um3:
            return "interval"
        if distance is not None and distance > 1.0:
            return "score"
        nearest_um3 = self.low_um3 if self.true_um3 < self.low_um3 else self.high_um3
        is_wide = self.true_um3 > 0 and self._is_off_from(nearest_um3)
        return "width" if is_wide else "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the intervals of a scan depend on: voxels, region, contrast-to-noise, blur, grain."""

    voxel_um: float
    area_um2: float
    cnr: float
    blur_px: float | None
    grain: float | None


def volumes_of(
    found: Mapping[str, float], true: Mapping[str, float], scan: Surroundings
) -> dict[str, Volume]:
    """Put measured volumes of the default network beside the true ones, with their intervals.

    Parameters
    ----------
    found, true
        In cubic micrometres, by name of the metric.
    scan
        Where they were measured.
    """
    context = IntervalContext(
        calibrations=calibrations_for(DEFAULT_MODEL),
        origin="network",
        model_sha256=model_sha256(DEFAULT_MODEL),
        measure_version=METRICS_VERSION,
        voxel_um=scan.voxel_um,
        area_um2=scan.area_um2,
        cnr=scan.cnr,
        blur_px=scan.blur_px,
        grain=scan.grain,
    )
    metrics = with_intervals({k: measured(v, "um3") for k, v in found.items()}, context)
    return {
        name: Volume(
            measured_um3=found[name],
            true_um3=true[name],
            low_um3=metric.low95,
            high_um3=metric.high95,
        )
        for name, metric in metrics.items()
    }
