"""What all answers have in common: who they are about, how long they may be kept, refusals."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from lithoscope_dashboard.errors import PictureError
from lithoscope_dashboard.model import ExperimentState, ScanState

Find = Callable[[str], ExperimentState | None]
#: Says in JSON what an answer is about; a page throws away what it did not ask for.
ABOUT = "X-Lithoscope-About"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body that is only made if the browser does not have it yet.

    Parameters
    ----------
    about
        Names what was asked for; its ``generation`` changes with the content.
    media_type
        Of the body.
    make
        Makes the body.
    is_immutable
        Whether the address named the generation, so that the answer can never change.
    """

    about: Mapping[str, object]
    media_type: str
    make: Callable[[], bytes]
    is_immutable: bool = False

    def respond(self, request: Request) -> Response:
        """Answer a request, or say that what the browser has is still true."""
        text = json.dumps(self.about, sort_keys=True)
        etag = f'"{hashlib.sha256(f"{self.media_type} {text}".encode()).hexdigest()[:32]}"'
        keep = "max-age=31536000, immutable" if self.is_immutable else "no-cache"
        headers = {"ETag": etag, "Cache-Control": f"private, {keep}", ABOUT: text}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(self.make(), media_type=self.media_type, headers=headers)


def refuse(error: Exception) -> JSONResponse:
    """Say why there is no such thing."""
    return JSONResponse({"error": str(error)}, status_code=404)


def find_experiment(find: Find, experiment: str) -> ExperimentState:
    """Give what is known of an experiment.

    Raises
    ------
    PictureError
        If it is not open.
    """
    state = find(experiment)
    if state is None:
        raise PictureError(f"experiment {experiment[:64]!r} is not open here")
    return state


def find_scan(find: Find, experiment: str, scan: int) -> ScanState:
    """Give what is known of a scan.

    Raises
    ------
    PictureError
        If the experiment is not open or has no such scan.
    """
    found = find_experiment(find, experiment).scans.get(scan)
    if found is None:
        raise PictureError(f"{experiment} has no scan {scan}")
    return found


def generation_of(*parts: object) -> str:
    """Short hash of all that an answer is made from."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
