"""What people ask for: checked, and left for the journal. Nothing else here ever writes."""

import asyncio
import hmac
import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from lithoscope_dashboard.board import Board, Snapshot
from lithoscope_dashboard.errors import DashboardError
from lithoscope_dashboard.guard import session_of
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.sessions import Session
from lithoscope_dashboard.slices import AXES, plane_shape
from lithoscope_dashboard.wishes import (
    NEEDS,
    Acknowledge,
    Answer,
    Disarm,
    Paint,
    Replay,
    Retry,
    Wish,
    message_of,
)

_WISHES: TypeAdapter[Wish] = TypeAdapter(Wish)
TOKEN = "X-CSRF-Token"


def requests_router(board: Board, post: Post) -> APIRouter:
    """Make the routes.

    Parameters
    ----------
    board
        What is asked for must be about the experiment that runs.
    post
        Where requests for the journal are left.
    """
    router = APIRouter(prefix="/api/v1")

    def session(request: Request) -> JSONResponse:
        """Tell a page who looks at it, and the token that its wishes must carry."""
        found = session_of(request.state)
        about = {"person": found.person, "role": found.role, "login": found.has_login}
        return JSONResponse({**about, "csrf": found.token}, headers={"Cache-Control": "no-store"})

    async def ask(request: Request) -> JSONResponse:
        """Write what a person asks for into the journal."""
        found = session_of(request.state)
        if not has_token(request, found):
            return _refuse(403, "the token of the page does not fit; load it again", "csrf")
        try:
            wish = _WISHES.validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return _refuse(422, f"{where}: {first['msg']}", "invalid")
        if not found.may(NEEDS[wish.ask]):
            needs = NEEDS[wish.ask]
            return _refuse(403, f"a {found.role} may not {wish.ask}; it needs {needs}", "role")
        snapshot = board.snapshot
        wish = _addressed(wish, snapshot)
        why_not = refusal(wish, snapshot)
        if why_not:
            return _refuse(409, why_not, "state")
        message = message_of(
            wish,
            person_of(found, wish.name),
            time.time_ns(),
            attempt=_attempt(wish, snapshot),
            path=_path(wish, snapshot),
        )
        try:
            (number, *_) = await asyncio.wrap_future(post.send(message))
        except DashboardError as error:
            return _refuse(503, str(error), "journal")
        return JSONResponse(
            {"number": number, "person": message.person, "time_ns": str(message.time_ns)}
        )

    router.add_api_route("/session", session, methods=["GET"])
    router.add_api_route("/requests", ask, methods=["POST"])
    return router


def has_token(request: Request, session: Session) -> bool:
    """Whether a request carries what only a page of ours can know."""
    return hmac.compare_digest(request.headers.get(TOKEN, "").encode(), session.token.encode())


def refusal(wish: Wish, snapshot: Snapshot) -> str:
    """Say why something cannot be asked for now; empty if it can.

    A stored experiment and a replay are over: nothing may be asked of them, whatever a page shows.
    """
    state = snapshot.experiment
    if state is None or state.name != wish.experiment:
        return f"{wish.experiment} is not the experiment that runs; nothing can be asked of it"
    if isinstance(wish, Replay):
        return "" if snapshot.is_replay else "no replay runs"
    if snapshot.is_replay and not isinstance(wish, Retry):
        return f"{state.name} is a replay: its decisions were made when it was live"
    if state.is_ended:
        return f"{state.name} is over; nothing can be asked of it"
    match wish:
        case Answer():
            known = next((p for p in state.proposals if p.proposal == wish.proposal), None)
            if known is None or not known.is_open:
                return "this proposal no longer waits for an answer"
        case Acknowledge():
            if all(each.key != wish.alarm for each in state.open_alarms):
                return "this alarm no longer stands"
        case Retry():
            failed = [(f.scan, f.stage) for f in state.failures if not f.is_settled]
            if (wish.scan, wish.stage) not in failed:
                return f"{wish.stage} of scan {wish.scan} has not failed"
        case Paint():
            return _not_paintable(wish, state)
        case _:
            pass
    return ""


def _addressed(wish: Wish, snapshot: Snapshot) -> Wish:
    """Send a disarming to what runs, whatever the page shows: it must work from every page."""
    if isinstance(wish, Disarm) and snapshot.experiment is not None:
        return wish.model_copy(update={"experiment": snapshot.experiment.name})
    return wish


def person_of(session: Session, typed: str) -> str:
    """Give who asks: the login; without one a name that was typed, and the account it rests on."""
    name = typed.strip()
    if session.has_login or not name or name == session.person:
        return session.person
    return f"{name} ({session.person})"[:128]


def _not_paintable(wish: Paint, state: ExperimentState) -> str:
    scan = state.scans.get(wish.scan)
    picture = None if scan is None else scan.picture
    if picture is None or picture.label_name is None:
        return f"scan {wish.scan} has no labels yet; it is painted on once it has"
    if picture.token != wish.token:
        return f"the volume of scan {wish.scan} is another by now; load the page again"
    n_planes = picture.shape[AXES.index(wish.axis)]
    rows, columns = plane_shape(picture.shape, wish.axis)
    ends = max(first + count for first, count, _ in wish.runs)
    if wish.index >= n_planes or ends > rows * columns:
        return f"scan {wish.scan} has {n_planes} planes of {rows} x {columns} along {wish.axis}"
    return ""


def _path(wish: Wish, snapshot: Snapshot) -> str:
    state = snapshot.experiment
    if not isinstance(wish, Paint) or state is None:
        return ""
    picture = state.scans[wish.scan].picture
    return "" if picture is None else picture.path


def _attempt(wish: Wish, snapshot: Snapshot) -> int:
    state = snapshot.experiment
    if not isinstance(wish, Answer) or state is None:
        return 0
    return next((p.n_not_sent for p in state.proposals if p.proposal == wish.proposal), 0)


def _refuse(status: int, error: str, code: str) -> JSONResponse:
    return JSONResponse({"error": error, "code": code}, status_code=status)
