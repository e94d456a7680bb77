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


class FamilyChoice(StrEnum):
    """Families of simulated cells."""

    DEFAULT = "default"
    MOSSY = "mossy"
    FILAMENTS = "filaments"
    SOFT_CONTRAST = "soft_contrast"
    COARSE_NOISE = "coarse_noise"
    BLURRED = "blurred"


class Order(StrEnum):
    """Orders of the angles of a simulated scan."""

    LINEAR = "linear"
    INTERLACED = "interlaced"
    GOLDEN = "golden"


class Bridge(StrEnum):
    """Where lithium bridges the electrodes of a simulated cell."""

    NONE = "none"
    INSIDE = "inside"
    OUTSIDE = "outside"


SizeOption = Annotated[
    Size,
    typer.Option(
        "--size",
        help="Detector: tiny (24 x 192, seconds a scan), small (96 x 384) or medium (256 x 1024).",
    ),
]


FamilyOption = Annotated[
    FamilyChoice,
    typer.Option("--family", help="Respect in which the cell differs from the reference."),
]
OrderOption = Annotated[
    Order,
    typer.Option("--order", help="Angles: evenly on, in interlaced half-turns, golden angle."),
]
BackAndForthOption = Annotated[
    bool, typer.Option("--back-and-forth", help="Every other scan runs backwards.")
]
BridgeOption = Annotated[
    Bridge,
    typer.Option("--bridge", help="Lithium bridges the electrodes: inside the view or outside."),
]
CyclesOption = Annotated[
    int, typer.Option("--cycles", min=1, max=100, help="Cycles of charge and discharge.")
]
NullScansOption = Annotated[
    int,
    typer.Option(
        "--null-scans", min=1, max=100, help="How many of the scans come before the first pulse."
    ),
]
TilesOption = Annotated[
    int, typer.Option("--tiles", min=1, max=9, help="Vertical fields of view a scan.")
]
FaultsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--faults",
        metavar="NAME[=SIZE]",
        help="What goes wrong; again or with commas for several: lost, edge-on, repeated, late, "
        "shutter, beam-down, decay, drift, rings, zingers, dead-columns, tilt, axis-change.",
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


def parse_speed(text: str) -> float | None:
    """Read how many times faster something recorded is played; None for ``max``.

    Raises
    ------
    typer.BadParameter
        If it is neither a number nor ``max``.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1e-3 <= speed <= 1e6:
        raise typer.BadParameter(f"--speed is {text!r}; give a number such as 10, or max")
    return speed
