"""Options of commands that take volumes which were reconstructed elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lithoscope_services.hindsight.run import VolumesOptions
    from lithoscope_services.hindsight.series import Reading, SeriesVolume
    from lithoscope_services.history import History


class ThroughAxis(StrEnum):
    """Axes of a stored volume."""

    Z = "z"
    Y = "y"
    X = "x"


class PlatingSide(StrEnum):
    """Ends of an axis."""

    LOW = "low"
    HIGH = "high"


EchemOption = Annotated[
    Path | None,
    typer.Option(
        "--echem", metavar="FILE", help="Record of the cycler (CSV: time, potential, current)."
    ),
]
IntervalOption = Annotated[
    float | None,
    typer.Option(
        "--interval-min",
        metavar="M",
        min=0.0,
        help="Time from scan to scan; left out, one scan in each rest of the current.",
    ),
]
TurnsOption = Annotated[
    list[int] | None,
    typer.Option(
        "--turn-after",
        metavar="SCAN",
        help="Without --echem: last scan before the current was turned; again for several.",
    ),
]
ThroughOption = Annotated[
    ThroughAxis,
    typer.Option("--through", help="Axis of the files that runs through the thickness."),
]
InvertedOption = Annotated[
    bool, typer.Option("--inverted", help="Denser matter is darker in the files.")
]
PlatingSideOption = Annotated[
    PlatingSide,
    typer.Option("--plating-side", help="End of that axis at which lithium is received first."),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset", metavar="PATH", help="Of HDF5 files; by default the largest volume."
    ),
]


def make_reading(
    through: ThroughAxis, inverted: bool, plating_side: PlatingSide, dataset: str | None
) -> "Reading":
    """Say how the files are turned into ours."""
    from lithoscope_services.hindsight.series import Reading

    return Reading(
        through=through.value,
        is_inverted=inverted,
        is_plating_low=plating_side is PlatingSide.LOW,
        dataset=dataset,
    )


def take_volumes(options: "VolumesOptions") -> "History":
    """Take volumes in with a bar on a terminal, and a line for each that is unlike the others."""
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.follow import StopOnSignal
    from lithoscope_services.hindsight.run import run_volumes

    def on_volume(volume: "SeriesVolume") -> None:
        for remark in volume.remarks:
            typer.echo(f"scan {volume.scan} ({volume.path.name}): {remark}", err=True)

    with StopOnSignal() as stop:
        return run_volumes(options, look=stop.check, progress=progress_bar, on_volume=on_volume)
