"""Commands about replays: replay, and what steers one that runs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    NameOption,
    StoreOption,
    parse_speed,
)

if TYPE_CHECKING:
    from lithoscope_services.replay.launch import ReplayResult

_PANEL = "Run"
_MAX_SHOWN = 20


class Control(StrEnum):
    """What can be asked of a replay that runs."""

    PAUSE = "pause"
    RESUME = "resume"
    SPEED = "speed"
    SEEK = "seek"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(replay)
    app.command("replay-control", rich_help_panel=_PANEL)(replay_control)


def replay(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.")],
    speed: Annotated[
        str,
        typer.Option(metavar="X|max", help="How many times faster than it was recorded."),
    ] = "1",
    first: Annotated[
        int | None, typer.Option("--from", metavar="SCAN", min=0, help="First scan [dim](all)[/].")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--to", metavar="SCAN", min=0, help="Last scan [dim](all)[/].")
    ] = None,
    name: NameOption = None,
    facts_only: Annotated[
        bool,
        typer.Option(
            "--facts-only", help="Show its journal again on the page; compute and write nothing."
        ),
    ] = False,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the live page.")] = True,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay after the last scan.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Take a stored experiment through all steps again, as if it were live.

    Frames, documents and cycler samples go through the same sockets in the
    recorded order and spacing, with the settings of then; nothing is ever sent
    to act. Ends after the last decision, and says whether labels, metrics and
    decisions came out the same. Started again after Ctrl-C, it goes on.

    Example:  lithoscope replay demo --speed max

    Then:  lithoscope report demo-replay
    """
    rate = parse_speed(speed)
    if first is not None and last is not None and first > last:
        raise typer.BadParameter("--from comes after --to")
    if facts_only and name is not None:
        raise typer.BadParameter("--as has no meaning with --facts-only: nothing is written")
    from lithoscope_services.replay.launch import ReplayOptions, run_replay
    from lithoscope_services.settings import load_settings

    options = ReplayOptions(
        store=store,
        experiment=experiment,
        name=name,
        speed=rate,
        first=first,
        last=last,
        facts_only=facts_only,
        has_page=page,
        waits=wait,
        settings=load_settings(config),
    )
    _print_result(experiment, run_replay(options), is_part=first is not None or last is not None)


def replay_control(
    action: Annotated[Control, typer.Argument(help="pause, resume, speed X|max or seek SCAN.")],
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="Speed, or scan to go forward to.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Pause the replay that runs on a store, let it go on, change its speed, go forward.

    A replay goes forward only: seek SCAN lets all before that scan come at
    once. Scans that were replayed can be looked at on the page meanwhile.

    Example:  lithoscope replay-control speed 20
    """
    del config  # every command takes it; what runs is found through the store
    from lithoscope_services.replay.control import control_replay

    typer.echo(control_replay(store, action.value, _value_of(action, value)), err=True)


def _value_of(action: Control, value: str | None) -> float | None:
    if action in (Control.PAUSE, Control.RESUME):
        if value is not None:
            raise typer.BadParameter(f"{action} takes no value")
        return None
    if value is None:
        raise typer.BadParameter(f"{action} needs a value")
    if action is Control.SPEED:
        return parse_speed(value)
    try:
        return float(int(value))
    except ValueError:
        raise typer.BadParameter(f"seek takes the number of a scan, not {value!r}") from None


def _print_result(experiment: str, result: "ReplayResult", *, is_part: bool) -> None:
    if not result.is_over or result.outcome is None:
        return
    outcome = result.outcome
    if outcome.is_equal:
        typer.echo(
            f"Replayed {outcome.n_scans} scans as {result.name}: {outcome.n_labels} label hashes, "
            f"{outcome.n_metrics} metrics and {outcome.n_decisions} decisions are equal"
        )
        return
    typer.echo(
        f"Replayed {outcome.n_scans} scans as {result.name}; not all is as in {experiment}:"
    )
    for line in outcome.differences[:_MAX_SHOWN]:
        typer.echo(f"  {line}")
    if len(outcome.differences) > _MAX_SHOWN:
        typer.echo(f"  and {len(outcome.differences) - _MAX_SHOWN} more")
    if is_part:
        typer.echo("Some scans alone are compared with another first scan, so this is expected.")
