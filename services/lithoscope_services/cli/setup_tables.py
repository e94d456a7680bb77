"""What was found at a place, and in a test scan, as tables."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lithoscope_services.checklist import Checklist
from lithoscope_services.listen import SourceFinding

_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


def print_finding(finding: SourceFinding) -> None:
    """Print what was heard, what is missing and how to supply it."""
    table = Table.grid(padding=(0, 2))
    for name, text in _rows(finding):
        table.add_row(f"[bold]{name}[/]", escape(text))
    for need in finding.needs:
        table.add_row("[yellow]missing[/]", escape(f"{need.what}: {need.supply}"))
    for check in finding.checks:
        table.add_row("[bold red]wrong[/]", escape(f"{check.check}: {check.text}; {check.advice}"))
    for note in finding.notes:
        table.add_row("[dim]note[/]", escape(note))
    Console().print(table)


def _rows(finding: SourceFinding) -> list[tuple[str, str]]:
    rows = [("place", finding.place), ("dialect", finding.dialect)]
    if finding.unsupported:
        return [*rows, ("not taken", finding.unsupported)]
    if finding.frame_shape is not None:
        rows_px, columns_px = finding.frame_shape
        rows.append(("frames", f"{rows_px} rows × {columns_px} columns, {finding.dtype}"))
    rate = f"{finding.n_heard} heard"
    if finding.rate_hz is not None and finding.mb_s is not None:
        rate += f", {finding.rate_hz:.4g} a second, {finding.mb_s:.3g} MB/s"
    rows.append(("rate", rate))
    rows += [("kind from", finding.kind_from), ("angle from", finding.theta_from)]
    filled = ", ".join(f"{key} = {value}" for key, value in sorted(finding.settings.items()))
    rows.append(("filled in", filled))
    return rows


def print_rows(checklist: Checklist) -> None:
    """Print a checklist."""
    console = Console()
    title = f"Test scan: {checklist.experiment}, scan {checklist.scan}"
    console.print(f"[bold]{escape(title)}[/]", highlight=False)
    table = Table.grid(padding=(0, 2))
    for row in checklist.rows:
        text = escape(row.found)
        if row.advice:
            text += f"\n[dim]{escape(row.advice)}[/]"
        table.add_row(f"[{_STYLES[row.state]}]{row.state}[/]", escape(row.name), text)
    console.print(table)
    if checklist.n_problems:
        console.print(f"[bold red]{checklist.n_problems} to be mended before the first pulse[/]")
