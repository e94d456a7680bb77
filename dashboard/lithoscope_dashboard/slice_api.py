"""Slices as PNG over HTTP: asked for by numbers, never by paths."""

import hashlib
from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from lithoscope_dashboard.board import Board
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.model import Picture
from lithoscope_dashboard.pictures import describe_volume, read_plane
from lithoscope_dashboard.slices import AXES, Axis, choose_level, grey_png, label_png
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import Store

Layer = Literal["image", "labels"]
LONGEST_PX = 1024
#: PNGs that are kept: browsers keep their own, so this helps only the second watcher.
KEPT = 128


def slice_router(board: Board, store: Store) -> APIRouter:
    """Make the routes.

    Parameters
    ----------
    board
        Knows which volumes may be read: those that the journal says are complete.
    store
        Where they lie.
    """
    router = APIRouter(prefix="/api/v1")

    @lru_cache(maxsize=KEPT)
    def render(experiment: str, picture: Picture, axis: Axis, index: int, layer: Layer) -> bytes:
        volume = store.experiment(experiment).resolve(picture.path)
        about = describe_volume(volume)
        level = choose_level(about.shapes, axis, LONGEST_PX)
        label_name = picture.label_name if layer == "labels" else None
        plane = read_plane(volume, axis, index, level=level, label_name=label_name)
        return grey_png(plane, about.window) if layer == "image" else label_png(plane)

    def slice_png(
        request: Request,
        experiment: Annotated[str, Path(max_length=64)],
        scan: Annotated[int, Path(ge=0, le=9999)],
        axis: Axis,
        index: Annotated[int, Path(ge=0, le=99_999)],
        layer: Layer = "image",
        v: Annotated[str, Query(max_length=64)] = "",
    ) -> Response:
        """One plane of a scan.

        ``v`` is the token of the picture: with it the answer never changes and may be kept.
        """
        try:
            picture = find_picture(board, experiment, scan, axis, index, layer)
            etag = _etag(picture, axis, index, layer)
            headers = {"ETag": etag, "Cache-Control": _cache_control(picture, v)}
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers=headers)
            data = render(experiment, picture, axis, index, layer)
        except (PictureError, StoreError) as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        return Response(data, media_type="image/png", headers=headers)

    def health() -> dict[str, object]:
        """Say whether what is shown is what is."""
        state = board.snapshot.experiment
        return {
            "state": board.live_state,
            "experiment": None if state is None else state.name,
            "head": 0 if state is None else state.head,
        }

    router.add_api_route(
        "/slice/{experiment}/{scan}/{axis}/{index}.png",
        slice_png,
        methods=["GET"],
        response_class=Response,
    )
    router.add_api_route("/health", health, methods=["GET"])
    # Else the page itself would be the answer to every address.
    router.add_api_route("/{rest:path}", _nothing_there, methods=["GET"])
    return router


def _nothing_there(rest: str) -> JSONResponse:
    return JSONResponse({"error": f"there is no {rest[:100]} here"}, status_code=404)


def find_picture(
    board: Board, experiment: str, scan: int, axis: Axis, index: int, layer: Layer
) -> Picture:
    """Look up what the journal says about a slice.

    Raises
    ------
    PictureError
        If it is not of the experiment on the page, or there is no such slice yet.
    """
    state = board.snapshot.experiment
    if state is None or state.name != experiment:
        raise PictureError(f"experiment {experiment!r} is not the one that is shown")
    found = state.scans.get(scan)
    if found is None or found.picture is None:
        raise PictureError(f"scan {scan} of {experiment} has no volume yet")
    picture = found.picture
    if layer == "labels" and picture.label_name is None:
        raise PictureError(f"scan {scan} of {experiment} has no labels yet")
    n_planes = picture.shape[AXES.index(axis)]
    if index >= n_planes:
        raise PictureError(f"scan {scan} has planes 0 to {n_planes - 1} along {axis}, not {index}")
    return picture


def _etag(picture: Picture, axis: Axis, index: int, layer: Layer) -> str:
    text = f"{picture.token} {picture.label_name} {axis} {index} {layer}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _cache_control(picture: Picture, token: str) -> str:
    if token == picture.token:
        return "private, max-age=31536000, immutable"
    return "private, no-cache"
