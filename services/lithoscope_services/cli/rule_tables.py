"""Rules for people, on standard output."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lithoscope_pipeline.decide import Action, Rule


def print_rules(rules: Sequence[Rule]) -> None:
    """Print when each rule fires and what it asks for."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "fires when", "asks for", "mode"):
        table.add_column(heading, overflow="fold")
    for rule in rules:
        asks = _action(rule.action) + ("" if rule.then is None else f", then {_action(rule.then)}")
        table.add_row(rule.id, condition(rule), asks, rule.mode)
    console = Console()
    console.print(table)
    console.print(f"[dim]{len(rules)} rules; nothing is wrong with them. All keys: --json[/]")


def condition(rule: Rule) -> str:
    """Say in a few words when a rule fires."""
    what = f"{rule.bound} of {rule.metric}"
    if rule.prediction == "next_pulse":
        what += " after the next pulse"
    often = "" if rule.n == 1 else f" in {rule.k} of {rule.n} scans"
    return f"{what} {rule.comparison} {rule.set_value:g} (again past {rule.reset_value:g}){often}"


def print_backtest(document: dict[str, Any]) -> None:  # as backtest_experiments gives it
    """Print when each rule would have fired in one experiment."""
    console = Console()
    title = f"Experiment {document['experiment']}, {document['scans']} scans"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "fired at", "blind at", "first value", "outcome"):
        table.add_column(heading, overflow="fold")
    for row in document["rules"]:
        fired = row["fired"]
        table.add_row(
            row["rule"],
            _scans(fired),
            _scans(row["blind"]),
            _number(fired[0]["compared"]) if fired else "",
            row["outcome"],
        )
    console.print(table)
    for row in document["rules"]:
        for each in row["fired"][:1]:
            console.print(f"[yellow]{row['rule']}[/]: {escape(each['reason'])}", highlight=False)


def _action(action: Action) -> str:
    given = ", ".join(f"{key} {value:g}" for key, value in action.parameters)
    return f"{action.name} ({given})" if given else action.name


def _scans(rows: Sequence[dict[str, Any]]) -> str:
    scans = [str(row["scan"]) for row in rows]
    return " ".join(scans[:6]) + (f" and {len(scans) - 6} more" if len(scans) > 6 else "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
