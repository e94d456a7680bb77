"""``lithoscope config …`` and ``lithoscope new``: settings files."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lithoscope_services.cli.options import JsonOption, write_json

_RUN = "Run"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = typer.Typer(help="Look at settings files.", no_args_is_help=True)
    config.command("check")(check)
    app.add_typer(config, name="config", rich_help_panel="Look")
    app.command("new", rich_help_panel=_RUN)(new)


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


def new(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the experiment.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write [NAME.toml].")
    ] = None,
    sample: Annotated[str | None, typer.Option(help="Name of the cell, for people.")] = None,
    active_area_cm2: Annotated[
        float | None, typer.Option(help="Electrode area of the whole cell, cm².")
    ] = None,
    n_scans: Annotated[int | None, typer.Option("--scans", help="Scans planned.")] = None,
    voxel_um: Annotated[
        float | None, typer.Option(help="Detector pixel in the plane of the sample, µm.")
    ] = None,
    energy_kev: Annotated[
        float | None, typer.Option("--energy-kev", help="Photon energy, keV.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Set up an experiment: a few questions, or these flags, become one settings file.

    Questions are asked only at a terminal, and only for what no flag has answered.

    Example:  lithoscope new cell-7 --active-area-cm2 0.5 --scans 25
    """
    from lithoscope_services.settings import Settings, render_settings, replace_values

    answers: dict[str, Any] = {  # values of any key of the settings
        "experiment.name": name,
        "experiment.sample": sample,
        "experiment.active_area_cm2": active_area_cm2,
        "experiment.n_scans": n_scans,
        "scan.voxel_size_um": voxel_um,
        "scan.energy_keV": energy_kev,
    }
    if sys.stdin.isatty():
        _ask(answers)
    given = {key: value for key, value in answers.items() if value is not None}
    settings = replace_values(Settings(), given)
    target = out or Path(f"{settings.experiment.name}.toml")
    _write(target, render_settings(settings), force=force)
    typer.echo(f"Wrote {target}. Change it with any editor, then:")
    typer.echo(f"  lithoscope config check {target}")
    typer.echo(f"  lithoscope up --config {target}")


def _write(target: Path, text: str, *, force: bool) -> None:
    # "x" makes the check and the writing one step: no file of somebody else is lost.
    with target.open("w" if force else "x", encoding="utf-8") as stream:
        stream.write(text)


def _ask(answers: dict[str, Any]) -> None:
    """Ask for what is not known yet; Enter leaves a question open."""
    questions = {
        "experiment.name": ("Name of the experiment (letters, digits, . _ -)", str),
        "experiment.sample": ("Name of the cell, for people", str),
        "experiment.active_area_cm2": ("Electrode area of the whole cell, cm²", float),
        "experiment.n_scans": ("Scans planned", int),
        "scan.voxel_size_um": ("Detector pixel in the plane of the sample, µm", float),
        "scan.energy_keV": ("Photon energy, keV", float),
    }
    for key, (question, kind) in questions.items():
        while answers[key] is None:
            answer = typer.prompt(question, default="", show_default=False, err=True)
            if not answer:
                break
            try:
                answers[key] = kind(answer)
            except ValueError:
                typer.echo(f"  {answer!r} is no number; write one, or press Enter", err=True)
