"""Commands that look and change nothing: report, status, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    CsvOption,
    JsonOption,
    StoreOption,
    refuse_both,
    write_json,
)

_PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_PANEL)(report)
    app.command(rich_help_panel=_PANEL)(status)
    app.command(rich_help_panel=_PANEL)(doctor)


def report(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.")],
    json: JsonOption = False,
    csv: CsvOption = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write one page with all of it, that needs no network."
        ),
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(
            "--parquet",
            metavar="FILE",
            help="Write a table for pandas and polars: a row a metric.",
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Show the metrics of all scans, how long each step took, and what was decided.

    Works while the experiment runs and long after it. The page has each metric against the charge
    with its interval, maps at the start, at half and at the full cycle, the objects, the decisions
    and what all of it was made from.

    Example:  lithoscope report demo --html demo.html
    """
    refuse_both(json, csv)
    del config  # every command takes it; a report follows the journal alone
    from lithoscope_services.reading import read_entries
    from lithoscope_services.report import make_report, report_as_csv
    from lithoscope_store.layout import Store

    place = Store(store)
    entries = read_entries(place, experiment)
    document = make_report(experiment, entries)
    if html is not None:
        from lithoscope_services.report.page import report_page
        from lithoscope_store.durable import write_atomic

        write_atomic(html.resolve(), report_page(place.experiment(experiment), entries).encode())
        typer.echo(f"Wrote {html}", err=True)
    if parquet is not None:
        from lithoscope_services.keep.parquet import write_parquet
        from lithoscope_services.report import COLUMN_TYPES, metric_columns

        write_parquet(parquet, metric_columns(document), COLUMN_TYPES)
        typer.echo(f"Wrote {parquet}", err=True)
    if json:
        write_json(document)
    elif csv:
        typer.echo(report_as_csv(document), nl=False)
    elif html is None and parquet is None:
        from lithoscope_services.cli.tables import print_report

        print_report(document)


def status(
    json: JsonOption = False, store: StoreOption = DEFAULT_STORE, config: ConfigOption = None
) -> None:
    """Show the running instance: each service with its state, lag and last heartbeat.

    Example:  lithoscope status --store /data/cells
    """
    del config  # every command takes it; what runs is found through the store
    from lithoscope_services.status import read_status

    document = read_status(store)
    if json:
        write_json(document)
    else:
        from lithoscope_services.cli.tables import print_status

        print_status(document)


def doctor(
    json: JsonOption = False, store: StoreOption = DEFAULT_STORE, config: ConfigOption = None
) -> None:
    """Say what this machine can do, and what stands in the way of an experiment.

    Ends with exit code 1 if something must be mended first.

    Example:  lithoscope doctor --store /data/cells
    """
    from lithoscope_services.doctor import examine
    from lithoscope_services.settings import load_settings

    checks = examine(Path(store), load_settings(config))
    if json:
        write_json({"checks": [check.as_json() for check in checks]})
    else:
        from lithoscope_services.cli.tables import print_checks

        print_checks(checks)
    if any(check.state == "problem" for check in checks):
        raise typer.Exit(1)
