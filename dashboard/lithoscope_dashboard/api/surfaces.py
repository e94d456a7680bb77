"""Surfaces of the classes of a scan: what there is, and the files, as glTF."""

import re
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from lithoscope_dashboard.api.answers import Answer, Find, find_scan, refuse
from lithoscope_dashboard.api.slices import Experiment, Scan, Token
from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.palette import BY_KEY
from lithoscope_store.errors import StoreError
from lithoscope_store.layout import Store
from lithoscope_store.meshes import read_surfaces

MAX_BYTES = 256 * 2**20
_SHOWN = ("class", "triangles", "vertices", "bounds_um", "volume_um3", "bytes", "sha256")
_CLASS = re.compile(r"[a-z][a-z0-9_]{0,63}")


def surface_routes(store: Store, find: Find) -> APIRouter:
    """Make the routes of surfaces.

    Parameters
    ----------
    store, find
        Where they lie, and what is known of experiments.
    """
    router = APIRouter()

    def listed(experiment: Experiment, scan: Scan) -> Response:
        """List the classes that have a surface, with colours, sizes and hashes."""
        try:
            about = _about(_folder(store, find, experiment, scan))
        except (PictureError, StoreError) as error:
            return refuse(error)
        return JSONResponse({"experiment": experiment, "scan": scan, **about})

    def surface(
        request: Request,
        experiment: Experiment,
        scan: Scan,
        kind: Annotated[str, Path(max_length=64)],
        v: Token = "",
    ) -> Response:
        """Give the surface of one class."""
        try:
            folder = _folder(store, find, experiment, scan)
            listed = {each["class"]: each for each in _about(folder)["surfaces"]}
            if not _CLASS.fullmatch(kind) or kind not in listed:
                raise PictureError(f"scan {scan} of {experiment} has no surface of {kind!r}")
            file = folder / f"{kind}.glb"
            if not file.is_file() or file.is_symlink() or file.stat().st_size > MAX_BYTES:
                raise PictureError(f"the surface of {kind!r} of scan {scan} cannot be read")
            generation = str(listed[kind]["sha256"])[:16]
        except (PictureError, StoreError) as error:
            return refuse(error)
        return Answer(
            about={
                "experiment": experiment,
                "scan": scan,
                "class": kind,
                "generation": generation,
            },
            media_type="model/gltf-binary",
            make=file.read_bytes,
            is_immutable=v == generation,
        ).respond(request)

    router.add_api_route("/surfaces/{experiment}/{scan}.json", listed, response_class=Response)
    router.add_api_route(
        "/surface/{experiment}/{scan}/{kind}.glb", surface, response_class=Response
    )
    return router


def _folder(store: Store, find: Find, experiment: str, scan: int) -> FilePath:
    known = find_scan(find, experiment, scan)
    if known.surfaces_path is None:
        raise PictureError(
            f"scan {scan} of {experiment} has no surfaces: they are made after its metrics, if "
            "at all; look at the slices meanwhile"
        )
    return store.experiment(experiment).resolve(known.surfaces_path)


def _about(folder: FilePath) -> dict[str, Any]:
    """Read the index of the surfaces, and give each its letter and its name."""
    about = read_surfaces(folder)
    try:
        surfaces = [_with_name(each) for each in about["surfaces"]]
        sizes = {name: about[name] for name in ("voxel_um", "grid_um", "shape")}
    except (KeyError, TypeError) as error:
        raise PictureError(f"the index of {folder.name} lacks {error}; make it again") from error
    return {**sizes, "surfaces": surfaces}


def _with_name(surface: dict[str, Any]) -> dict[str, Any]:
    known = BY_KEY.get(surface["class"])
    return {
        **{name: surface[name] for name in _SHOWN},
        "colour": surface["colour"] if known is None else known.css,
        "letter": "" if known is None else known.letter,
        "name": str(surface["class"]).replace("_", " ") if known is None else known.name,
    }
