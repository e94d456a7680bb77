"""Tables that are read on a phone too: there each cell stands under its own heading. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html

Component = Any  # Dash ships no types


def table(heads: Sequence[str], rows: Sequence[Component], name: str) -> Component:
    """Build a table.

    Parameters
    ----------
    heads
        Headings of the columns.
    rows
        ``html.Tr`` of as many cells; each is given its heading, for narrow screens.
    name
        Id of the table.
    """
    for row in rows:
        for head, cell in zip(heads, row.children, strict=False):
            setattr(cell, "data-label", head)
    head = html.Thead(html.Tr([html.Th(each, scope="col") for each in heads]))
    return html.Table([head, html.Tbody(list(rows))], id=name, className="table")
