"""Labels to numbers, maps and objects, joined with the charge that flowed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import Fact, MetricsReady, StageName
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import (
    Beam,
    ChargeState,
    ComingPulse,
    Measurement,
    PastScan,
    Reading,
    ReferenceMetrics,
    map_unit,
    measure_dose,
    measure_history,
    measure_labels,
    measure_voltage_envelope,
)
from lithoscope_pipeline.measure.existence import measure_existence, with_existence
from lithoscope_pipeline.measure.intervals import with_intervals
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import SINGLE_SCAN_PREFIX, Metric, measured, not_measured
from lithoscope_pipeline.noise_grain import measure_grain
from lithoscope_pipeline.sharpness import measure_blur
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts
from lithoscope_services.stages.measure.charge_gaps import with_record_gaps
from lithoscope_services.stages.measure.interval_context import (
    interval_arguments,
    interval_context,
    interval_parameters,
)
from lithoscope_services.stages.measure.laid_over import describe_laid_over, read_laid_over
from lithoscope_services.stages.measure.object_table import to_stored
from lithoscope_services.stages.measure.references import (
    EarlierParts,
    charge_since_s,
    charge_state,
    coming_pulse,
    covered,
    dose_so_far,
    find_earlier,
    image_quality,
    metrics_of,
    past_scans,
    place_of,
)
from lithoscope_services.stages.measure.stored_labels import StoredLabels, find_lithium_share
from lithoscope_services.stages.measure.surfaces import (
    execute_surfaces,
    makes_surfaces,
    plan_surfaces,
)
from lithoscope_services.stages.measure.values import (
    to_message,
    to_metric,
    unvalidated,
    with_flags,
)
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_services.stages.validated import is_validated
from lithoscope_store import (
    ExperimentPaths,
    Store,
    read_electrochemistry,
    write_maps,
    write_objects,
)

#: Measured also in the labels that no earlier scan has touched: protective rules watch these.
SINGLE_SCAN = (
    "dendrite_coverage",
    "dendrite_thickness_um",
    "dendrite_volume_um3",
    "deposited_thickness_um",
    "deposited_volume_um3",
    "remaining_gap_any_um",
    "remaining_gap_um",
)
_LABEL_OF = {label.key: label for label in Label}


class MeasureStage:
    """One task a scan; it needs the metrics of the earlier scans that it is compared with."""

    name: StageName = "measure"
    algorithm_version = METRICS_VERSION

    def plan(self, history: History) -> Sequence[Task]:
        """Give the labelled scans without metrics whose references have some; then surfaces."""
        tasks = []
        for scan in history.in_order():
            if scan.labels is None or scan.metrics is not None or scan.failure is not None:
                continue
            earlier = find_earlier(history, scan)
            if earlier.are_measured:
                tasks.append(self._task(history, scan, earlier))
        return [*tasks, *plan_surfaces(self, history)]

    def _task(self, history: History, scan: ScanHistory, earlier: EarlierParts) -> Task:
        if scan.labels is None or scan.started is None or scan.completed is None:
            raise ServiceError(f"scan {scan.scan} has labels and never ran")
        labels, phase = scan.labels, scan.started.phase
        description = None if history.started is None else history.started.description
        keys = [each.metrics.work_key for each in earlier.scans if each.metrics is not None]
        laid_over = describe_laid_over(history, scan, earlier)
        return make_task(
            self,
            scan.scan,
            inputs=[labels.work_key, *keys],
            parameters={
                "voxel_um": labels.voxel_um,
                "active_area_cm2": None if description is None else description.active_area_cm2,
                "charge": charge_state(history, scan, earlier),
                "coming": coming_pulse(history, scan, earlier),
                "dose": dose_so_far(history, scan),
                "phase": phase.model_dump(mode="json"),
                "completeness": covered(scan).completeness,
                "quality": image_quality(scan),
                "flags": list(labels.flags),
                "is_validated": is_validated(history, labels),
                "unsegmented": list(labels.unsegmented),
                "rate_scans": history.settings.measure.rate_scans,
                "intervals": interval_parameters(history, labels),
                "is_refined": history.settings.segment.probabilities,
            },
            arguments={
                "experiment": history.experiment,
                "path": labels.path,
                "label_name": labels.label_name,
                "single_scan_label_name": labels.single_scan_label_name,
                "labels_sha256": labels.sha256,
                "place": place_of(history, scan),
                "charge_since_s": charge_since_s(scan, earlier),
                "reference": None
                if earlier.first is None or earlier.half_cycle_start is None
                else {
                    "first_scan": metrics_of(earlier.first.metrics),
                    "half_cycle_start": metrics_of(earlier.half_cycle_start.metrics),
                },
                "laid_over": laid_over,
                "past": past_scans(history, earlier.since_turn),
                "intervals": interval_arguments(history, labels, earlier.null),
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Measure the labels of a scan, or mesh them."""
        if makes_surfaces(task):
            yield from execute_surfaces(self, task, store_root)
            return
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        parameters, arguments = task.parameters, task.arguments
        measurement = _measure(paths, parameters, arguments)
        metrics = measurement.metrics | _single_scan(paths, parameters, arguments)
        null_scans = [_to_metrics(each) for each in arguments["intervals"]["null_scans"]]
        image = StoredVolume(paths.resolve(arguments["path"]))
        blur_px, grain = measure_blur(image), measure_grain(image)
        context = interval_context(parameters, arguments, null_scans, blur_px=blur_px, grain=grain)
        metrics = _published(with_intervals(metrics, context))
        found = with_existence(measurement.objects, context)
        metrics |= measure_existence(found, context)
        of_image = _of_image(parameters, blur_px, grain)
        of_image["voltage_envelope_V"] = _voltage(paths, arguments)
        metrics |= of_image
        # What follows from earlier scans follows from bounds: intervals are put in before this.
        metrics |= _of_history(metrics, parameters, arguments)
        if not parameters["is_validated"]:
            metrics = unvalidated(metrics, apart_from=of_image)

        maps, objects = paths.maps(task.scan, task.key), paths.objects(task.scan, task.key)
        units = {name: map_unit(name) for name in measurement.maps}
        write_maps(maps, measurement.maps, voxel_um=parameters["voxel_um"], units=units)
        write_objects(objects, to_stored(found))
        phase = parameters["phase"]
        yield MetricsReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            experiment_time_s=phase["experiment_time_s"],
            charge_mAh=arguments["place"]["charge_mAh"],
            cycle=phase["cycle"],
            half_cycle=phase["half_cycle"],
            completeness=parameters["completeness"],
            metrics=with_flags(
                {name: to_message(metric) for name, metric in metrics.items()},
                parameters["flags"],
            ),
            maps_path=paths.relative(maps),
            objects_path=paths.relative(objects),
            labels_sha256=arguments["labels_sha256"],
        )


def _measure(
    paths: ExperimentPaths, parameters: Mapping[str, Any], arguments: Mapping[str, Any]
) -> Measurement:
    """Measure the labels of the scan against the charge and earlier scans."""
    path = paths.resolve(arguments["path"])
    labels = StoredLabels(path, arguments["label_name"])
    share = find_lithium_share(paths, path) if parameters["is_refined"] else None
    references = arguments["reference"]
    return measure_labels(
        labels,
        voxel_um=parameters["voxel_um"],
        charge=_charge(paths, parameters, arguments),
        reference=None
        if references is None
        else ReferenceMetrics(**{key: _to_metrics(value) for key, value in references.items()}),
        active_area_cm2=parameters["active_area_cm2"],
        unsegmented=_unsegmented(parameters),
        earlier=read_laid_over(
            paths,
            arguments["laid_over"],
            arguments["place"],
            parameters,
            is_refined=share is not None,
        ),
        lithium_share=share,
        reading=Reading(slab_slices=labels.slab_slices),
    )


def _charge(
    paths: ExperimentPaths, parameters: Mapping[str, Any], arguments: Mapping[str, Any]
) -> ChargeState | None:
    """Give the state of the cycler, its charge bounded where its record has gaps."""
    charge, since_s = parameters["charge"], arguments["charge_since_s"]
    if charge is None or since_s is None:
        return None
    return with_record_gaps(
        ChargeState(**charge), read_electrochemistry(paths), since_s, arguments["place"]["time_s"]
    )


def _voltage(paths: ExperimentPaths, arguments: Mapping[str, Any]) -> Metric:
    """Give the largest voltage of the last pulse, as the cycler has read it."""
    samples = read_electrochemistry(paths)
    return measure_voltage_envelope(
        samples.time_s,
        samples.potential_V,
        samples.current_mA,
        until_s=arguments["place"]["time_s"],
    )


def _single_scan(
    paths: ExperimentPaths, parameters: Mapping[str, Any], arguments: Mapping[str, Any]
) -> dict[str, Metric]:
    """Measure the labels that were made without earlier scans, if there are such."""
    name = arguments["single_scan_label_name"]
    if name is None:
        return {}
    labels = StoredLabels(paths.resolve(arguments["path"]), name)
    alone = measure_labels(
        labels,
        voxel_um=parameters["voxel_um"],
        active_area_cm2=parameters["active_area_cm2"],
        unsegmented=_unsegmented(parameters),
        reading=Reading(slab_slices=labels.slab_slices),
    )
    return {f"{SINGLE_SCAN_PREFIX}{name}": metric for name, metric in alone.metrics.items()}


def _published(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Leave away what the labels of the scan alone say for the sake of intervals."""
    shown = {f"{SINGLE_SCAN_PREFIX}{name}" for name in SINGLE_SCAN}
    return {
        name: metric
        for name, metric in metrics.items()
        if name in shown or not name.startswith(SINGLE_SCAN_PREFIX)
    }


def _of_image(
    parameters: Mapping[str, Any], blur_px: float | None, grain: float | None
) -> dict[str, Metric]:
    """Give the metrics of the image and of the beam."""
    dose = parameters["dose"]
    beam = None if dose["beam"] is None else Beam(**dose["beam"])
    metrics = {
        name: not_measured(unit, "not_known") if value is None else measured(value, unit)
        for name, (value, unit) in parameters["quality"].items()
    }
    metrics["edge_blur_px"] = (
        not_measured("px", "no_outer_face") if blur_px is None else measured(blur_px, "px")
    )
    metrics["noise_grain"] = (
        not_measured("1", "no_electrode") if grain is None else measured(grain, "1")
    )
    metrics["dose_kGy"] = measure_dose(beam, dose["n_projections"], formula=dose["formula"])
    return metrics


def _of_history(
    metrics: Mapping[str, Metric], parameters: Mapping[str, Any], arguments: Mapping[str, Any]
) -> dict[str, Metric]:
    """Give the metrics that only several scans can tell."""
    here = {**arguments["place"], "metrics": metrics}
    past = [{**each, "metrics": _to_metrics(each["metrics"])} for each in arguments["past"]]
    area_cm2 = parameters["active_area_cm2"]

    def per_area(charge: float | None) -> float | None:
        return None if charge is None or area_cm2 is None else charge / area_cm2

    scans = [
        PastScan(
            pulses=each["pulses"],
            charge_mAh_cm2=per_area(each["charge_mAh"]),
            metrics=each["metrics"],
        )
        for each in (*past, here)
    ]
    coming = ComingPulse(**parameters["coming"])
    return measure_history(scans, coming=coming, k=parameters["rate_scans"])


def _to_metrics(values: Mapping[str, Any]) -> dict[str, Metric]:
    return {name: to_metric(value) for name, value in values.items()}


def _unsegmented(parameters: Mapping[str, Any]) -> tuple[Label, ...]:
    """Give the classes that the labels do not tell apart."""
    return tuple(_LABEL_OF[name] for name in parameters["unsegmented"])
