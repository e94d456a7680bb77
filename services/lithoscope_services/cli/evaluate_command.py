"""Networks and classical methods on the same held-out scans: ``model evaluate``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import FamilyChoice, JsonOption, Size, write_json


def register(models: typer.Typer) -> None:
    """Add the command to ``model``."""
    models.command(name="evaluate")(evaluate_models)


def evaluate_models(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names or folders of networks [stream-unet]."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of tables and pictures.")
    ] = Path("evaluation"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Simulated experiments are kept here [OUT/data]."
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="N,N", help="Cells, that no network was trained on.")
    ] = "201,202",
    scans: Annotated[str, typer.Option(metavar="N,N", help="Of the 25 of a cycle.")] = (
        "4,8,12,16,20"
    ),
    slices: Annotated[int, typer.Option(min=1, help="Slices in the middle of each scan.")] = 12,
    size: Annotated[Size, typer.Option(help="Detector.")] = Size.SMALL,
    family: Annotated[FamilyChoice, typer.Option(help="Kind of cell.")] = FamilyChoice.DEFAULT,
    classical: Annotated[
        bool, typer.Option(help="Thresholds, watershed and a forest from scribbles too.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Score networks and classical methods on held-out simulated scans, in one table.

    Writes evaluation.md, evaluation.json and a picture of the worst patches of each method. A
    network that is shown earlier scans is scored a second time without them.

    Example:  lithoscope model evaluate stream-unet my-model --out evaluation
    """
    from lithoscope_models.evaluate.cases import HeldOut
    from lithoscope_models.evaluate.run import Comparison, evaluate

    document = evaluate(
        Comparison(
            models=tuple(models or ["stream-unet"]),
            held_out=HeldOut(
                seeds=_numbers(seeds, "--seeds"),
                scans=_numbers(scans, "--scans"),
                n_slices=slices,
                size=size.value,
                family=family.value,
            ),
            has_classical=classical,
        ),
        data or out / "data",
        out,
        command=" ".join(["lithoscope", *sys.argv[1:]]),
        tell=lambda line: typer.echo(line, err=True),
    )
    if json:
        write_json(document)
        return
    typer.echo(f"  {'method':44} macro IoU  deposited  dendrite    pit   void")
    for each in document["methods"]:
        iou = each["iou"]
        cells = (
            each["macro_iou"],
            *(iou[key] for key in ("deposited", "dendrite", "pit", "void")),
        )
        texts = ("    -" if value is None else f"{value:.3f}" for value in cells)
        typer.echo(f"  {each['name']:44} {'      '.join(texts)}")
    typer.echo(f"Wrote {out / 'evaluation.md'}")


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(each) for each in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r} is no list such as 4,8,12") from error
    if min(numbers) < 0:
        raise typer.BadParameter(f"{option} {text!r} has numbers below 0")
    return numbers
