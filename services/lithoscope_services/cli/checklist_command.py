"""``lithoscope test-scan``: one scan as a checklist."""

import re
from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    JsonOption,
    StoreOption,
    write_json,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test-scan", rich_help_panel="Run")(check_scan)


def check_scan(
    what: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT|FILE",
            help="An experiment of the store, running or not; or a stored scan, which is taken "
            "through all steps first, as the experiment NAME-test.",
        ),
    ],
    scan: Annotated[
        int | None, typer.Option(min=0, help="Number of the scan [the last complete one].")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page, too.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Take one scan through the chain and list what a person must know before the first pulse.

    Flats and darks, counts edge-on, rotation axis, truncation, rings, contrast,
    polarity, alignment, every value of the set-up that the data can show to be
    wrong, time against the deadline, and disk. Ends with exit code 1 if
    something must be mended first.

    Example:  lithoscope test-scan cell-7 --html cell-7.html
    """
    from lithoscope_services.checklist import checklist_page, make_checklist
    from lithoscope_services.cli.setup_tables import print_rows
    from lithoscope_services.settings import load_settings
    from lithoscope_store.layout import Store

    name = what
    if not (store / what).is_dir() and Path(what).exists():
        name = _ingest(Path(what), store, config)
    settings = None if config is None else load_settings(config)
    checklist = make_checklist(Store(store), name, scan, settings)
    if html is not None:
        html.write_text(checklist_page(checklist), encoding="utf-8")
    if json:
        write_json(checklist.as_json())
    else:
        print_rows(checklist)
        if html is not None:
            typer.echo(f"Wrote {html}", err=True)
    if checklist.n_problems:
        raise typer.Exit(1)


def _ingest(path: Path, store: Path, config: Path | None) -> str:
    """Take a stored scan in; a step that fails is a row of the list, not the end of it."""
    from lithoscope_services.errors import ServiceError
    from lithoscope_services.launch import run_ingest
    from lithoscope_services.settings import load_settings
    from lithoscope_store.layout import Store

    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().stem).strip("._-")[:58] or "scan"
    name = f"{stem}-test"
    try:
        run_ingest([path], name, load_settings(config), store, "decide")
    except ServiceError as error:
        if name not in Store(store).experiments():
            raise
        typer.echo(f"lithoscope: warning: {error}", err=True)
    return name
