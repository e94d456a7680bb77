"""Labels to numbers and maps, joined with the charge that flowed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import (
    CoverageFinding,
    Fact,
    MetricsReady,
    MetricValue,
    ScanAccount,
    StageName,
)
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import ChargeState, Metric, ReferenceMetrics, measure_labels
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan
from lithoscope_store import Store, read_slab, write_maps

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
    """One task a scan; it needs the metrics of the first, and of the end of the half-cycle."""

    name: StageName = "measure"
    algorithm_version = 2

    def plan(self, history: History) -> Sequence[Task]:
        """Give the labelled scans without metrics whose references have some."""
        reference = reference_scan(history)
        tasks = []
        for scan in history.in_order():
            if scan.labels is None or scan.metrics is not None or scan.failure is not None:
                continue
            earlier = _earlier(history, scan, reference)
            if all(each.metrics is not None for each in earlier):
                tasks.append(self._task(history, scan, earlier))
        return tasks

    def _task(self, history: History, scan: ScanHistory, earlier: Sequence[ScanHistory]) -> Task:
        if scan.labels is None or scan.started is None or scan.completed is None:
            raise ServiceError(f"scan {scan.scan} has labels and never ran")
        labels, phase = scan.labels, scan.started.phase
        description = None if history.started is None else history.started.description
        known = [each.metrics for each in earlier if each.metrics is not None]
        return make_task(
            self,
            scan.scan,
            inputs=[labels.work_key, *(metrics.work_key for metrics in known)],
            parameters={
                "voxel_um": labels.voxel_um,
                "active_area_cm2": None if description is None else description.active_area_cm2,
                "charge": _charge(history, scan, earlier),
                "phase": phase.model_dump(mode="json"),
                "completeness": _covered(scan).completeness,
                "quality": _quality(scan),
                "flags": list(labels.flags),
                "unsegmented": list(labels.unsegmented),
            },
            arguments={
                "experiment": history.experiment,
                "path": labels.path,
                "label_name": labels.label_name,
                "single_scan_label_name": labels.single_scan_label_name,
                "n_z": labels.shape[0],
                "labels_sha256": labels.sha256,
                "charge_mAh": history.charge_mAh_at(phase.experiment_time_s),
                "earlier": [
                    {name: value.model_dump() for name, value in metrics.metrics.items()}
                    for metrics in known
                ],
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Measure the labels of a scan."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        parameters, arguments = task.parameters, task.arguments
        labels = read_slab(
            paths.resolve(arguments["path"]), 0, arguments["n_z"], label=arguments["label_name"]
        )
        measurement = measure_labels(
            labels,
            voxel_um=parameters["voxel_um"],
            charge=ChargeState(**parameters["charge"]) if parameters["charge"] else None,
            reference=_reference(arguments["earlier"]),
            active_area_cm2=parameters["active_area_cm2"],
            unsegmented=_unsegmented(parameters),
        )
        path = paths.maps(task.scan, task.key)
        units = dict.fromkeys(measurement.maps, "um")
        write_maps(path, measurement.maps, voxel_um=parameters["voxel_um"], units=units)
        metrics = {name: _to_message(metric) for name, metric in measurement.metrics.items()}
        metrics |= _single_scan(paths.resolve(arguments["path"]), parameters, arguments)
        for name, (value, unit) in parameters["quality"].items():
            metrics[name] = MetricValue(
                value=value,
                unit=unit,
                flags=("not_known",) if value is None else ("interval_not_modelled",),
            )
        phase = parameters["phase"]
        yield MetricsReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            experiment_time_s=phase["experiment_time_s"],
            charge_mAh=arguments["charge_mAh"],
            cycle=phase["cycle"],
            half_cycle=phase["half_cycle"],
            completeness=parameters["completeness"],
            metrics=_with_flags(metrics, parameters["flags"]),
            maps_path=paths.relative(path),
            labels_sha256=arguments["labels_sha256"],
        )


def _unsegmented(parameters: Mapping[str, Any]) -> tuple[Label, ...]:
    """Give the classes that the labels do not tell apart."""
    return tuple(_LABEL_OF[name] for name in parameters["unsegmented"])


def _single_scan(
    path: Path, parameters: Mapping[str, Any], arguments: Mapping[str, Any]
) -> dict[str, MetricValue]:
    """Measure the labels that were made without earlier scans, if there are such."""
    name = arguments["single_scan_label_name"]
    if name is None:
        return {}
    alone = measure_labels(
        read_slab(path, 0, arguments["n_z"], label=name),
        voxel_um=parameters["voxel_um"],
        active_area_cm2=parameters["active_area_cm2"],
        unsegmented=_unsegmented(parameters),
    )
    return {
        f"single_scan_{metric}": _to_message(alone.metrics[metric])
        for metric in SINGLE_SCAN
        if metric in alone.metrics
    }


#: What compares scans; without registration such a number is not worth giving.
COMPARING = (
    "li_conservation_residual_um3",
    "li_travelled_volume_um3",
    "ct_faraday_ratio",
    "ct_faraday_ratio_whole_cell",
    "missing_capacity_fraction",
    "deposited_volume_um3",
    "deposited_thickness_um",
    "redeposited_volume_um3",
    "redeposited_thickness_um",
)


def _with_flags(
    metrics: Mapping[str, MetricValue], flags: Sequence[str]
) -> dict[str, MetricValue]:
    if "unregistered" not in flags:
        return dict(metrics)
    return {
        name: metric.model_copy(update={"value": None, "flags": ("unregistered",)})
        if name in COMPARING
        else metric
        for name, metric in metrics.items()
    }


def _earlier(
    history: History, scan: ScanHistory, reference: int | None
) -> tuple[ScanHistory, ...]:
    """Give the first scan and the last one of the half-cycle before, for a later scan."""
    if reference is None or scan.scan == reference or scan.started is None:
        return ()
    half_cycle = scan.started.phase.half_cycle
    before = [
        each
        for each in history.in_order()
        if each.scan < scan.scan
        and each.failure is None
        and each.started is not None
        and each.started.phase.half_cycle < half_cycle
    ]
    first = history.scans[reference]
    return (first, before[-1] if before else first)


def _charge(
    history: History, scan: ScanHistory, earlier: Sequence[ScanHistory]
) -> dict[str, Any] | None:
    """Give the state of the cycler against the beginning of the half-cycle."""
    if scan.started is None or history.started is None:
        return None
    begin = earlier[-1].started if earlier else scan.started
    first = earlier[0].started if earlier else scan.started
    if begin is None or first is None:
        return None
    times = [each.phase.experiment_time_s for each in (scan.started, begin, first)]
    now, then, start = (history.charge_mAh_at(time_s) for time_s in times)
    if now is None or then is None or start is None:
        return None
    sign = history.started.description.first_current_sign or 1
    half_cycle = scan.started.phase.half_cycle
    return {
        "receiving_side": "plating" if half_cycle % 2 == 0 else "stripping",
        "charge_mAh": abs(now - then),
        "n_pulses": float(scan.started.phase.pulse - begin.phase.pulse),
        "net_charge_mAh": sign * (now - start),
    }


def _covered(scan: ScanHistory) -> CoverageFinding | ScanAccount:
    """Say what the projections cover: those that were used, or else those that were stored."""
    if scan.volume is not None and scan.volume.coverage is not None:
        return scan.volume.coverage
    if scan.completed is None:
        raise ServiceError(f"scan {scan.scan} is not complete")
    return scan.completed.account


def _quality(scan: ScanHistory) -> dict[str, tuple[float | None, str]]:
    covered = _covered(scan)
    return {
        "registration_residual_px": (
            None if scan.transform is None else scan.transform.residual_px,
            "px",
        ),
        "reconstruction_completeness": (covered.completeness, "1"),
        "edge_on_coverage": (covered.edge_on_coverage, "1"),
        "cnr_li_electrolyte": (
            None if scan.labels is None else scan.labels.cnr_li_electrolyte,
            "1",
        ),
    }


def _reference(earlier: Sequence[Mapping[str, Any]]) -> ReferenceMetrics | None:
    if not earlier:
        return None
    first, half_cycle_start = ({n: to_metric(v) for n, v in each.items()} for each in earlier)
    return ReferenceMetrics(first_scan=first, half_cycle_start=half_cycle_start)


def to_metric(value: Mapping[str, Any]) -> Metric:
    """Read a metric of the journal as one of the pipeline."""
    return Metric(
        value=value["value"],
        unit=value["unit"],
        low95=value["low95"],
        high95=value["high95"],
        voxels=value["voxels"] or 0,
        flags=tuple(value["flags"]),
    )


def _to_message(metric: Metric) -> MetricValue:
    return MetricValue(
        value=metric.value,
        unit=metric.unit,
        low95=metric.low95,
        high95=metric.high95,
        voxels=metric.voxels,
        flags=metric.flags,
    )


STAGE = MeasureStage()
