"""``lithoscope rules``: look at rules, and try them on experiments that are stored."""

from pathlib import Path
from typing import Annotated

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, JsonOption, StoreOption, write_json

RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="TOML with [[rules]], and [decide] if need be; without it, the default rules.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rules = typer.Typer(help="Check rules, and try them on stored experiments.")
    rules.command("check")(check)
    rules.command("backtest")(backtest)
    app.add_typer(rules, name="rules", rich_help_panel="Look", no_args_is_help=True)


def check(rules: RulesOption = None, json: JsonOption = False) -> None:
    """Print the rules as they will be used, or everything that is wrong with them.

    Each problem comes with its line and what to do about it; all of them at once.

    Example:  lithoscope rules check --rules cell-7.toml
    """
    from lithoscope_services.rule_check import check_rules
    from lithoscope_services.settings import SettingsError

    try:
        settings = check_rules(rules)
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"lithoscope: error: {problem}", err=True)
        raise typer.Exit(1) from error
    if json:
        found = [{**each.model_dump(mode="json"), "sha256": each.to_rule().key}
                 for each in settings.rules]  # fmt: skip
        write_json({"rules": found})
    else:
        from lithoscope_services.cli.rule_tables import print_rules

        print_rules([each.to_rule() for each in settings.rules])


def backtest(
    experiments: Annotated[
        list[str], typer.Argument(metavar="EXPERIMENT...", help="Stored experiments.")
    ],
    rules: RulesOption = None,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Say when each rule would have fired in stored experiments, and at what price.

    Nothing is written and nothing is sent. Rules on images count as if commissioned.

    Example:  lithoscope rules backtest --rules cell-7.toml demo
    """
    from lithoscope_services.rule_backtest import backtest_experiments
    from lithoscope_services.rule_check import check_rules
    from lithoscope_store.layout import Store

    documents = backtest_experiments(Store(store), experiments, check_rules(rules))
    if json:
        write_json({"experiments": documents})
    else:
        from lithoscope_services.cli.rule_tables import print_backtest

        for document in documents:
            print_backtest(document)
