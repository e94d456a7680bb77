"""How far the metrics of a network may lie from the truth: ``model calibrate``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.engine_commands import ModelArgument
from lithoscope_services.cli.options import JsonOption, write_json
from lithoscope_services.cli.progress import progress_bar

_S_PER_MIN = 60.0


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="calibrate")(calibrate_network)


def calibrate_network(
    model: ModelArgument = "stream-unet",
    work: Annotated[
        Path,
        typer.Option(
            "--work", metavar="DIR", help="Images, labels and errors are kept here, 35 MB each."
        ),
    ] = Path("calibration"),
    n_experiments: Annotated[
        int, typer.Option("--experiments", min=90, help="Simulated experiments, from 90.")
    ] = 153,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write, if not beside the network."),
    ] = None,
    n_workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes; each takes a core and 1 GB.")
    ] = 1,
    stop_after_min: Annotated[
        float | None,
        typer.Option("--stop-after", metavar="MIN", help="Stop then; the same command goes on."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Calibrate the 95 % intervals of a network's metrics on experiments of known truth.

    After training: without a calibration metrics have no interval. Images are made without
    projections; an experiment takes 12 to 25 s of one core, 6 to 10 s for the next network, which
    uses the same images. After a kill the same command goes on.

    Example:  lithoscope model calibrate my-model --work calibration
    """
    from lithoscope_models.calibration.run import calibrate_model

    with progress_bar("experiments", n_experiments) as advance:
        run = calibrate_model(
            model,
            work,
            n_experiments=n_experiments,
            out=out,
            command=" ".join(["lithoscope", *sys.argv[1:]]),
            n_workers=n_workers,
            advance=advance,
            time_limit_s=None if stop_after_min is None else stop_after_min * _S_PER_MIN,
        )
    scores = {} if run.found is None else run.found.scores.get("network", {})
    if json:
        write_json(
            {
                "calibration": None if run.path is None else str(run.path),
                "n_experiments": run.n_experiments,
                "is_finished": run.path is not None,
                "scores": {name: each.model_dump() for name, each in scores.items()},
            }
        )
        return
    if run.path is None:
        typer.echo(f"{run.n_experiments} of {n_experiments}: the same command goes on")
        return
    typer.echo(f"{run.path}: {run.n_experiments} experiments")
    typer.echo(f"  {'metric':42} covered  family left out  width / spread")
    for name, each in scores.items():
        worst = min(each.left_out.values(), default=float("nan"))
        ratio = each.width / each.spread if each.spread else float("nan")
        typer.echo(f"  {name:42} {each.within:7.1%}  {worst:15.1%}  {ratio:14.2f}")
