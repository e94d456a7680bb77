"""Put the commands together."""

from typing import Annotated

import typer

from lithoscope_services.cli import (
    act_commands,
    attach_command,
    checklist_command,
    compare_command,
    compare_labels_command,
    config_commands,
    dashboard_command,
    hindsight_command,
    keep_commands,
    labels_commands,
    look_commands,
    model_commands,
    new_command,
    register_command,
    replay_command,
    reprocess_command,
    rule_commands,
    run_commands,
    segment_command,
    step_commands,
    tap_commands,
)

_HELP = """Watch a lithium-metal cell from the inside while it is cycled.

Try it:  lithoscope demo

Then:  lithoscope report demo
"""


def make_app() -> typer.Typer:
    """Build the command line."""
    app = typer.Typer(
        name="lithoscope",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    new_command.register(app)
    run_commands.register(app)
    checklist_command.register(app)
    replay_command.register(app)
    tap_commands.register(app)
    step_commands.register(app)
    register_command.register(app)
    segment_command.register(app)
    reprocess_command.register(app)
    attach_command.register(app)
    hindsight_command.register(app)
    look_commands.register(app)
    compare_command.register(app)
    compare_labels_command.register(app)
    dashboard_command.register(app)
    keep_commands.register(app)
    rule_commands.register(app)
    act_commands.register(app)
    model_commands.register(app)
    labels_commands.register(app)
    config_commands.register(app)
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from lithoscope_services.version import software_version

        typer.echo(f"lithoscope {software_version()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    # Typer takes the help from make_app; this holds the options of the program itself.
    del version
