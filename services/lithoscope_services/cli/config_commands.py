"""``lithoscope config …``: settings files."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import JsonOption, write_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    config = typer.Typer(help="Look at settings files.", no_args_is_help=True)
    config.command("check")(check)
    app.add_typer(config, name="config", rich_help_panel="Look")


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="TOML file; without it, the defaults.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print the settings as they will be used, or everything that is wrong with them.

    Example:  lithoscope config check cell-7.toml
    """
    from lithoscope_services.settings import SettingsError, load_settings, render_settings

    try:
        settings = load_settings(file)
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"lithoscope: error: {problem}", err=True)
        raise typer.Exit(1) from error
    if json:
        write_json(settings.model_dump(mode="json"))
    else:
        typer.echo(render_settings(settings), nl=False)
