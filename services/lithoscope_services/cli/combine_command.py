"""Three networks in one: ``model combine``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import JsonOption, write_json


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="combine")(combine_models)


def combine_models(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL MODEL MODEL", help="A unet, ynet, transforcnn.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the model.")] = Path(
        "enet"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Simulated experiments are kept here [OUT/data]."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make an E-Net: the weighted mean of what three networks find likely.

    Weights in steps of a tenth are tried on the validation data of the U-Net's recipe.

    Example:  lithoscope model combine my-unet my-ynet my-transforcnn --out my-enet
    """
    from lithoscope_models.train.ensemble import combine
    from lithoscope_pipeline.networks.enet import MEMBERS

    found = combine(
        models,
        out,
        data_folder=data or out / "data",
        command=" ".join(["lithoscope", *sys.argv[1:]]),
        tell=lambda line: typer.echo(line, err=True),
    )
    weights = dict(zip(MEMBERS, found.weights, strict=True))
    if json:
        write_json({"model": str(found.folder), "weights": weights, "macro_iou": found.macro_iou})
        return
    parts = ", ".join(f"{weight:.1f} {name}" for name, weight in weights.items())
    typer.echo(f"{found.folder}: {parts}; macro IoU {found.macro_iou:.3f} on validation data")
