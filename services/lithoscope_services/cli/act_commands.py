"""Commands about acting: arm, disarm, release, audit."""

import getpass
from typing import Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    write_json,
)

_PANEL = "Act"
ExperimentArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.")]
PersonOption = Annotated[
    str, typer.Option("--person", metavar="NAME", help="Who does it [your account].")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(arm)
    app.command(rich_help_panel=_PANEL)(disarm)
    app.command(rich_help_panel=_PANEL)(release)
    app.command(rich_help_panel=_PANEL)(audit)


def arm(
    experiment: ExperimentArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the journal.")],
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=12.0, help="When the lease ends.")
    ] = 8.0,
    person: PersonOption = "",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Let rules in mode auto act by themselves, until an end: a lease.

    Only hold, pause, a lower current and new flats are ever sent without a person; a finer scan is
    put into a queue that does not run. A restart, another model or other rules, an action with an
    unknown end, and silence of a service end the lease.

    Example:  lithoscope arm cell-7 --hours 8 --reason "night shift, Ada on call"
    """
    del config  # what may be sent stands in the settings of the running instance
    from lithoscope_services.actuators.requests import ask_to_arm

    typer.echo(ask_to_arm(store, experiment, person or getpass.getuser(), reason, hours * 3600.0))


def disarm(
    experiment: ExperimentArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    person: PersonOption = "",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """End the lease at once. Always possible, for anybody.

    Example:  lithoscope disarm cell-7
    """
    del config
    from lithoscope_services.actuators.requests import ask_to_disarm

    typer.echo(ask_to_disarm(store, experiment, person or getpass.getuser(), reason))


def release(
    experiment: ExperimentArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the journal.")],
    person: PersonOption = "",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Let the plan go on after a hold. The cycler is released at the beamline, never from here.

    Example:  lithoscope release cell-7 --reason "gap looked at, it was noise"
    """
    del config
    from lithoscope_services.actuators.requests import ask_to_release

    typer.echo(ask_to_release(store, experiment, person or getpass.getuser(), reason))


def audit(
    experiment: ExperimentArgument,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Verify the journal's chain of hashes, and show every decision from evidence to effect.

    Ends with exit code 1 if the chain does not hold.

    Example:  lithoscope audit cell-7 --json
    """
    del config
    from lithoscope_services.audit import audit_experiment
    from lithoscope_store.layout import Store

    document = audit_experiment(Store(store), experiment)
    if json:
        write_json(document)
    else:
        from lithoscope_services.cli.audit_table import print_audit

        print_audit(document)
    if document["problems"]:
        raise typer.Exit(1)
