"""The checklist as a page that is one file."""

from html import escape

from lithoscope_services.checklist.make import Checklist
from lithoscope_services.checklist.row import CheckRow
from lithoscope_services.pages.html import page, picture, table

_MARKS = {"ok": "good", "note": "soft", "warning": "warn", "problem": "warn"}
_SIGNS = {
    "ok": "✓&nbsp;ok",
    "note": "·&nbsp;note",
    "warning": "!&nbsp;warning",
    "problem": "✗&nbsp;problem",
}


def checklist_page(checklist: Checklist) -> str:
    """Write the page: what to mend first, all rows, pictures.

    Returns
    -------
    str
        HTML.
    """
    title = f"Test scan: {checklist.experiment}, scan {checklist.scan}"
    order = ("problem", "warning", "note", "ok")
    rows = sorted(checklist.rows, key=lambda row: order.index(row.state))
    return page(
        title,
        [
            f"<h1>{escape(title)}</h1>",
            _lead(checklist),
            table(("", "what", "found", "what to do"), [_cells(row) for row in rows]),
            *(
                f'<h2>{escape(text)}</h2><div style="max-width:900px">{picture(png, text)}</div>'
                for text, png in checklist.pictures
            ),
        ],
    )


def _lead(checklist: Checklist) -> str:
    problems = [row.name for row in checklist.rows if row.state == "problem"]
    warnings = [row.name for row in checklist.rows if row.state == "warning"]
    if problems:
        text = f"Mend before the first pulse: {', '.join(problems)}."
    elif warnings:
        text = f"Nothing stands in the way. Look at: {', '.join(warnings)}."
    else:
        text = "Nothing stands in the way of the first pulse."
    kind = "lead" if problems else "lead good"
    return f'<p class="{kind}">{escape(text)}</p>'


def _cells(row: CheckRow) -> tuple[str, str, str, str]:
    return (
        f'<span class="{_MARKS[row.state]}">{_SIGNS[row.state]}</span>',
        escape(row.name),
        escape(row.found),
        escape(row.advice),
    )
