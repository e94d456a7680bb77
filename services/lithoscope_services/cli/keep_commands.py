"""Commands about stored experiments: verify, export, import, prune, migrate."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lithoscope_store import Prunable, Store, Verified

_PANEL = "Keep"
ExperimentArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.")]


class ExportFormat(StrEnum):
    """What an experiment can be written as."""

    DXCHANGE = "DXchange"
    OME_ZARR = "OME-Zarr"
    TIFF = "TIFF"
    PARQUET = "Parquet"
    ARCHIVE = "archive"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(verify)
    app.command(rich_help_panel=_PANEL)(export)
    app.command("import", rich_help_panel=_PANEL)(import_)
    app.command(rich_help_panel=_PANEL)(prune)
    app.command(rich_help_panel=_PANEL)(migrate)


def verify(
    experiment: ExperimentArgument,
    deep: Annotated[
        bool, typer.Option("--deep", help="Of a sealed one, check frames and volumes too.")
    ] = False,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Look at every stored byte of an experiment, and name what is not as it was stored.

    An experiment that is over is compared with its manifest, and the chain of
    its journal is followed. Of one that runs, index records, frames, volumes
    and samples are checked by their own checksums and by the journal. Nothing
    is changed. Ends with exit code 1 if something was found.

    Example:  lithoscope verify demo
    """
    del config  # every command takes it
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.keep.verify import verified_as_json, verify_stored
    from lithoscope_store import Store, experiment_size

    place = Store(store)
    paths = place.experiment(experiment)
    total = experiment_size(paths)[1] if paths.root.is_dir() else 0
    with progress_bar(f"verifying {experiment}", total) as advance:
        verified = verify_stored(place, experiment, is_deep=deep, advance=advance)
    if json:
        write_json(verified_as_json(verified))
    else:
        _print_verified(verified)
    if not verified.is_whole:
        raise typer.Exit(1)


def export(
    experiment: ExperimentArgument,
    to: Annotated[ExportFormat, typer.Option("--to", case_sensitive=False, help="What to write.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    scans: Annotated[
        str, typer.Option("--scans", metavar="SCANS", help="all, or numbers such as 0,3-5.")
    ] = "all",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Write an experiment for other programs, or whole into one file that can be imported.

    DXchange: the frames, one HDF5 file a scan. OME-Zarr and TIFF: volumes and
    labels. Parquet: metrics, decisions, samples and the list of frames.
    archive: everything, with checksums, as EXPERIMENT.lithoscope.tar.

    Example:  lithoscope export demo --to DXchange --out for-tomopy
    """
    del config  # every command takes it
    from lithoscope_store import Store

    place = Store(store)
    if to is ExportFormat.ARCHIVE:
        if scans != "all":
            raise typer.BadParameter("an archive is whole; --scans goes with the other formats")
        made = [_archive(place, experiment, out)]
    else:
        made = _export(place, experiment, to, out, scans)
    typer.echo(
        f"Wrote {len(made)} to {out}: {', '.join(path.name for path in made[:5])}", err=True
    )


def import_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="From export --to archive.")],
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Take an experiment from an archive into a store: whole, or not at all.

    Every checksum is verified before it appears; it keeps its name. Scans of
    other programs come in with lithoscope ingest.

    Example:  lithoscope import demo.lithoscope.tar --store elsewhere
    """
    del config  # every command takes it
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.keep.archive import import_archive
    from lithoscope_store import Store

    size = archive.stat().st_size if archive.is_file() else 0
    with progress_bar(f"importing {archive.name}", size) as advance:
        paths = import_archive(archive, Store(store), advance)
    typer.echo(f"Imported {paths.name}; every checksum fits", err=True)


def prune(
    experiment: ExperimentArgument,
    frames: Annotated[
        str | None,
        typer.Option("--frames", metavar="SCANS", help="Raw frames of these: all, or 0,3-5."),
    ] = None,
    reconstructions: Annotated[
        bool, typer.Option("--reconstructions", help="Volumes in the frame of their scan.")
    ] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="What networks gave for each class.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is only listed.")] = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """List what could go of an experiment and how much that frees; with --yes, remove it.

    The journal, labels and metrics always stay, and the journal says what went.
    Without its frames a scan can be neither replayed nor re-processed.

    Example:  lithoscope prune demo --reconstructions --frames 0-9
    """
    del config  # every command takes it
    from lithoscope_services.keep.prune import PruneOptions, plan_prune, run_prune
    from lithoscope_store import Store

    options = PruneOptions(
        store=Store(store),
        experiment=experiment,
        frames=frames,
        has_reconstructions=reconstructions,
        has_probabilities=probabilities,
    )
    plan = plan_prune(options)
    _print_plan(experiment, plan)
    if not yes:
        typer.echo("Nothing was removed. Add --yes to do it.")
        return
    n_bytes = run_prune(options, plan)
    typer.echo(f"Removed {_megabytes(n_bytes)}; the journal says what went.")


def migrate(
    experiment: ExperimentArgument,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Bring an experiment of an older format to the one of this version, on a copy.

    There is one format so far, so there is nothing to bring.

    Example:  lithoscope migrate demo
    """
    del config  # every command takes it
    from lithoscope_store.layout import FORMAT_VERSION, Store

    Store(store).experiment(experiment).check_format()
    typer.echo(
        f"{experiment} has format {FORMAT_VERSION}, which is the one of this version; there is no "
        "older one"
    )


def _archive(place: "Store", experiment: str, out: Path) -> Path:
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.keep.archive import export_archive
    from lithoscope_store import experiment_size

    paths = place.experiment(experiment)
    total = experiment_size(paths)[1] if paths.root.is_dir() else 0
    with progress_bar(f"archiving {experiment}", total) as advance:
        return export_archive(place, experiment, out, advance)


def _export(
    place: "Store",
    experiment: str,
    to: ExportFormat,
    out: Path,
    scans: str,
) -> list[Path]:
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.keep import export as formats
    from lithoscope_services.keep.stored import open_stored
    from lithoscope_services.keep.tables import export_parquet

    writers = {
        ExportFormat.DXCHANGE: formats.export_dxchange,
        ExportFormat.OME_ZARR: formats.export_ome_zarr,
        ExportFormat.TIFF: formats.export_tiff,
        ExportFormat.PARQUET: export_parquet,
    }
    stored = open_stored(place, experiment, scans)
    with progress_bar(f"writing {to}", len(stored.scans)) as advance:
        return writers[to](stored, out, advance)


def _print_verified(verified: "Verified") -> None:
    typer.echo(
        f"{verified.experiment}: {verified.n_files} files, {_megabytes(verified.n_bytes)}, "
        f"{verified.n_entries} facts, {'sealed' if verified.is_sealed else 'not sealed'}"
    )
    for line in verified.pruned:
        typer.echo(f"  pruned, on purpose: {line}")
    for finding in verified.findings:
        typer.echo(f"  {finding.path}: {finding.how}")
        typer.echo(f"    It is {finding.what}.")
        typer.echo(f"    What to do: {finding.advice}.")
    n_found = len(verified.findings)
    typer.echo(f"  {n_found} not as stored" if n_found else "  all is as it was stored")


def _print_plan(experiment: str, plan: "Sequence[Prunable]") -> None:
    if not plan:
        typer.echo(f"There is nothing of that left in {experiment}.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Would go of {experiment}", title_justify="left")
    for heading in ("scan", "part", "files", "size"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for each in plan:
        table.add_row(str(each.scan), each.part, str(each.n_files), _megabytes(each.n_bytes))
    total = sum(each.n_bytes for each in plan)
    n_files = sum(each.n_files for each in plan)
    table.add_section()
    table.add_row("", "together", str(n_files), _megabytes(total))
    Console().print(table)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
