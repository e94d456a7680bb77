"""Train a forest on what was painted on a scan, and answer plane by plane."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from lithoscope_models.errors import ModelError
from lithoscope_models.forest_file import write_forest
from lithoscope_pipeline.errors import PipelineError
from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.scribbles import (
    Forest,
    SliceDoubt,
    predict_slice,
    reach_px,
    slice_doubt,
    suggest_slices,
    train_forest,
)
from lithoscope_services.painting.job import AnswerJob
from lithoscope_store import StoreError
from lithoscope_store.answers import AnswerFiles, AnswerState
from lithoscope_store.painted_labels import PaintedLabels, read_painted_volume
from lithoscope_store.painted_planes import AXES, UNPAINTED, Axis
from lithoscope_store.planes import read_plane

#: Planes that the doubt is looked for in; more would keep a person waiting.
_N_LOOKED_AT: Final = 24
_N_SUGGESTED: Final = 3
#: Neighbours show the same things, up to so many planes.
_SPACING: Final = 8


def answer(job: AnswerJob, files: AnswerFiles, *, is_stale: Callable[[], bool]) -> None:
    """Train a forest and answer planes, until all are or something newer was painted.

    Parameters
    ----------
    job
        What is painted.
    files
        Where the answer goes.
    is_stale
        Whether something newer waits; asked between planes.
    """
    state = files.read_state()
    try:
        painted = read_painted_volume(job.volume, job.scan)
        if _n_classes(painted) < 2:
            message = "paint a second class: a forest learns differences"
            files.write_state(replace(state, status="waiting", message=message))
            return
        files.write_state(replace(state, status="training", message=""))
        forest, state = _train(job, painted, files)
        _answer_planes(job, painted, forest, files, state, is_stale)
    except (PipelineError, StoreError, ModelError) as error:
        files.write_state(replace(state, status="failed", message=str(error)))


def _n_classes(painted: PaintedLabels) -> int:
    found: set[int] = set()
    for each in painted.planes:
        found |= {int(value) for value in np.unique(each.classes)}
    return len(found - {UNPAINTED})


def _train(
    job: AnswerJob, painted: PaintedLabels, files: AnswerFiles
) -> tuple[Forest, AnswerState]:
    begin_s = time.monotonic()
    slices, labels = [], []
    for axis, index in sorted({(each.axis, each.index) for each in painted.planes}):
        classes = painted.plane(axis, index)
        box = _around(classes, reach_px())
        slices.append(_grey(job.volume, axis, index)[box])
        labels.append(classes[box])
    forest = train_forest(slices, labels)
    token = _token(forest)
    files.forest(token).parent.mkdir(parents=True, exist_ok=True)
    write_forest(files.forest(token), forest)
    state = AnswerState(
        status="answering",
        token=token,
        of_ns=max(each.time_ns for each in painted.planes),
        round=max(each.round for each in painted.planes),
        n_planes=len(slices),
        n_pixels=sum(int((each != UNPAINTED).sum()) for each in labels),
        axis=job.axis,
        trained_s=time.monotonic() - begin_s,
    )
    return forest, state


def _around(classes: LabelVolume, margin_px: int) -> tuple[slice, slice]:
    """Give the part of a plane that the features of its painted pixels see."""
    spans = []
    for across in (1, 0):
        known = np.flatnonzero((classes != UNPAINTED).any(axis=across))
        spans.append(slice(max(int(known[0]) - margin_px, 0), int(known[-1]) + margin_px + 1))
    return spans[0], spans[1]


def _token(forest: Forest) -> str:
    digest = hashlib.sha256()
    for part in (forest.classes, forest.feature, forest.threshold, forest.shares):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _grey(volume: Path, axis: Axis, index: int) -> FloatImage:
    plane = read_plane(volume, AXES.index(axis), index).astype(np.float32)
    finite = np.isfinite(plane)
    if not finite.all():
        plane[~finite] = np.median(plane[finite]) if finite.any() else 0.0
    return np.asarray(plane)


def _answer_planes(
    job: AnswerJob,
    painted: PaintedLabels,
    forest: Forest,
    files: AnswerFiles,
    state: AnswerState,
    is_stale: Callable[[], bool],
) -> None:
    """Answer the painted planes, then those the doubt is looked for in, then all others."""
    n_planes = painted.shape[AXES.index(job.axis)]
    step = -(-n_planes // _N_LOOKED_AT)
    grid = list(range(step // 2, n_planes, step))
    known = {each.index for each in painted.planes if each.axis == job.axis}
    doubts: dict[int, SliceDoubt] = {}
    done: list[int] = []
    for index in _in_order(job.index, known, grid, n_planes):
        if is_stale():
            return
        shares = predict_slice(forest, _grey(job.volume, job.axis, index))
        doubts[index] = slice_doubt(shares)
        picture = BytesIO()
        labels = np.asarray(forest.classes[shares.argmax(axis=-1)])
        Image.fromarray(labels).save(picture, format="PNG", compress_level=1)
        files.write_plane(state.token, job.axis, index, picture.getvalue())
        done.append(index)
        if not state.suggested and doubts.keys() >= set(grid):
            state = _with_suggestions(state, doubts, grid, known, step)
        state = replace(state, planes=tuple(sorted(done)))
        files.write_state(state)
        if len(done) == 1:
            files.keep_only(state.token)
    files.write_state(replace(state, status="done"))


def _in_order(first: int, known: set[int], grid: Sequence[int], n_planes: int) -> Iterator[int]:
    by_distance = sorted(range(n_planes), key=lambda each: abs(each - first))
    return iter(dict.fromkeys([first, *sorted(known), *grid, *by_distance]))


def _with_suggestions(
    state: AnswerState,
    doubts: dict[int, SliceDoubt],
    grid: Sequence[int],
    known: set[int],
    step: int,
) -> AnswerState:
    looked_at = [doubts[each] for each in grid]
    places = {round((each - grid[0]) / step) for each in known}
    chosen = suggest_slices(
        looked_at, labelled=places, n_slices=_N_SUGGESTED, spacing=max(1, round(_SPACING / step))
    )
    return replace(
        state,
        suggested=tuple(grid[each] for each in chosen),
        mean_doubt=float(np.mean([each.doubt.sum() for each in looked_at])),
    )
