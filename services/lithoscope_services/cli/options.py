"""Options that many commands share, and what they mean."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_STORE = Path("lithoscope-store")

StoreOption = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", help="Folder that holds the experiments."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings (TOML); by default the file named by LITHOSCOPE_CONFIG, else the defaults.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write JSON to standard output, and nothing else there.")
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Write a table with commas instead.")]
NameOption = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Name of the new experiment.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Makes every random choice; equal seeds, equal cells.")
]
ScansOption = Annotated[
    int, typer.Option("--scans", min=1, max=1000, help="Scans, spread over one whole cycle.")
]


class Size(StrEnum):
    """Sizes of the simulated detector."""

    TINY = "tiny"
    SMALL = "small"
    MEDIUM = "medium"


SizeOption = Annotated[
    Size,
    typer.Option(
        "--size",
        help="Detector: tiny (24 x 192, seconds a scan), small (96 x 384) or medium (256 x 1024).",
    ),
]


def refuse_both(json: bool, csv: bool) -> None:
    """Refuse two formats at once as wrong usage."""
    if json and csv:
        raise typer.BadParameter("give either --json or --csv, not both")


def write_json(document: Any) -> None:  # what json.dumps takes
    """Write a document to standard output."""
    from json import dumps

    typer.echo(dumps(document, indent=2, allow_nan=False))
