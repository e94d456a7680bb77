"""Intervals for the metrics of one label file, whose maker someone names."""

from pathlib import Path

from lithoscope_models.calibration.tables import calibrations_for
from lithoscope_models.model_file import model_sha256
from lithoscope_models.network_pass import region_references
from lithoscope_pipeline.measure import Measurement
from lithoscope_pipeline.measure.existence import measure_existence, with_existence
from lithoscope_pipeline.measure.intervals import IntervalContext, with_intervals
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import Metric
from lithoscope_pipeline.noise_grain import measure_grain
from lithoscope_pipeline.sharpness import measure_blur
from lithoscope_services.stages.stored_volume import StoredVolume

BY_THRESHOLDS = "layers"


def with_file_intervals(
    measurement: Measurement,
    path: Path,
    shape: tuple[int, ...],
    *,
    model: str,
    voxel_um: float,
) -> dict[str, Metric]:
    """Give intervals to the metrics of labels that lie inside their own image, and to objects.

    Parameters
    ----------
    measurement
        Of the labels.
    path
        The image: its noise and its blur decide how far the labels can be trusted.
    shape
        Of the labels, (z, y, x).
    model
        Network that made them from this one image, or ``layers``.
    voxel_um
        Edge of a voxel.

    Raises
    ------
    ModelRefusedError
        If there is no such network.
    """
    by_network = model != BY_THRESHOLDS
    image = StoredVolume(path)
    references = region_references(image)
    context = IntervalContext(
        calibrations=calibrations_for(model if by_network else None),
        origin="single_scan" if by_network else "layers",
        model_sha256=model_sha256(model) if by_network else "",
        measure_version=METRICS_VERSION,
        voxel_um=voxel_um,
        area_um2=shape[0] * shape[2] * voxel_um**2,
        cnr=references.cnr if references.verdict == "resolved" else None,
        blur_px=measure_blur(image),
        grain=measure_grain(image),
    )
    objects = with_existence(measurement.objects, context)
    return with_intervals(measurement.metrics, context) | measure_existence(objects, context)
