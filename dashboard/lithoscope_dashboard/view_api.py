"""The snapshot of a page over HTTP: for a tab that has just come, or has missed something."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from lithoscope_dashboard.transport import Transport
from lithoscope_dashboard.view import LONGEST


def view_router(transport: Transport) -> APIRouter:
    """Make the route."""
    router = APIRouter(prefix="/api/v1")

    # Not a coroutine: it is run in a thread, so that a large page does not keep others waiting.
    def view(at: Annotated[str, Query(max_length=LONGEST)]) -> JSONResponse:
        """Give all parts of the page at this address."""
        message = transport.message(at) or transport.beat(at, 0)
        return JSONResponse(message, headers={"Cache-Control": "no-store"})

    router.add_api_route("/view", view, methods=["GET"])
    return router
