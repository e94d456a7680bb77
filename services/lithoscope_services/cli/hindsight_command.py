"""Volumes that were reconstructed elsewhere: take them in, and see what would have been seen."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, ConfigOption, JsonOption, StoreOption
from lithoscope_services.cli.volume_options import (
    DatasetOption,
    EchemOption,
    IntervalOption,
    InvertedOption,
    PlatingSide,
    PlatingSideOption,
    ThroughAxis,
    ThroughOption,
    TurnsOption,
    make_reading,
    take_volumes,
)

_PANEL = "Stored experiments"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=_PANEL)(hindsight)


def hindsight(
    where: Annotated[
        str,
        typer.Argument(
            metavar="DIR|GLOB",
            help="Numbered volumes: folders of TIFF slices, TIFF stacks, HDF5, OME-Zarr.",
        ),
    ],
    voxel_um: Annotated[float, typer.Option(metavar="V", min=0.0, help="Edge of a voxel, µm.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; by default NAME.html.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Name of the new experiment.")
    ] = None,
    end_scan: Annotated[
        int | None,
        typer.Option(
            "--end-scan",
            metavar="SCAN",
            help="Scan at which the cell failed: leads are counted to it. By default the last.",
        ),
    ] = None,
    echem: EchemOption = None,
    interval_min: IntervalOption = None,
    turn_after: TurnsOption = None,
    through: ThroughOption = ThroughAxis.Y,
    inverted: InvertedOption = False,
    plating_side: PlatingSideOption = PlatingSide.HIGH,
    dataset: DatasetOption = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Say what would have been seen in a series of volumes, and when each rule would have warned.

    Takes the volumes in, measures them, puts the rules to them scan by scan, and writes one page
    that needs no network. Missing slices and scans and noisy scans are named on it. Ended in the
    middle, the same command goes on; done already, it writes the page anew.

    Example:  lithoscope hindsight last-year/ --voxel-um 1.33 --echem cycler.csv
    """
    from lithoscope_services.cli.options import write_json
    from lithoscope_services.cli.run_commands import name_after
    from lithoscope_services.hindsight.page import look_back, write_page
    from lithoscope_services.hindsight.run import VolumesOptions
    from lithoscope_services.reading import read_entries
    from lithoscope_services.settings import load_settings
    from lithoscope_store import Store
    from lithoscope_store.durable import write_atomic

    given = name or name_after(Path(where.rstrip("/*")))
    options = VolumesOptions(
        store=store,
        name=given,
        where=where,
        voxel_um=voxel_um,
        reading=make_reading(through, inverted, plating_side, dataset),
        echem=echem,
        interval_min=interval_min,
        turns=turn_after or (),
        settings=load_settings(config),
    )
    paths = Store(store).experiment(given)
    if not paths.root.exists():
        take_volumes(options)
    entries = read_entries(Store(store), given)
    found = look_back(
        paths,
        entries,
        end_scan=end_scan,
        settings=None if config is None else options.settings,
    )
    page = out or Path(f"{given}.html")
    write_atomic(page.resolve(), write_page(paths, entries, found).encode())
    if json:
        write_json(found.as_json())
    typer.echo(f"Wrote {page}", err=True)
