"""Commands that run an experiment: demo, up, simulate, ingest."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    BackAndForthOption,
    Bridge,
    BridgeOption,
    ConfigOption,
    CyclesOption,
    FamilyChoice,
    FamilyOption,
    FaultsOption,
    NameOption,
    NullScansOption,
    Order,
    OrderOption,
    ScansOption,
    SeedOption,
    Size,
    SizeOption,
    StoreOption,
    TilesOption,
)
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

if TYPE_CHECKING:
    from lithoscope_services.sources.simulation import Simulation

_PANEL = "Run"


class UntilStage(StrEnum):
    """Stages at which an ingest may end."""

    RECONSTRUCT = "reconstruct"
    REGISTER = "register"
    SEGMENT = "segment"
    MEASURE = "measure"
    DECIDE = "decide"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(demo)
    app.command(rich_help_panel=_PANEL)(up)
    app.command(rich_help_panel=_PANEL)(simulate)
    app.command(rich_help_panel=_PANEL)(ingest)


def demo(
    scans: ScansOption = 25,
    size: SizeOption = Size.SMALL,
    seed: SeedOption = 0,
    family: FamilyOption = FamilyChoice.DEFAULT,
    name: NameOption = "demo",
    headless: Annotated[
        bool, typer.Option("--headless", help="Open no page in a browser.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Stay after the last scan, so that the page can be looked at."
        ),
    ] = True,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Watch a simulated cell: beamline, all services and the live page on this machine.

    Prints where the page is; Ctrl-C ends everything cleanly.

    Example:  lithoscope demo --size tiny --scans 3 --headless --no-wait
    """
    from lithoscope_services.launch import DemoOptions, run_demo
    from lithoscope_services.settings import load_settings

    options = DemoOptions(
        store=store,
        name=name or "demo",
        size=size.value,
        n_scans=scans,
        seed=seed,
        family=family.value,
        is_headless=headless,
        waits=wait,
        settings=load_settings(config),
    )
    raise typer.Exit(run_demo(options))


def up(store: StoreOption = DEFAULT_STORE, config: ConfigOption = None) -> None:
    """Run all services and the live page for an experiment, and wait for its frames.

    Make the settings file with lithoscope new first.

    Example:  lithoscope up --config cell-7.toml
    """
    from lithoscope_services.launch import run_up
    from lithoscope_services.settings import load_settings

    raise typer.Exit(run_up(load_settings(config), store))


def simulate(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write files there instead of feeding a running instance."
        ),
    ] = None,
    scans: ScansOption = 3,
    size: SizeOption = Size.TINY,
    seed: SeedOption = 0,
    family: FamilyOption = FamilyChoice.DEFAULT,
    tiles: TilesOption = 1,
    order: OrderOption = Order.LINEAR,
    back_and_forth: BackAndForthOption = False,
    faults: FaultsOption = None,
    bridge: BridgeOption = Bridge.NONE,
    cycles: CyclesOption = 1,
    null_scans: NullScansOption = 1,
    name: NameOption = "simulated",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Scan a simulated cell: into a running instance, or to files with the truth beside them.

    Files are DIR/scan_000.h5 … (DXchange; scan_000_tile_0.h5 … with --tiles), truth.json,
    labels_000.zarr … and electrochemistry.csv. Equal options give equal bytes.

    Example:  lithoscope simulate --scans 3 --seed 5 --faults lost=0.05,shutter --out simulated
    """
    from lithoscope_services.errors import SourceError
    from lithoscope_services.sources.simulation import Simulation, parse_faults

    try:
        sizes = parse_faults(faults or ())
    except SourceError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from error
    simulation = Simulation(
        size=size.value,
        seed=seed,
        n_scans=scans,
        family=family.value,
        n_cycles=cycles,
        n_null_scans=null_scans,
        n_tiles=tiles,
        order=order.value,
        is_back_and_forth=back_and_forth,
        bridge=bridge.value,
        faults=sizes,
    )
    if out is not None:
        _write_simulated(out, name or "simulated", simulation)
        return
    from lithoscope_services.launch import SimulateOptions, run_simulate
    from lithoscope_services.settings import load_settings

    options = SimulateOptions(
        store=store,
        name=name or "simulated",
        simulation=simulation,
        settings=load_settings(config),
    )
    raise typer.Exit(run_simulate(options))


def _write_simulated(out: Path, name: str, simulation: "Simulation") -> None:
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.sources.simulated_files import write_simulated_scans

    scans = simulation.n_scans
    with progress_bar("simulating", scans) as advance:
        write_simulated_scans(
            out, name=name, simulation=simulation, on_scan=lambda _scan: advance(1)
        )
    typer.echo(f"Wrote {scans} scans, truth.json and true labels to {out}", err=True)


def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Scans in order of time: DXchange, NXtomo, TIFFs."),
    ] = None,
    volumes: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|GLOB",
            help="Instead of scans, numbered volumes that were reconstructed elsewhere: folders "
            "of TIFF slices, TIFF stacks, HDF5, OME-Zarr.",
        ),
    ] = None,
    name: NameOption = None,
    until: Annotated[
        UntilStage, typer.Option("--until", help="Last step; a scan of no cell ends at the first.")
    ] = UntilStage.DECIDE,
    voxel_um: Annotated[
        float | None,
        typer.Option(metavar="V", help="Pixel in the plane of the sample, µm [from the files]."),
    ] = None,
    echem: EchemOption = None,
    interval_min: IntervalOption = None,
    turn_after: TurnsOption = None,
    through: ThroughOption = ThroughAxis.Y,
    inverted: InvertedOption = False,
    plating_side: PlatingSideOption = PlatingSide.HIGH,
    dataset: DatasetOption = None,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Take stored scans through all steps, as if they came from the beamline now.

    With --volumes it enters where reconstruction would have ended; the grey scale may be any.
    The options from --echem on are about volumes.

    Example:  lithoscope ingest scan_000.h5 scan_001.h5 --as cell-7
    """
    from lithoscope_services.launch import run_ingest
    from lithoscope_services.settings import load_settings, replace_values

    settings = load_settings(config)
    if (volumes is None) == (not files):
        raise typer.BadParameter("give either files of scans or --volumes")
    if volumes is not None:
        from lithoscope_services.hindsight.run import VolumesOptions

        if voxel_um is None:
            raise typer.BadParameter("--volumes needs --voxel-um")
        take_volumes(
            VolumesOptions(
                store=store,
                name=name or name_after(Path(volumes.rstrip("/*"))),
                where=volumes,
                voxel_um=voxel_um,
                reading=make_reading(through, inverted, plating_side, dataset),
                echem=echem,
                interval_min=interval_min,
                turns=turn_after or (),
                until_stage=until.value,
                settings=settings,
            )
        )
        return
    files = files or []
    if voxel_um is not None:
        settings = replace_values(settings, {"scan.voxel_size_um": voxel_um})
    for file in files:
        # All of them before the first: a wrong path should not end a night's work half-way.
        _check_scan(file, has_voxel_size=settings.scan.voxel_size_um is not None)
    raise typer.Exit(run_ingest(files, name or name_after(files[0]), settings, store, until.value))


def _check_scan(file: Path, *, has_voxel_size: bool) -> None:
    from lithoscope_services.errors import SourceError
    from lithoscope_services.sources.files import open_scan

    with open_scan(file) as scan:
        if scan.voxel_size_um is None and not has_voxel_size:
            # Unlike a single slice, metrics are worth nothing without it.
            raise SourceError(f"{file}: nothing says how large a pixel is; give --voxel-um")


def name_after(file: Path) -> str:
    """Make a name of an experiment from that of its first file."""
    stem = file.resolve().stem
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:64]
    return name or "experiment"
