"""Planes of volumes, and small pictures of scans."""

from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from lithoscope_dashboard.api.answers import Answer, Find, find_scan, refuse
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.model import Picture
from lithoscope_dashboard.pictures import describe_volume, read_part
from lithoscope_dashboard.slices import (
    AXES,
    Axis,
    Box,
    PictureFormat,
    choose_level,
    grey_picture,
    label_png,
    overlay_png,
    plane_shape,
    thumbnail,
)
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import ExperimentPaths, Store

#: ``labels`` are numbers, for the viewer; ``overlay`` are their colours, for a plain picture.
Layer = Literal["image", "labels", "overlay"]
LONGEST_PX = 1024
THUMBNAIL_PX = 96
#: Pictures that are kept: browsers keep their own, so this helps only the second watcher.
KEPT = 48

Experiment = Annotated[str, Path(max_length=64)]
Scan = Annotated[int, Path(ge=0, le=9999)]
Token = Annotated[str, Query(max_length=64, description="Generation: makes the answer immutable")]


class SlicePictures:
    """Draws planes; keeps the newest pictures for the next who asks.

    Parameters
    ----------
    store
        Where volumes lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.draw = lru_cache(maxsize=KEPT)(self._draw)
        self.thumbnail = lru_cache(maxsize=4 * KEPT)(self._thumbnail)

    def paths(self, experiment: str) -> ExperimentPaths:
        """Files of an experiment."""
        return self._store.experiment(experiment)

    def _draw(
        self,
        experiment: str,
        picture: Picture,
        axis: Axis,
        index: int,
        layer: Layer,
        box: Box,
        longest_px: int,
        window: tuple[float, float] | None,
        form: PictureFormat,
    ) -> bytes:
        volume = self.paths(experiment).resolve(picture.path)
        label_name = None if layer == "image" else picture.label_name
        part = read_part(volume, axis, index, box, longest_px=longest_px, label_name=label_name)
        if layer == "labels":
            return label_png(part.values)
        if layer == "overlay":
            return overlay_png(part.values)
        return grey_picture(part.values, window or describe_volume(volume).window, form)

    def _thumbnail(self, experiment: str, picture: Picture) -> bytes:
        volume = self.paths(experiment).resolve(picture.path)
        about = describe_volume(volume)
        index, box = picture.shape[0] // 2, Box.whole(picture.shape, "z")
        longest_px = 2 * THUMBNAIL_PX
        grey = read_part(volume, "z", index, box, longest_px=longest_px, label_name=None)
        labels = None
        if picture.label_name is not None:
            labels = read_part(
                volume, "z", index, box, longest_px=longest_px, label_name=picture.label_name
            ).values
        return thumbnail(grey.values, labels, about.window, THUMBNAIL_PX)


def find_picture(find: Find, experiment: str, scan: int) -> Picture:
    """Look up the volume of a scan.

    Raises
    ------
    PictureError
        If there is none yet.
    """
    picture = find_scan(find, experiment, scan).picture
    if picture is None:
        raise PictureError(f"scan {scan} of {experiment} has no volume yet")
    return picture


def parse_box(text: str, shape: tuple[int, int, int], axis: Axis) -> Box:
    """Read ``top,left,bottom,right``; nothing stands for the whole plane.

    Raises
    ------
    PictureError
        If it is no box within the plane.
    """
    whole = Box.whole(shape, axis)
    if not text:
        return whole
    try:
        top, left, bottom, right = (int(part) for part in text.split(","))
    except ValueError as error:
        raise PictureError(f"box {text!r} is not top,left,bottom,right in voxels") from error
    inside = 0 <= top < bottom <= whole.bottom and 0 <= left < right <= whole.right
    if not inside:
        raise PictureError(f"box {text!r} does not lie in {whole.bottom} x {whole.right} voxels")
    return Box(top=top, left=left, bottom=bottom, right=right)


def parse_window(low: float | None, high: float | None) -> tuple[float, float] | None:
    """Read the values drawn black and white; None for those of the volume.

    Raises
    ------
    PictureError
        If the first is not the lower.
    """
    if low is None or high is None:
        return None
    if not low < high:
        raise PictureError(f"the window {low:g} to {high:g} is empty; low must be below high")
    return low, high


def slice_routes(find: Find, pictures: SlicePictures) -> APIRouter:
    """Make the routes of planes and small pictures."""
    router = APIRouter()

    def slice_picture(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        axis: Axis,
        index: Annotated[int, Path(ge=0, le=99_999)],
        form: PictureFormat,
        layer: Layer = "image",
        px: Annotated[int, Query(ge=16, le=4096, description="Longest side wanted")] = LONGEST_PX,
        box: Annotated[str, Query(max_length=40)] = "",
        low: Annotated[float | None, Query(allow_inf_nan=False)] = None,
        high: Annotated[float | None, Query(allow_inf_nan=False)] = None,
        v: Token = "",
    ) -> Response:
        """Draw one plane of a scan, or a part of it."""
        try:
            picture = find_picture(find, experiment, scan)
            _check(picture, scan, axis, index, layer)
            part, window = parse_box(box, picture.shape, axis), parse_window(low, high)
            about = _about(pictures, experiment, scan, picture, axis, index, part, px)
            return Answer(
                about={**about, "layer": layer, "window": window},
                media_type=f"image/{form if layer == 'image' else 'png'}",
                make=lambda: pictures.draw(
                    experiment, picture, axis, index, layer, part, px, window, form
                ),
                is_immutable=v == picture.token,
            ).respond(request)
        except (PictureError, StoreError) as error:
            return refuse(error)

    def volume_about(experiment: Experiment, scan: Scan) -> Response:
        """Give sizes of the levels and the window of a volume."""
        try:
            picture = find_picture(find, experiment, scan)
            about = describe_volume(pictures.paths(experiment).resolve(picture.path))
        except (PictureError, StoreError) as error:
            return refuse(error)
        return JSONResponse(
            {
                "experiment": experiment,
                "scan": scan,
                "generation": picture.token,
                "shapes": about.shapes,
                "window": about.window,
                "unit": about.unit,
                "voxel_um": picture.voxel_um,
            }
        )

    def small(request: Request, experiment: Experiment, scan: Scan, v: Token = "") -> Response:
        """Draw the middle slice of a scan with its labels, small."""
        try:
            picture = find_picture(find, experiment, scan)
            about = {"experiment": experiment, "scan": scan, "generation": picture.token}
            return Answer(
                about={**about, "labels": picture.label_name, "small": THUMBNAIL_PX},
                media_type="image/webp",
                make=lambda: pictures.thumbnail(experiment, picture),
                is_immutable=v == picture.token,
            ).respond(request)
        except (PictureError, StoreError) as error:
            return refuse(error)

    add = router.add_api_route
    add("/slice/{experiment}/{scan}/{axis}/{index}.{form}", slice_picture, response_class=Response)
    add("/volume/{experiment}/{scan}.json", volume_about, response_class=Response)
    add("/thumbnail/{experiment}/{scan}.webp", small, response_class=Response)
    return router


def _check(picture: Picture, scan: int, axis: Axis, index: int, layer: Layer) -> None:
    if layer != "image" and picture.label_name is None:
        raise PictureError(f"scan {scan} has no labels yet")
    n_planes = picture.shape[AXES.index(axis)]
    if index >= n_planes:
        raise PictureError(f"scan {scan} has planes 0 to {n_planes - 1} along {axis}, not {index}")


def _about(
    pictures: SlicePictures,
    experiment: str,
    scan: int,
    picture: Picture,
    axis: Axis,
    index: int,
    box: Box,
    px: int,
) -> dict[str, object]:
    """Name a plane, and say which level of it the answer has and what it covers."""
    shapes = describe_volume(pictures.paths(experiment).resolve(picture.path)).shapes
    level = choose_level(box.longest, len(shapes), px)
    rows, columns = box.at_level(level, plane_shape(shapes[level], axis))
    step = 1 << level
    return {
        "experiment": experiment,
        "scan": scan,
        "axis": axis,
        "index": index,
        "level": level,
        "generation": picture.token,
        "box": [rows.start * step, columns.start * step, rows.stop * step, columns.stop * step],
    }
