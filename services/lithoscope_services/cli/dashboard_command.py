"""Commands about the page: who may sign in to it from other machines."""

import sys
from typing import Annotated, Literal

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, JsonOption, StoreOption, write_json

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Login of the person.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    user = typer.Typer(help="Who may sign in to the page, and as what.")
    user.command("add")(add)
    user.command("remove")(remove)
    user.command("list")(list_users)
    dashboard = typer.Typer(help="The page: who may sign in from other machines.")
    dashboard.add_typer(user, name="user", no_args_is_help=True)
    app.add_typer(dashboard, name="dashboard", rich_help_panel="Act", no_args_is_help=True)


def add(
    name: NameArgument,
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        typer.Option(
            "--role",
            help="viewer: looks, and may disarm; operator: also approves, rejects, acknowledges, "
            "releases holds, retries; admin: also arms.",
        ),
    ] = "viewer",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Let a person sign in, or give one another role or password.

    The password is asked for twice and kept as an Argon2 hash, in a file that only you can read.

    Example:  lithoscope dashboard user add ada --role operator
    """
    from lithoscope_store.accounts import put_account
    from lithoscope_store.layout import Store

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    path = Store(store).accounts
    put_account(path, name, role, password)
    typer.echo(f"{name} may sign in as {role}; accounts are in {path}")


def remove(name: NameArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Take the right to sign in from a person; who is signed in is out at once.

    Example:  lithoscope dashboard user remove ada
    """
    from lithoscope_store.accounts import remove_account
    from lithoscope_store.layout import Store

    remove_account(Store(store).accounts, name)
    typer.echo(f"{name} may no longer sign in")


def list_users(json: JsonOption = False, store: StoreOption = DEFAULT_STORE) -> None:
    """List who may sign in, and as what.

    Example:  lithoscope dashboard user list --json
    """
    from lithoscope_store.accounts import read_accounts
    from lithoscope_store.layout import Store

    accounts = read_accounts(Store(store).accounts)
    if json:
        write_json({name: account.role for name, account in sorted(accounts.items())})
        return
    for name, account in sorted(accounts.items()):
        typer.echo(f"{name}  {account.role}")
    if not accounts:
        typer.echo("Nobody may sign in yet: lithoscope dashboard user add NAME --role operator")
