"""Tables of a comparison, on standard output."""

from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_comparison(compared: dict[str, Any]) -> None:  # as compare_experiments gives it
    """Print what differs: metrics, labels, rules."""
    console = Console()
    title = f"{compared['b']} minus {compared['a']}"
    metrics = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("metric", "unit", "mean", "largest", "at scan", "differ", "beyond 95 %"):
        is_text = heading in ("metric", "unit")
        justify: Literal["left", "right"] = "left" if is_text else "right"
        metrics.add_column(heading, justify=justify, no_wrap=heading == "metric")
    differing = [row for row in compared["summary"] if row["n_equal"] < row["n_scans"]]
    for row in differing:
        metrics.add_row(
            row["metric"],
            row["unit"],
            f"{row['mean_difference']:+.4g}",
            f"{row['largest_difference']:+.4g}",
            str(row["at_scan"]),
            f"{row['n_scans'] - row['n_equal']}/{row['n_scans']}",
            "?" if row["n_beyond"] is None else str(row["n_beyond"]),
        )
    if differing:
        console.print(metrics)
    else:
        console.print(f"All {len(compared['summary'])} metrics are equal in all scans.")
    _print_labels(console, compared)
    for rule, fired in sorted(compared["rules"].items()):
        console.print(f"rule {escape(rule)}: fired at {fired['a']} and at {fired['b']}")
    for side in ("a", "b"):
        if compared[f"only_in_{side}"]:
            console.print(f"only in {compared[side]}: scans {compared[f'only_in_{side}']}")


def _print_labels(console: Console, compared: dict[str, Any]) -> None:
    unequal = [scan for scan in compared["scans"] if not scan["labels"]["is_equal"]]
    n_equal = len(compared["scans"]) - len(unequal)
    console.print(f"Labels are equal to the voxel in {n_equal} of {len(compared['scans'])} scans.")
    if not unequal:
        return
    table = Table(title="Dice", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    classes = list(dict.fromkeys(each for scan in unequal for each in scan["labels"]["dice"]))
    for heading in ("scan", *classes, ""):
        table.add_column(heading.replace("_", "\n"), justify="right")
    for scan in unequal:
        dice = scan["labels"]["dice"]
        values = ["" if dice.get(each) is None else f"{dice[each]:.3f}" for each in classes]
        table.add_row(str(scan["scan"]), *values, escape(scan["labels"]["reason"]))
    console.print(table)
