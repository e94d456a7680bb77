"""Networks: ``model train`` and its siblings."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli import (
    calibrate_command,
    combine_command,
    describe_command,
    engine_commands,
    evaluate_command,
    fine_tune_command,
    forest_command,
)
from lithoscope_services.cli.options import JsonOption, write_json

if TYPE_CHECKING:
    from lithoscope_models.train.run import Training

_PANEL = "Networks"
_S_PER_MIN = 60.0


class ViewChoice(StrEnum):
    """What a slice is."""

    CROSS_SECTION = "cross-section"
    IN_PLANE = "in-plane"


class PrecisionChoice(StrEnum):
    """Numbers that a network is trained with."""

    FLOAT32 = "32"
    BF16_MIXED = "bf16-mixed"
    FP16_MIXED = "16-mixed"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(help="Train, export, test and compare networks.", no_args_is_help=True)
    models.command(name="train")(train_model)
    fine_tune_command.register(models)
    combine_command.register(models)
    calibrate_command.register(models)
    describe_command.register(models)
    evaluate_command.register(models)
    engine_commands.register(models)
    forest_command.register(models)
    app.add_typer(models, name="model", rich_help_panel=_PANEL)


def train_model(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a recipe, or its TOML file.")
    ] = "stream-unet",
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder of model, curves, checkpoints."),
    ] = Path("model"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Simulated experiments are kept here [OUT/data]."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Begin with its weights: a further round."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps, instead of those of the recipe.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Equal seeds give equal weights."),
    ] = None,
    view: Annotated[
        ViewChoice | None, typer.Option(help="Slice the volumes across or along the electrodes.")
    ] = None,
    precision: Annotated[
        PrecisionChoice | None, typer.Option(help="Numbers to train with [32].")
    ] = None,
    stop_after_min: Annotated[
        float | None,
        typer.Option("--stop-after", metavar="MIN", help="Stop then; the same command goes on."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of the training; processes that make data.")
    ] = 2,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that draw patches ahead of the training.")
    ] = 1,
    accelerator: Annotated[str, typer.Option(help="As Lightning names it: cpu, gpu.")] = "cpu",
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs that train together (distributed data parallel).")
    ] = 1,
    json: JsonOption = False,
) -> None:
    """Train a network by a recipe and write it as a model, with curves and a card.

    Simulated data is made first where it is missing. After a kill the same command goes on
    from the last validation.

    Example:  lithoscope model train stream-unet --out my-model
    """
    from lithoscope_models.train.machine import Machine
    from lithoscope_models.train.recipe import changed, read_recipe
    from lithoscope_models.train.run import train

    changes = {
        "n_steps": steps,
        "seed": seed,
        "view": None if view is None else view.value,
        "precision": None if precision is None else precision.value,
    }
    training = train(
        changed(read_recipe(recipe), changes),
        out,
        data_folder=data or out / "data",
        command=" ".join(["lithoscope", *sys.argv[1:]]),
        tell=lambda line: typer.echo(line, err=True),
        machine=Machine(
            n_threads=threads,
            n_workers=workers,
            accelerator=accelerator,
            n_devices=devices,
            time_limit_s=None if stop_after_min is None else stop_after_min * _S_PER_MIN,
        ),
        start=start,
        is_watched=sys.stderr.isatty(),
    )
    if json:
        write_json(
            {
                "model": str(training.folder),
                "n_steps": training.n_steps,
                "is_finished": training.is_finished,
                "scores": training.scores,
            }
        )
    else:
        _say_training(training)


def _say_training(training: "Training") -> None:
    typer.echo(f"{training.folder}: {training.n_steps} steps")
    for name, value in training.scores.items():
        typer.echo(f"  {name:24} {value:.4g}")
    if not training.is_finished:
        typer.echo("  time is up; the same command goes on")
