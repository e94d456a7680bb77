"""Fine-tune a network from the Labels page: `lithoscope model fine-tune` is begun as a process.

Nothing of the services or models is imported here. How far it is stands in the folder of the run,
whoever began it; a run that was begun here ends with this process.
"""

import os
import subprocess
import sys
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_dashboard.api.answers import refuse
from lithoscope_dashboard.guard import session_of
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.requests_api import has_token
from lithoscope_messages import ExperimentName
from lithoscope_store.errors import NotStoredError, StoreError
from lithoscope_store.fine_tunes import RunFolder, RunState, next_run, runs_of
from lithoscope_store.painted_labels import painted_marks

#: Who may have this machine work for minutes.
_NEEDS: Final = "operator"
_LOG: Final = "log.txt"
_ENDS: Final = ("done", "failed")
_COMMAND: Final = (sys.executable, "-m", "lithoscope_services.cli", "model", "fine-tune")
Experiment = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=99_999)]
PictureName = Annotated[str, Path(pattern=r"^held-out-[0-9]+-[0-9]+\.png$")]


class FineTune(BaseModel):
    """What is to be learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: ExperimentName
    n_steps: Annotated[int, Field(ge=1, le=20_000, description="Of the training")] = 400


class FineTunings:
    """Begins fine-tunings; a pipe to each ends it when this process is gone."""

    def __init__(self) -> None:
        self._begun: dict[RunFolder, subprocess.Popen[bytes]] = {}
        self._lifelines: list[int] = []  # never closed but with this process

    def begin(self, reach: Reach, wish: FineTune) -> RunFolder:
        """Begin one on the painted slices of an experiment.

        Raises
        ------
        StoreError
            If one runs already, or nothing can be written.
        """
        run = next_run(reach.store, wish.experiment)
        words = [
            *(f"--experiment={wish.experiment}", f"--steps={wish.n_steps}"),
            *(f"--store={reach.store.root}", f"--out={run.path}"),
        ]
        lifeline, kept = os.pipe()
        self._lifelines.append(kept)
        with (run.path / _LOG).open("wb") as log:
            process = subprocess.Popen(
                [*_COMMAND, *words, f"--lifeline-fd={lifeline}"],
                pass_fds=[lifeline],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        os.close(lifeline)
        self._begun[run] = process
        return run

    def is_running(self, run: RunFolder) -> bool:
        """Say whether a run goes on, begun here or not."""
        state = _state_of(run)
        if state is not None and state.status in _ENDS:
            return False
        process = self._begun.get(run)
        # It takes its lock after some seconds of importing.
        return run.is_running or (process is not None and process.poll() is None)


def fine_tune_router(reach: Reach) -> APIRouter:
    """Make the routes.

    Parameters
    ----------
    reach
        Finds experiments, and knows where their files lie.
    """
    router = APIRouter(prefix="/api/v1/fine-tune")
    begun = FineTunings()

    def about(experiment: Experiment) -> Response:
        """Say how far the newest fine-tuning of an experiment is, and what it would learn from."""
        try:
            return JSONResponse(_about(reach, begun, experiment), headers=_FRESH)
        except StoreError as error:
            return refuse(error)

    async def begin(request: Request) -> JSONResponse:
        """Begin a fine-tuning."""
        found = session_of(request.state)
        if not has_token(request, found):
            return _refuse(403, "the token of the page does not fit; load it again")
        if not found.may(_NEEDS):
            return _refuse(403, f"a {found.role} may not do this; it needs {_NEEDS}")
        try:
            wish = FineTune.model_validate_json(await request.body())
        except ValidationError:
            return _refuse(422, "name an experiment, and from 1 to 20000 steps")
        return await run_in_threadpool(begin_now, wish)

    def begin_now(wish: FineTune) -> JSONResponse:
        experiment = wish.experiment
        try:
            if reach.find(experiment) is None:
                return _refuse(404, f"experiment {experiment!r} is not open here")
            runs = runs_of(reach.store, experiment)
            if runs and begun.is_running(runs[-1]):
                return _refuse(409, "one runs already; wait for it")
            begun.begin(reach, wish)
            return JSONResponse(_about(reach, begun, experiment), headers=_FRESH)
        except StoreError as error:
            return _refuse(409, str(error))

    def picture(experiment: Experiment, number: Number, name: PictureName) -> Response:
        """Give a picture of the report: grey values, painted, before and after."""
        try:
            runs = runs_of(reach.store, experiment)
            if number > len(runs):
                raise NotStoredError(f"{experiment} has {len(runs)} fine-tunings")
            png = runs[number - 1].read_picture(name)
        except StoreError as error:
            return refuse(error)
        return Response(png, media_type="image/png", headers=_FRESH)

    router.add_api_route("", begin, methods=["POST"])
    router.add_api_route("/{experiment}.json", about, response_class=Response)
    router.add_api_route("/{experiment}/{number}/{name}", picture, response_class=Response)
    return router


_FRESH: Final = {"Cache-Control": "no-store"}


def _about(reach: Reach, begun: FineTunings, experiment: str) -> dict[str, Any]:  # JSON
    paths = reach.store.experiment(experiment)
    volumes = sorted((paths.root / "volumes").glob("[0-9]*-*"))
    places = {
        (volume.name, mark.layer.axis, mark.index)
        for volume in volumes
        for mark in painted_marks(volume)
    }
    runs = runs_of(reach.store, experiment)
    command = f"lithoscope model fine-tune --experiment {experiment} --store {reach.store.root}"
    return {
        "experiment": experiment,
        "n_painted": len(places),
        "command": command,
        "number": len(runs),
        "run": _describe(begun, runs[-1]) if runs else None,
    }


def _describe(begun: FineTunings, run: RunFolder) -> dict[str, Any]:  # JSON
    state = _state_of(run)
    told = {} if state is None else asdict(state)
    # More digits than numbers of a browser have.
    told |= {name: str(told.get(name, 0)) for name in ("began_ns", "now_ns")}
    is_running = begun.is_running(run)
    if state is not None and (state.status in _ENDS or is_running):
        return told
    if is_running:
        return {**told, "status": "begun", "step": 0, "n_steps": 0}
    message = _last_line(run) or "it was ended before it was done; begin another one"
    return {**told, "status": "failed", "message": message}


def _state_of(run: RunFolder) -> RunState | None:
    try:
        return run.read_state()
    except NotStoredError:
        return None


def _last_line(run: RunFolder) -> str:
    """Give the error that the command ended with, where it came before its first state."""
    try:
        text = (run.path / _LOG).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip(" │╭╮╰╯─") for line in text.splitlines() if "lithoscope: error:" in line]
    return lines[-1].partition("lithoscope: error: ")[2] if lines else ""


def _refuse(status: int, error: str) -> JSONResponse:
    return JSONResponse({"error": error}, status)
