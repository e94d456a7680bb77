"""Commands for streams of others: tap."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import parse_speed

if TYPE_CHECKING:
    from lithoscope_services.sources.tap import TapCounts

_PANEL = "Run"
_EVERY_S = 0.5


class TapPattern(StrEnum):
    """What the sender's socket is."""

    PULL = "pull"
    SUB = "sub"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(tap)


def tap(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="Sender to record: tcp://HOST:PORT or ipc:///path."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="New file to record into.")
    ] = None,
    forward: Annotated[
        str | None,
        typer.Option(
            "--forward",
            metavar="ADDRESS",
            help="Where to pass messages on: ipc:///path or tcp://127.0.0.1:PORT.",
        ),
    ] = None,
    play: Annotated[
        Path | None, typer.Option("--play", metavar="FILE", help="Recording to play again.")
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="X|max", help="How many times faster to play.")
    ] = "1",
    pattern: Annotated[
        TapPattern,
        typer.Option(help="pull from a PUSH sender, sub from a PUB sender; passed on alike."),
    ] = TapPattern.PULL,
    split_gb: Annotated[
        float | None,
        typer.Option(metavar="G", min=0.001, help="Begin FILE.001, .002 … after so many GB."),
    ] = None,
) -> None:
    """Record a foreign 0MQ stream as it comes and pass it on, or play a recording again.

    A PUSH sender gives each message to one client only, so whoever needs it
    too connects to ADDRESS. Behind PUSH a slow reader makes the sender wait,
    nothing is lost; behind PUB what it leaves is dropped and counted.

    Ctrl-C ends it; between scans, for what is under way then is lost. Playing
    ends when all was played and the readers have gone.

    Example:  lithoscope tap tcp://dcu:31001 --record 7.tap --forward ipc:///run/tap

    Then:  lithoscope tap --play 7.tap --forward ipc:///run/tap --speed max
    """
    if (play is None) == (record is None):
        raise typer.BadParameter("give either SOURCE with --record FILE, or --play FILE")
    if play is not None:
        _play(play, source, forward, speed)
    elif source is None:
        raise typer.BadParameter("SOURCE is missing; give the address of the sender")
    elif record is not None:
        _record(source, pattern, record, forward, split_gb)


def _record(
    source: str, pattern: TapPattern, path: Path, forward: str | None, split_gb: float | None
) -> None:
    from lithoscope_services.settings.source_table import sender_address
    from lithoscope_services.sources import tap

    relay = None if forward is None else _checked(tap.relay_address, forward)
    plan = tap.Recording(
        source=_checked(sender_address, source),
        pattern=pattern.value,
        path=path,
        relay=relay,
        max_bytes=None if split_gb is None else int(split_gb * 1e9),
    )
    where = "" if relay is None else f", passing it on at {relay}"
    typer.echo(f"Recording {source} to {path}{where}; Ctrl-C ends it", err=True)
    begun_s = time.monotonic()
    with _stoppable() as stop, _progress_line(f"recording {source}") as tell:
        counts = tap.record(plan, stop, tell)
    typer.echo(f"Recorded {_describe(counts, time.monotonic() - begun_s)} to {path}", err=True)


def _play(path: Path, source: str | None, forward: str | None, speed: str) -> None:
    from lithoscope_services.sources import tap

    if source is not None:
        raise typer.BadParameter("SOURCE and --play exclude each other")
    if forward is None:
        raise typer.BadParameter("--forward is missing; give the address that readers connect to")
    relay = _checked(tap.relay_address, forward)
    plan = tap.Playback(path=path, relay=relay, speed=parse_speed(speed))
    typer.echo(f"Playing {path} at {forward} to who connects; Ctrl-C ends it", err=True)
    begun_s = time.monotonic()
    with _stoppable() as stop, _progress_line(f"playing {path}") as tell:
        counts = tap.play(plan, stop, tell)
    typer.echo(f"Played {_describe(counts, time.monotonic() - begun_s)}", err=True)
    if counts.n_torn_bytes:
        typer.echo(
            f"lithoscope: warning: the last {counts.n_torn_bytes} bytes of {path} are torn, as a "
            "killed recording leaves them; they were left out",
            err=True,
        )
    if not counts.is_over:
        raise typer.Exit(130)


def _checked(check: Callable[[str], str], address: str) -> str:
    try:
        return check(address)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Make SIGINT and SIGTERM set an event; a second one ends the program."""
    stop = threading.Event()
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for each in before:
        signal.signal(each, ask)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _progress_line(title: str) -> "Iterator[Callable[[TapCounts], None]]":
    """Show a line that is renewed twice a second; silent unless standard error is a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console

    begun_s = shown_s = time.monotonic()

    def tell(counts: "TapCounts") -> None:
        nonlocal shown_s
        now_s = time.monotonic()
        if now_s - shown_s >= _EVERY_S or counts.is_over:
            shown_s = now_s
            status.update(f"{title}: {_describe(counts, now_s - begun_s)}")

    with Console(stderr=True).status(f"{title}: waiting") as status:
        yield tell


def _describe(counts: "TapCounts", for_s: float) -> str:
    rate = f"{counts.n_bytes / 1e6 / max(for_s, 1e-3):.1f} MB/s"
    text = f"{counts.n_messages} messages, {counts.n_bytes / 1e9:.3f} GB in {for_s:.0f} s ({rate})"
    fates = {
        "passed on": counts.n_passed,
        "dropped for slow readers": counts.n_dropped,
        "heard by nobody": counts.n_unheard,
        "not passed on": counts.n_unpassed,
    }
    text += "".join(f", {n} {fate}" for fate, n in fates.items() if n)
    if counts.is_over:
        text += "; all played"
    if counts.write_error is not None:
        text += f"; NO LONGER RECORDED: {counts.write_error.strerror}"
    return text
