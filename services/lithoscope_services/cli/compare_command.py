"""Two experiments side by side."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, ConfigOption, JsonOption, StoreOption

_PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=_PANEL)(compare)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="An experiment.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one of the same cell.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page there.")
    ] = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Compare two experiments: metrics against their intervals, labels, rules.

    Differences are B minus A. Labels agree by the Dice coefficient of each class, 1 if they are
    the same; they are compared where both reference frames are the same.

    Example:  lithoscope compare cell-7 cell-7-rings --html compared.html
    """
    del config  # every command takes it; what is compared stands in the store
    from lithoscope_services.cli.options import write_json
    from lithoscope_services.compare import compare_experiments, summarise
    from lithoscope_services.reading import read_entries
    from lithoscope_store import Store
    from lithoscope_store.durable import write_atomic

    place = Store(store)
    entries = read_entries(place, first), read_entries(place, second)
    compared = compare_experiments((place.experiment(first), place.experiment(second)), entries)
    compared["summary"] = summarise(compared)
    if html is not None:
        from lithoscope_services.compare_page import compare_page

        write_atomic(html.resolve(), compare_page(compared).encode())
        typer.echo(f"Wrote {html}", err=True)
    if json:
        write_json(compared)
    elif html is None:
        from lithoscope_services.cli.compare_table import print_comparison

        print_comparison(compared)
