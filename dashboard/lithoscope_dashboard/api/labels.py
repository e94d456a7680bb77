"""What was painted on a scan, and what a forest answers: planes as numbers of classes."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from lithoscope_dashboard.api.answers import Answer, Find, find_scan, generation_of, refuse
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.guard import session_of
from lithoscope_dashboard.model import Picture
from lithoscope_dashboard.requests_api import person_of
from lithoscope_dashboard.slices import AXES, Axis, label_png
from lithoscope_store.answers import AnswerFiles
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import Store
from lithoscope_store.painted_labels import PaintedMark, painted_marks, read_painted_plane
from lithoscope_store.painted_planes import UNPAINTED

Experiment = Annotated[str, Path(max_length=64)]
Scan = Annotated[int, Path(ge=0, le=9999)]
Index = Annotated[int, Path(ge=0, le=99_999)]
Name = Annotated[str, Query(max_length=64, description="As typed, where nobody signs in")]
Round = Annotated[int, Query(ge=1, le=99)]


def label_routes(store: Store, find: Find) -> APIRouter:
    """Make the routes of painted labels and answers.

    Parameters
    ----------
    store, find
        Where volumes lie, and how experiments are found.
    """
    router = APIRouter()

    def marks_of(experiment: str, scan: int) -> tuple[Picture, tuple[PaintedMark, ...]]:
        picture = _find_labelled(find, experiment, scan)
        return picture, painted_marks(store.experiment(experiment).resolve(picture.path))

    def about(request: Request, experiment: Experiment, scan: Scan, name: Name = "") -> Response:
        """Say who painted what, and how far the answer is."""
        person = person_of(session_of(request.state), name)
        try:
            picture, marks = marks_of(experiment, scan)
            state = AnswerFiles.of(store, experiment, scan).read_state()
        except (PictureError, StoreError) as error:
            return refuse(error)
        found = {
            "experiment": experiment,
            "scan": scan,
            "generation": picture.token,
            "person": person,
            "planes": [_mark_source(each, person) for each in marks],
            "answer": {**state.as_json(), "of_ns": str(state.of_ns)},
        }
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    def painted(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        axis: Axis,
        index: Index,
        round: Round = 1,
        name: Name = "",
    ) -> Response:
        """Draw two planes on each other: own strokes of a round above, all others below."""
        person = person_of(session_of(request.state), name)
        try:
            picture, marks = marks_of(experiment, scan)
            _check_index(picture, axis, index)
            here = [m for m in marks if (m.layer.axis, m.index) == (axis, index)]
            times = [(m.layer.label_name, m.time_ns) for m in here]
            token = generation_of(picture.token, person, round, times)
            volume = store.experiment(experiment).resolve(picture.path)
            return Answer(
                about={
                    **{"experiment": experiment, "scan": scan, "axis": axis, "index": index},
                    **{"layer": "painted", "generation": token},
                },
                media_type="image/png",
                make=lambda: _two_planes(volume, picture, here, axis, person, round),
            ).respond(request)
        except (PictureError, StoreError) as error:
            return refuse(error)

    def answered(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        axis: Axis,
        index: Index,
        v: Annotated[str, Query(max_length=64, description="Token of the forest")],
    ) -> Response:
        """Give the plane as a forest labels it."""
        try:
            _check_index(_find_labelled(find, experiment, scan), axis, index)
            png = AnswerFiles.of(store, experiment, scan).read_plane(v, axis, index)
        except (PictureError, StoreError) as error:
            return refuse(error)
        about = {"experiment": experiment, "scan": scan, "axis": axis, "index": index}
        return Answer(
            about={**about, "layer": "answer", "generation": v},
            media_type="image/png",
            make=lambda: png,
            is_immutable=True,
        ).respond(request)

    add = router.add_api_route
    add("/labels/{experiment}/{scan}.json", about, response_class=Response)
    add("/painted/{experiment}/{scan}/{axis}/{index}.png", painted, response_class=Response)
    add("/answer/{experiment}/{scan}/{axis}/{index}.png", answered, response_class=Response)
    return router


def _find_labelled(find: Find, experiment: str, scan: int) -> Picture:
    picture = find_scan(find, experiment, scan).picture
    if picture is None or picture.label_name is None:
        raise PictureError(f"scan {scan} has no labels yet")
    return picture


def _check_index(picture: Picture, axis: Axis, index: int) -> None:
    n_planes = picture.shape[AXES.index(axis)]
    if index >= n_planes:
        raise PictureError(f"there are planes 0 to {n_planes - 1} along {axis}, not {index}")


def _mark_source(mark: PaintedMark, person: str) -> dict[str, Any]:  # JSON
    return {
        "axis": mark.layer.axis,
        "index": mark.index,
        "round": mark.layer.round,
        "person": mark.layer.person,
        "is_mine": mark.layer.person == person,
        "time_ns": str(mark.time_ns),  # more digits than numbers of a browser have
    }


def _two_planes(
    volume: Any, picture: Picture, marks: list[PaintedMark], axis: Axis, person: str, number: int
) -> bytes:
    rows, columns = (picture.shape[each] for each in range(3) if AXES[each] != axis)
    both = np.full((2, rows, columns), UNPAINTED, np.uint8)
    for mark in marks:
        is_own = (mark.layer.person, mark.layer.round) == (person, number)
        plane = read_painted_plane(volume, mark.layer, mark.index)
        np.copyto(both[0 if is_own else 1], plane, where=plane != UNPAINTED)
    return label_png(both.reshape(2 * rows, columns))
