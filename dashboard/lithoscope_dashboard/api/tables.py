"""Numbers over time: metrics as a table, samples of the cycler, the preview of a running scan."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from PIL import Image

from lithoscope_dashboard.api.answers import (
    Answer,
    Find,
    find_experiment,
    generation_of,
    refuse,
)
from lithoscope_dashboard.api.slices import Experiment, Scan
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.slices import Axis, encode
from lithoscope_store.electrochemistry import Electrochemistry, read_electrochemistry
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import Store

MAX_SAMPLES = 2000
MAX_EXPERIMENTS = 8
COLUMNS = (
    *("experiment", "scan", "time_s", "charge_mAh", "pulse", "cycle", "half_cycle"),
    *("metric", "value", "unit", "low95", "high95", "voxels", "flags"),
)
#: A cell that begins so is run by spreadsheets.
_RUN = ("=", "+", "-", "@", "\t", "\r")


def table_routes(snapshot: Callable[[], Snapshot], find: Find, store: Store) -> APIRouter:
    """Make the routes of numbers over time.

    Parameters
    ----------
    snapshot, find, store
        The newest snapshot of what runs, experiments by their names, and the files.
    """
    router = APIRouter()

    def metrics(
        experiment: Annotated[list[str], Query(max_length=MAX_EXPERIMENTS)],
        metric: Annotated[list[str] | None, Query(max_length=200)] = None,
    ) -> Response:
        """Write metrics of experiments, one value a line."""
        try:
            states = [find_experiment(find, name) for name in experiment]
        except PictureError as error:
            return refuse(error)
        headers = {"Content-Disposition": f'attachment; filename="{states[0].name}-metrics.csv"'}
        text = metrics_csv(states, metric)
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    def electrochemistry(request: Request, experiment: Experiment) -> Response:
        """Give current and potential over time, thinned."""
        try:
            state = find_experiment(find, experiment)
            paths = store.experiment(experiment)
        except (PictureError, StoreError) as error:
            return refuse(error)
        generation = generation_of(experiment, len(state.charges))

        def make() -> bytes:
            samples = thin(read_electrochemistry(paths))
            return json.dumps({"experiment": experiment, **samples}).encode()

        try:
            return Answer(
                about={"experiment": experiment, "generation": generation},
                media_type="application/json",
                make=make,
            ).respond(request)
        except StoreError as error:
            return refuse(error)

    def preview(request: Request, experiment: Experiment, scan: Scan, axis: Axis) -> Response:
        """Show what is seen of the running scan so far."""
        newest = snapshot().preview
        if newest is None or (newest.experiment, newest.scan) != (experiment, scan):
            return refuse(PictureError(f"there is no preview of scan {scan} of {experiment} now"))
        small = {"z": newest.z_slice, "y": newest.y_slice, "x": newest.x_slice}[axis]
        about = {"experiment": experiment, "scan": scan, "axis": axis}
        pixels = np.frombuffer(small.pixels, np.uint8).reshape(small.shape)
        return Answer(
            about={**about, "generation": newest.time_ns, "views": newest.views_used},
            media_type="image/png",
            make=lambda: encode(Image.fromarray(pixels), "png"),
        ).respond(request)

    add = router.add_api_route
    add("/metrics.csv", metrics, response_class=Response)
    add("/electrochemistry/{experiment}.json", electrochemistry, response_class=Response)
    add("/preview/{experiment}/{scan}/{axis}.png", preview, response_class=Response)
    return router


def metrics_csv(states: Iterable[ExperimentState], metrics: Iterable[str] | None) -> str:
    """Write metrics as comma-separated values, one a line.

    Parameters
    ----------
    states
        The experiments.
    metrics
        Names of those wanted; None for all.
    """
    wanted = None if metrics is None else set(metrics)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for state in states:
        writer.writerows(_rows(state, wanted))
    return text.getvalue()


def _rows(state: ExperimentState, wanted: set[str] | None) -> Iterator[list[object]]:
    for scan in state.measured:
        head = [state.name, scan.scan, scan.time_s, scan.charge_mAh, scan.phase.pulse]
        head += [scan.phase.cycle, scan.half_cycle]
        for name, metric in scan.metrics.items():
            if wanted is not None and name not in wanted:
                continue
            numbers = [metric.value, metric.unit, metric.low95, metric.high95, metric.voxels]
            yield [*head, _harmless(name), *numbers, _harmless(" ".join(metric.flags))]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_RUN) else text


def thin(samples: Electrochemistry) -> dict[str, list[float]]:
    """Take at most 2000 samples, those where the current steps among them."""
    n_samples = samples.n_samples
    if n_samples <= MAX_SAMPLES:
        picked = np.arange(n_samples)
    else:
        even = np.linspace(0, n_samples - 1, MAX_SAMPLES // 2).round().astype(int)
        step = np.abs(np.diff(samples.current_mA))
        steps = np.flatnonzero(step > 0.1 * max(float(np.abs(samples.current_mA).max()), 1e-9))
        edges = np.concatenate([steps, steps + 1])[: MAX_SAMPLES // 2]
        picked = np.unique(np.concatenate([even, edges]))
    return {
        "time_s": samples.time_s[picked].tolist(),
        "current_mA": samples.current_mA[picked].tolist(),
        "potential_V": samples.potential_V[picked].tolist(),
    }
