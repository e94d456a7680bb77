"""What the training of a network looked like: ``model describe``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.engine_commands import ModelArgument
from lithoscope_services.cli.options import JsonOption, write_json
from lithoscope_services.cli.progress import progress_bar


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="describe")(describe_network)


def describe_network(
    model: ModelArgument = "stream-unet",
    work: Annotated[
        Path,
        typer.Option("--work", metavar="DIR", help="Images are kept here, as by model calibrate."),
    ] = Path("calibration"),
    n_experiments: Annotated[
        int, typer.Option("--experiments", min=2, help="Simulated experiments, three scans each.")
    ] = 30,
    json: JsonOption = False,
) -> None:
    """Describe what simulated scans look like to a network, so that it knows unlike ones.

    After training, like a calibration, whose images serve: scans are then given their distance
    from these, and rules do not act alone on a scan that lies beyond the limit.

    Example:  lithoscope model describe my-model --work calibration
    """
    from lithoscope_models.training_scans import describe_training, read_training

    with progress_bar("experiments", n_experiments) as advance:
        path = describe_training(
            model,
            work,
            n_experiments=n_experiments,
            command=" ".join(["lithoscope", *sys.argv[1:]]),
            advance=advance,
        )
    found = read_training(model)
    if found is None:
        return
    if json:
        write_json({"file": str(path), "limit": found.limit, "mean": dict(found.mean)})
        return
    typer.echo(f"{path}: 99 of 100 scans lie within {found.limit:.2f}")
    for name, mean in found.mean.items():
        typer.echo(f"  {name:20} {mean:8.3f} ± {found.spread[name]:.3f}")
