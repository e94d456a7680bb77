"""Set up the next experiment from a page: `lithoscope new` is asked, as a process.

Nothing of the services is imported here. The command checks every value, and its one line of an
error is what the page shows. Streams are listened to; files of this machine are not looked at.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lithoscope_dashboard.guard import session_of
from lithoscope_dashboard.requests_api import has_token
from lithoscope_messages import ExperimentName
from lithoscope_store.layout import Store

#: Who may write a file, or make this machine connect to another one.
_NEEDS: Final = "operator"
LISTEN_S: Final = 10.0
#: A command that is not done by then is ended.
_PATIENCE_S: Final = 120.0
_OPTION = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NEW: Final = (sys.executable, "-m", "lithoscope_services.cli", "new")
_PLACE: Final = r"^(tcp|ipc|pva)://[!-~]{1,250}$"
Text = Annotated[str, Field(max_length=300)]


class SetUp(BaseModel):
    """Answers, by option of ``lithoscope new``; an empty one leaves the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ExperimentName
    answers: dict[str, Text]
    source: dict[str, Any] = {}  # what a stream has told, by key of the settings
    replaces: bool = False


class Listen(BaseModel):
    """Where to listen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: Annotated[str, Field(pattern=_PLACE)]
    for_s: Annotated[float, Field(ge=0.1, le=60)] = LISTEN_S


def setup_router(store: Store) -> APIRouter:
    """Make the routes.

    Parameters
    ----------
    store
        Files are written into ``.lithoscope/setups`` of it.
    """
    router = APIRouter(prefix="/api/v1/setup")
    folder = store.root / ".lithoscope" / "setups"
    known: list[Any] = []  # the values, once they were asked for

    async def values() -> list[Any]:  # JSON
        if not known:
            code, out, _ = await _run(["--values"])
            known.extend(json.loads(out) if code == 0 else [])
        return known

    async def ask_values(request: Request) -> JSONResponse:
        """Give what is asked."""
        session_of(request.state)
        return JSONResponse({"values": await values()})

    async def listen(request: Request) -> JSONResponse:
        """Listen to a stream and say what it is."""
        refused = _refused(request)
        if refused is not None:
            return refused
        try:
            wish = Listen.model_validate_json(await request.body())
        except ValidationError:
            text = "give tcp://HOST:PORT, ipc:///path, pva://HOST/CHANNEL or pva://CHANNEL"
            return JSONResponse({"error": text}, 422)
        words = [f"--from={wish.place}", f"--listen-s={wish.for_s:g}", "--json"]
        _, out, error = await _run(words)
        try:
            return JSONResponse(json.loads(out))
        except ValueError:
            return JSONResponse({"error": _last_line(error)}, 422)

    async def write(request: Request) -> JSONResponse:
        """Write the settings file."""
        refused = _refused(request)
        if refused is not None:
            return refused
        try:
            wish = SetUp.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
        options = {each["name"] for each in await values()}
        if not options >= wish.answers.keys() or not all(map(_OPTION.fullmatch, wish.answers)):
            return JSONResponse({"error": "an answer to no question; load the page again"}, 422)
        path = folder / f"{wish.name}.toml"
        folder.mkdir(parents=True, exist_ok=True)
        code, _, error_text = await _run(_words(wish, path))
        if code != 0:
            return JSONResponse({"error": _last_line(error_text)}, 422)
        command = f"lithoscope up --config {path} --store {store.root}"
        return JSONResponse({"path": str(path), "command": command})

    router.add_api_route("/values", ask_values, methods=["GET"])
    router.add_api_route("/listen", listen, methods=["POST"])
    router.add_api_route("", write, methods=["POST"])
    return router


def _words(wish: SetUp, path: Path) -> list[str]:
    # With "=" nothing that begins with a dash is taken for an option.
    words = [f"--{name}={text}" for name, text in wish.answers.items() if text]
    words += [f"--set={key}={_toml(value)}" for key, value in wish.source.items()]
    return [wish.name, *words, f"--out={path}", *(["--force"] if wish.replaces else [])]


def _toml(value: Any) -> str:  # of JSON
    # Texts, numbers, truths and lists of texts are written alike in JSON and TOML.
    return json.dumps(value)


def _refused(request: Request) -> JSONResponse | None:
    found = session_of(request.state)
    if not has_token(request, found):
        return JSONResponse({"error": "the token of the page does not fit; load it again"}, 403)
    if not found.may(_NEEDS):
        return JSONResponse({"error": f"a {found.role} may not do this; it needs {_NEEDS}"}, 403)
    return None


async def _run(words: Sequence[str]) -> tuple[int, str, str]:
    """Run the command, without a shell and without a terminal, beside the loop of the pages."""
    return await run_in_threadpool(_run_here, words)


def _run_here(words: Sequence[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            [*_NEW, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"lithoscope: error: no answer in {_PATIENCE_S:g} s; try again"
    return done.returncode, done.stdout, done.stderr


def _last_line(text: str) -> str:
    # Wrong usage stands in a box of the command line.
    lines = [line.strip(" │╭╮╰╯─") for line in text.splitlines()]
    said = [line for line in lines if line]
    return said[-1].removeprefix("lithoscope: error: ") if said else "no answer came"
