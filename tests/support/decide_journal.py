"""A journal as the stages before ``decide`` write it, and the stage followed through it."""

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rule_histories import PULSE_S, sound_metrics

from lithoscope_messages import (
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    Fact,
    JournalMessage,
    LabelsReady,
    MetricsReady,
    MetricValue,
    ScanPhase,
    ScanStarted,
    StageFailed,
    VerdictLate,
)
from lithoscope_pipeline.metric import Metric
from lithoscope_services.history import History
from lithoscope_services.settings import Settings
from lithoscope_services.stage import Task
from lithoscope_services.stages.decide import STAGE
from lithoscope_services.task_process import task_to_json
from lithoscope_store import Store

SHA = "0" * 64
EXPERIMENT = "cell"


def begun(settings: Settings, *, source: str = "live") -> ExperimentStarted:
    """Begin the experiment."""
    return ExperimentStarted(
        **parts("cell"),
        description=ExperimentDescription(source=source),  # type: ignore[arg-type]  # one of them
        settings=settings.model_dump(mode="json", by_alias=True),
        format_version=1,
    )


def parts(key: str) -> dict[str, Any]:
    """Give what every fact has."""
    return {"experiment": EXPERIMENT, "key": key, "time_ns": 1, "producer": "test"}


def started(scan: int, *, pulse: int | None = None) -> ScanStarted:
    """Begin a scan; files that no cycler came with know no pulses."""
    return ScanStarted(
        **parts(f"started:{scan}"),
        scan=scan,
        expected=(),
        frame_shape=(8, 8),
        dtype="uint16",
        voxel_size_um=1.3,
        phase=ScanPhase(experiment_time_s=PULSE_S * scan, pulse=0 if pulse is None else pulse),
    )


def labelled(scan: int, model: str = "layers") -> LabelsReady:
    """Announce labels."""
    return LabelsReady(
        **parts(f"labels:{scan}"),
        scan=scan,
        work_key=SHA,
        path="volumes/a",
        shape=(1, 1, 1),
        voxel_um=1.3,
        sha256=SHA,
        model=model,
    )


def metric_value(metric: Metric) -> MetricValue:
    """Write a metric as a message."""
    return MetricValue(
        value=metric.value,
        unit=metric.unit,
        low95=metric.low95,
        high95=metric.high95,
        flags=metric.flags,
    )


def measured_scan(scan: int, gap_um: float | None, **changed: Metric) -> MetricsReady:
    """Announce the numbers of a scan."""
    metrics = {**sound_metrics(gap_um), **changed}
    del metrics["voltage_drop_share"]  # the stage measures it itself
    return MetricsReady(
        **parts(f"metrics:{scan}"),
        scan=scan,
        work_key=f"{scan:064d}",
        experiment_time_s=PULSE_S * scan,
        cycle=0,
        half_cycle=0,
        completeness=1.0,
        metrics={name: metric_value(metric) for name, metric in metrics.items()},
    )


def failed(scan: int, error: str = "no layers") -> StageFailed:
    """Give a scan up."""
    return StageFailed(
        **parts(f"failed:{scan}"), scan=scan, stage="segment", attempts=1, error=error
    )


def late(scan: int) -> VerdictLate:
    """Say that a plan waited in vain."""
    return VerdictLate(**parts(f"late:{scan}"), scan=scan, waited_s=600.0, plan_did="continue")


class Followed:
    """The stage, followed through a journal.

    Parameters
    ----------
    folder
        Where the store goes.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.store.experiment(EXPERIMENT).create()
        self.history = History(EXPERIMENT)
        self.facts: list[Fact] = []
        self.entries: list[Entry] = []
        self._numbers = itertools.count(1)

    def tell(self, messages: Iterable[JournalMessage]) -> None:
        """Write into the journal; nothing is decided yet."""
        for message in messages:
            number = next(self._numbers)
            entry = Entry(
                number=number, appended_ns=number, previous_hash=SHA, hash=SHA, message=message
            )
            self.entries.append(entry)
            self.history.extend([entry])

    def decide(self) -> Sequence[Fact]:
        """Do all that the stage plans, and give what came out now."""
        made: list[Fact] = []
        while tasks := STAGE.plan(self.history):
            # As its child process gets it: through JSON.
            sent = json.loads(task_to_json(tasks[0]))["task"]
            task = Task(**{**sent, "inputs": tuple(sent["inputs"])})
            new = list(STAGE.execute(task, str(self.store.root)))
            self.tell(new)  # type: ignore[arg-type]  # all of them may stand in a journal
            made += new
        self.facts += made
        return made
