"""Labels of the same slices by several people: ``compare-labels``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lithoscope_services.cli.options import JsonOption, write_json

_PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="compare-labels", rich_help_panel=_PANEL)(compare_labels)


def compare_labels(
    labels: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B...", help="OME-Zarr labels, TIFF files, or folders of PNG or TIFF slices."
        ),
    ],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.png", help="Draw where they differ most."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say how far labels of the same slices by several people or tools agree.

    Volume fractions with their standard deviation over people, share of voxels in which each
    pair differs, Dice and IoU of each class. Voxels that somebody left unlabelled (255) are left
    out for all.

    Example:  lithoscope compare-labels ann.tif bob.tif forest.tif --picture differ.png
    """
    from lithoscope_services.label_comparison import compare_label_files

    if len(labels) < 2:
        raise typer.BadParameter("give two or more to compare")
    document = compare_label_files(labels, picture=picture)
    if json:
        write_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    names = [Path(each).name for each in document["labels"]]

    def table(title: str, headings: list[str]) -> Table:
        made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for number, heading in enumerate(headings):
            justify: Literal["left", "right"] = "right" if number else "left"
            made.add_column(heading, justify=justify)
        return made

    fractions = table("Volume fraction, %", ["class", *names, "mean", "standard deviation"])
    for key, found in document["volume_fraction"].items():
        values = [*found["each"], found["mean"], found["standard_deviation"]]
        fractions.add_row(key, *(f"{100 * each:.2f}" for each in values))
    console.print(fractions)
    keys = list(document["volume_fraction"])
    pairs = table("Pairs", ["", "differ, %", *(f"Dice {key}" for key in keys)])
    for pair in document["pairs"]:
        dice = ["" if pair["dice"][key] is None else f"{pair['dice'][key]:.3f}" for key in keys]
        pairs.add_row(
            f"{names[pair['a']]} - {names[pair['b']]}", f"{100 * pair['differing']:.2f}", *dice
        )
    console.print(pairs)
    console.print(f"Most differ in slice {document['slice_of_most_difference']}.")
    if document["picture"] is not None:
        console.print(f"Wrote {document['picture']}")
