"""From the parts of a measure task to intervals: the calibration beside the default network."""

from typing import Any

import pytest

from lithoscope_messages import LabelsReady
from lithoscope_models.calibration.tables import calibration_sha256
from lithoscope_models.model_file import DEFAULT_MODEL, model_sha256
from lithoscope_pipeline.measure.intervals import with_intervals
from lithoscope_pipeline.metric import Metric, measured
from lithoscope_services.history import History
from lithoscope_services.stages.measure.interval_context import (
    interval_arguments,
    interval_context,
    interval_parameters,
)

METRICS = {
    "plating_side_thickness_um": measured(120.0, "um", voxels=90_000),
    "single_scan_remaining_gap_um": measured(150.0, "um", voxels=9_000),
}


def labels(**changes: Any) -> LabelsReady:  # fields of the message
    fields: dict[str, Any] = {
        "experiment": "cell",
        "key": "labels",
        "time_ns": 1,
        "producer": "test",
        "scan": 3,
        "work_key": "1" * 64,
        "path": "volumes/none.zarr",
        "shape": (40, 288, 112),
        "voxel_um": 2.25,
        "sha256": "0" * 64,
        "model": DEFAULT_MODEL,
        "model_sha256": model_sha256(DEFAULT_MODEL),
    }
    return LabelsReady(**fields | changes)


def intervals(
    ready: LabelsReady, *, cnr: float | None = 4.0, blur_px: float | None = 0.8
) -> dict[str, Metric]:
    history = History("cell")
    parameters = {
        "intervals": interval_parameters(history, ready),
        "voxel_um": ready.voxel_um,
        "quality": {
            "cnr_li_electrolyte": (cnr, "1"),
            "registration_residual_px": (0.1, "px"),
        },
    }
    arguments = {"intervals": interval_arguments(history, ready, ())}
    context = interval_context(parameters, arguments, (), blur_px=blur_px, grain=0.4)
    return with_intervals(METRICS, context)


def test_labels_of_the_default_network_have_intervals() -> None:
    found = intervals(labels())

    side = found["plating_side_thickness_um"]
    assert side.low95 is not None
    assert side.high95 is not None
    assert 115.0 < side.low95 <= 120.0 <= side.high95 < 125.0
    assert found["single_scan_remaining_gap_um"].low95 is not None


def test_labels_by_thresholds_have_their_own() -> None:
    by_network = intervals(labels())["plating_side_thickness_um"]
    by_thresholds = intervals(labels(model="layers", model_sha256=None))

    side = by_thresholds["plating_side_thickness_um"]
    assert side.low95 is not None
    assert (side.low95, side.high95) != (by_network.low95, by_network.high95)


def test_labels_that_saw_no_earlier_scan_are_judged_as_such() -> None:
    parameters = interval_parameters(History("cell"), labels(flags=("single_scan_labels",)))

    assert parameters["origin"] == "single_scan"
    assert parameters["calibration_sha256"] == calibration_sha256(DEFAULT_MODEL)


def test_labels_of_another_network_have_none_and_say_so() -> None:
    side = intervals(labels(model_sha256="b" * 64))["plating_side_thickness_um"]

    assert (side.value, side.low95, side.high95) == (120.0, None, None)
    assert side.flags == ("interval_not_calibrated",)


@pytest.mark.parametrize("image", [{"cnr": None}, {"blur_px": None}, {"blur_px": 50.0}])
def test_an_image_like_none_that_was_seen_lies_outside_the_calibration(
    image: dict[str, float | None],
) -> None:
    side = intervals(labels(), **image)["plating_side_thickness_um"]

    assert side.flags == ("interval_outside_calibration",)
