"""All routes of ``/api/v1`` in one router."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from lithoscope_dashboard.api.labels import label_routes
from lithoscope_dashboard.api.maps import MapReader, map_routes
from lithoscope_dashboard.api.slices import SlicePictures, slice_routes
from lithoscope_dashboard.api.surfaces import surface_routes
from lithoscope_dashboard.api.tables import table_routes
from lithoscope_dashboard.reach import Reach


def api_router(reach: Reach) -> APIRouter:
    """Make the routes of pictures and numbers.

    Parameters
    ----------
    reach
        Finds experiments by their names, and knows where their files lie.
    """
    find, store = reach.find, reach.store

    def health() -> dict[str, object]:
        """Say whether what is shown is what is."""
        state = reach.board.snapshot.experiment
        return {
            "state": reach.board.live_state,
            "experiment": None if state is None else state.name,
            "head": 0 if state is None else state.head,
        }

    router = APIRouter(prefix="/api/v1")
    router.include_router(slice_routes(find, SlicePictures(store)))
    router.include_router(map_routes(MapReader(store, find)))
    router.include_router(label_routes(store, find))
    router.include_router(surface_routes(store, find))
    router.include_router(table_routes(lambda: reach.board.snapshot, find, store))
    router.add_api_route("/health", health, methods=["GET"])
    # Else the page itself would be the answer to every address.
    router.add_api_route("/{rest:path}", _nothing_there, methods=["GET"])
    return router


def _nothing_there(rest: str) -> JSONResponse:
    return JSONResponse({"error": f"there is no {rest[:100]} here"}, status_code=404)
